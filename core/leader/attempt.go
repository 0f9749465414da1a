package leader

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Codes of attempts that the host ends, not the connector.
const (
	codeTrap         = "GUEST_TRAP"     // the module trapped or took too long
	codeGuestError   = "GUEST_ERROR"    // the guest reported its own error
	codeMismatch     = "MISMATCH"       // the guest asks for something else than it did before
	codeTooManySteps = "TOO_MANY_STEPS" // 63 effects without a checkpoint
	codeUnknownJob   = "UNKNOWN_JOB"    // the pinned module does not serve the type
	codeTooLarge     = "TOO_LARGE"      // an effect or outcome over the size of a log entry
	codeRevoked      = engine.CodeAttemptRevoked
	codeBadOutcome   = "BAD_OUTCOME" // not an outcome of a job, or its variables are not JSON
)

// stepsMax leaves one of the job's 64 history entries for the attempt's beginning.
const stepsMax = abi.StepsMax - 1

// errDropped ends the work on an attempt that has become somebody else's: a
// later term's, or nobody's because the job is gone.
var errDropped = errors.New("the attempt has gone on without this leader")

// errParked ends the work on an attempt that cannot go on now; it is taken up
// again after a while.
var errParked = errors.New("the attempt cannot go on now")

// failure ends an attempt for a reason of the host's.
type failure struct {
	code, text string
	retryable  bool
}

func (f *failure) Error() string { return f.code + ": " + f.text }

// attempt is one attempt of one job while this leader works on it.
type attempt struct {
	*term
	task
	job          *enginev1.Job
	instance     *enginev1.Instance
	meta         *enginev1.Meta
	keys         []string // the payment's effect keys, by which effects get their UUIDs
	priorNumbers []uint32 // of the keys in the job's prior
	binding      *connector.Binding
	minter       engine.Minter
	uuid         string // the payment's
	seed         []byte
	history      history
	veil         veil
	asked        []*sdkv1.Effect // what this leader has performed
	trigger      *sdkv1.Trigger
	frames       map[string][]byte // that answered money effects, as the log has them; by key

	room room
}

// room is where what every attempt needs lies, so that it is one object. Attempts
// that end as most do are used again.
type room struct {
	seed      [abi.SeedBytes]byte
	request   sdkv1.StepRequest
	trigger   sdkv1.Trigger
	kind      sdkv1.Trigger_Job
	job       sdkv1.Job
	inputs    [4]sdkv1.Variable
	variables [4]*sdkv1.Variable

	command  enginev1.Command
	verb     enginev1.Command_FinishJob
	finish   enginev1.FinishJob
	origin   enginev1.Origin
	outcome  enginev1.FinishJob_Complete
	complete enginev1.Complete
}

var attempts = sync.Pool{New: func() any { return new(attempt) }}

// recycle gives an attempt back to which nothing leads any more.
func (a *attempt) recycle() {
	*a = attempt{}
	attempts.Put(a)
}

// logger names the attempt in every line. It is made when there is something to
// say, which for most attempts is never.
func (a *attempt) logger() *slog.Logger {
	return a.log.With("payment", a.uuid, "job", a.job.N, "attempt", a.job.Attempt,
		"type", a.job.Type, "connector", a.job.Connector)
}

// runBound makes the attempt's module and binding ready and runs it.
func (a *attempt) runBound() error {
	digest, ok := connector.ToDigest(a.job.Digest)
	if !ok {
		return fmt.Errorf("job %d of payment %d names no module", a.job.N, a.job.Payment)
	}
	module, err := a.Connectors.Module(a.ctx, digest)
	if errors.Is(err, connector.ErrRevoked) {
		return a.conclude(revoked)
	}
	if err != nil {
		a.logger().Debug("the job waits for its module", "digest", digest.String(), "err", err)
		return errParked
	}
	if a.binding, err = a.Connectors.Bind(a.job.Tenant, a.job.ConfigVersion, module); err != nil {
		a.logger().Error("the tenant's configuration cannot be used", "err", err)
		return errParked
	}
	if err := a.open(a.Clock.NowMS()); err != nil {
		return a.conclude(err)
	}
	return a.goOn(a.step())
}

// open makes what the connector is shown.
func (a *attempt) open(nowMS int64) (err error) {
	if a.history, err = load(a.job, nowMS); err != nil {
		return err
	}
	if err := a.unveil(); err != nil {
		return err
	}
	if len(a.history.entries) >= stepsMax {
		return tooManySteps
	}
	jobType := a.binding.Job(a.job.Type)
	if jobType == nil {
		return &failure{codeUnknownJob, "Module " + a.binding.Module.Digest.String() + " does not serve this job type.", false}
	}
	a.makeTrigger(jobType)
	return nil
}

var revoked = &failure{codeRevoked, "The version of the connector that worked on the job has been revoked.", true}

var tooManySteps = &failure{codeTooManySteps, "The connector took 63 steps without a checkpoint.", false}

// goOn does what the reply asks for, and steps until the attempt has an outcome,
// sleeps, or is taken away.
func (a *attempt) goOn(reply *sdkv1.StepReply, err error) error {
	for {
		if err == nil {
			err = a.check(reply)
		}
		if err != nil {
			return a.conclude(err)
		}
		if reply.Outcome != nil {
			return a.conclude(a.finish(reply.Outcome))
		}
		if a.history.last != nil {
			// The answer goes into the log before anything else is done. Its entry
			// then carries the stamp's time, not this clock's, so the guest is asked
			// again: a later leader must find it asking for the very same.
			err = a.commitAnswer()
		} else {
			for _, effect := range reply.Effects {
				if err = a.perform(effect); err != nil {
					break
				}
			}
		}
		switch {
		case errors.Is(err, errSleeping):
			return nil
		case err != nil:
			return a.conclude(err)
		case len(a.history.entries) >= stepsMax:
			return a.conclude(tooManySteps)
		}
		reply, err = a.step()
	}
}

// conclude ends the attempt where the error says so.
func (a *attempt) conclude(err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return a.fail(f)
	}
	if errors.Is(err, replica.ErrTooLarge) {
		return a.fail(&failure{codeTooLarge, "What the connector asked for, with the answers it needed, is larger than a log entry may be.", false})
	}
	return err
}

// makeTrigger takes down what the job's manifest wants to be told.
func (a *attempt) makeTrigger(jobType *sdkv1.JobType) {
	variables, flow := engine.Visible(a.instance, a.job.Token)
	r := &a.room
	r.job = sdkv1.Job{
		Type: jobType.Type, Payment: a.uuid,
		Attempt: a.job.Attempt, Retries: a.job.Retries,
		Variables: a.inputs(variables, jobType.Inputs), Element: a.job.Element, Flow: flow,
		PaymentStartedMs: a.instance.StartedMs,
	}
	for _, h := range a.job.Headers {
		r.job.Headers = append(r.job.Headers, &sdkv1.Header{Key: h.Key, Value: h.Value})
	}
	for i, key := range a.job.Prior {
		r.job.Prior = append(r.job.Prior, &sdkv1.PriorEffect{
			Key: key, IdempotencyKey: a.effectUUID(key, a.priorNumbers[i], 0),
		})
	}
	r.kind.Job = &r.job
	r.trigger = sdkv1.Trigger{TimeMs: a.history.begunMS, Tenant: a.job.Tenant, Kind: &r.kind}
	if name, is := engine.ScheduleOf(a.job.Type); is {
		r.trigger.Kind = &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: name, Job: &r.job}}
	}
	a.trigger = &r.trigger
}

// inputs are the variables of the names, in the names' order; without names they
// are all of them. The variables ascend by name.
func (a *attempt) inputs(variables []*enginev1.Variable, names []string) []*sdkv1.Variable {
	if len(names) == 0 {
		return connector.FromEngine(variables)
	}
	block, out := a.room.inputs[:], a.room.variables[:0]
	if len(names) > len(block) {
		block, out = make([]sdkv1.Variable, len(names)), make([]*sdkv1.Variable, 0, len(names))
	}
	for _, name := range names {
		i, found := slices.BinarySearchFunc(variables, name, func(v *enginev1.Variable, name string) int {
			return strings.Compare(v.Name, name)
		})
		if found {
			v := &block[len(out)]
			v.Name, v.Json = name, variables[i].Json
			out = append(out, v)
		}
	}
	return out
}

// step asks the guest what is next.
func (a *attempt) step() (*sdkv1.StepReply, error) {
	a.room.request = sdkv1.StepRequest{
		Config: a.binding.Config, Trigger: a.trigger, History: a.history.entries,
		Seed: a.seed, State: a.history.state,
	}
	begun := time.Now()
	reply, err := a.binding.Module.Step(a.ctx, a.job.Tenant, &a.room.request)
	a.lane.metrics.stepped(time.Since(begun))
	switch {
	case err != nil && a.ctx.Err() != nil:
		return nil, errDropped
	case errors.Is(err, connector.ErrRevoked):
		return nil, revoked
	case err != nil:
		a.logger().Warn("a step failed", "err", a.veil.Text(err.Error()))
		return nil, &failure{codeTrap, err.Error(), true}
	}
	return reply, nil
}

// check says why a reply cannot be followed, if it cannot.
func (a *attempt) check(reply *sdkv1.StepReply) error {
	switch {
	case reply.Error != "":
		a.logger().Warn("the guest reports an error", "err", a.veil.Text(reply.Error))
		return &failure{codeGuestError, reply.Error, true}
	case reply.Mismatch != nil:
		return a.mismatch(reply.Mismatch)
	case reply.Outcome == nil && len(reply.Effects) == 0:
		return &failure{codeGuestError, "The connector returned neither effects nor an outcome.", true}
	case len(reply.Effects) > abi.EffectsMax:
		return &failure{codeGuestError, "The connector asked for more than 16 effects at once.", true}
	}
	return nil
}

// fail ends the attempt for a reason of the host's.
func (a *attempt) fail(f *failure) error {
	a.blame(f)
	backoff := time.Second << min(a.job.Attempt-1, 6)
	return a.finish(&sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{
		Retryable: f.retryable, BackoffMs: backoff.Milliseconds(), Reason: f.text, Code: f.code,
	}}})
}

// finish proposes the outcome.
func (a *attempt) finish(outcome *sdkv1.Outcome) error {
	cmd, err := a.result(outcome)
	if err != nil {
		return a.conclude(err)
	}
	reply, err := a.propose(cmd)
	if err != nil {
		return err
	}
	return a.finished(cmd.GetFinishJob(), reply)
}

// finished deals with what the engine made of the outcome.
func (a *attempt) finished(cmd *enginev1.FinishJob, reply *enginev1.Event) error {
	a.count(outcomeOf(cmd))
	if reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED {
		return nil
	}
	if _, failing := cmd.Outcome.(*enginev1.FinishJob_Fail); !failing &&
		(reply.Code == engine.CodeTooLarge || reply.Code == engine.CodeBadCommand) {
		return a.fail(&failure{codeBadOutcome, reply.Text, false})
	}
	return a.refused(reply)
}

// result is the outcome as a command, together with the last answer. Its error is
// a *failure.
func (a *attempt) result(outcome *sdkv1.Outcome) (*enginev1.Command, error) {
	if err := a.checkOutcome(outcome); err != nil {
		return nil, err
	}
	r := &a.room
	r.origin = a.place(uint32(len(a.history.entries))+1, 0)
	r.origin.Since = a.history.tail()
	r.finish = enginev1.FinishJob{Origin: &r.origin, LastAnswer: a.history.last}
	cmd := &r.finish
	switch o := outcome.Kind.(type) {
	case *sdkv1.Outcome_Complete:
		vars, err := connector.CheckVariables(o.Complete.GetVariables())
		if err != nil {
			return nil, &failure{codeBadOutcome, err.Error(), false}
		}
		r.complete = enginev1.Complete{Variables: vars}
		r.outcome.Complete = &r.complete
		cmd.Outcome = &r.outcome
	case *sdkv1.Outcome_Fail:
		cmd.Outcome = &enginev1.FinishJob_Fail{Fail: &enginev1.Fail{
			Retryable: o.Fail.GetRetryable(), BackoffMs: o.Fail.GetBackoffMs(),
			Reason: o.Fail.GetReason(), Code: o.Fail.GetCode(),
		}}
	case *sdkv1.Outcome_BpmnError:
		vars, err := connector.CheckVariables(o.BpmnError.GetVariables())
		if err != nil {
			return nil, &failure{codeBadOutcome, err.Error(), false}
		}
		cmd.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{
			Code: o.BpmnError.GetCode(), Message: o.BpmnError.GetMessage(), Variables: vars,
		}}
	case *sdkv1.Outcome_Doubt:
		cmd.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{
			Key: o.Doubt.GetKey(), Reason: o.Doubt.GetReason(),
		}}
	default:
		return nil, &failure{codeBadOutcome, "The connector answered a job with something else than a job's outcome.", false}
	}
	for _, s := range outcome.Settlements {
		settled := &enginev1.Settlement{Key: s.GetKey(), State: enginev1.EffectState_EFFECT_STATE_REFUSED}
		if s.GetDone() {
			settled.State = enginev1.EffectState_EFFECT_STATE_DONE
			settled.Answer = a.settledAnswer(s.GetKey())
		}
		cmd.Settlements = append(cmd.Settlements, settled)
	}
	r.verb.FinishJob = cmd
	r.command = enginev1.Command{Verb: &r.verb}
	return &r.command, nil
}

// settledAnswer is what a job gets that asks again for a money effect which a
// connector has found, by enquiry, to be done. The first answer is lost, so the
// job is sent to enquire in its turn: that is where the answer can be had.
func (a *attempt) settledAnswer(key string) []byte {
	if answer := a.answerFrame(key); answer != nil {
		return answer
	}
	number := uint32(0)
	_ = a.Log.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableEffect, S: key, A: a.job.Payment}); found {
			number = row.(*enginev1.Effect).Number
		}
		return nil
	})
	return encode(&sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{
		IdempotencyKey: a.effectUUID(key, number, 0),
		Reason:         "an enquiry has found it done; what was answered then is lost",
	}}})
}

// origin names an effect of this attempt and carries the answers that no command
// has carried yet.
func (a *attempt) origin(ordinal uint32, digest uint64) *enginev1.Origin {
	o := a.place(ordinal, digest)
	o.Since = a.history.carry()
	return &o
}

func (a *attempt) place(ordinal uint32, digest uint64) enginev1.Origin {
	return enginev1.Origin{
		Payment: a.job.Payment, Job: a.job.N, Attempt: a.job.Attempt, Epoch: a.epoch,
		Ordinal: ordinal, Digest: a.logDigest(ordinal, digest),
	}
}

// refused sorts the engine's refusals of a job's command: most say that the job
// is no longer ours to work on.
func (a *attempt) refused(reply *enginev1.Event) error {
	switch reply.Code {
	case engine.CodeEffectsHeld:
		return errParked
	case engine.CodeConnectorRevoked:
		return revoked
	case engine.CodeStale, engine.CodePaymentEnded, engine.CodePaymentUnknown, engine.CodeQuarantined, engine.CodeInternal:
		a.logger().Info("a job's result came too late", "code", reply.Code)
		return errDropped
	}
	return fmt.Errorf("the engine refused the job's command: %s: %s", reply.Code, reply.Text)
}
