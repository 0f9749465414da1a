package leader

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
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
	codeBadOutcome   = "BAD_OUTCOME"    // not an outcome of a job, or its variables are not JSON
)

// stepsMax leaves one of the job's 64 history entries for the attempt's beginning.
const stepsMax = abi.StepsMax - 1

// errDropped ends the work on an attempt that has become somebody else's: a
// later term's, or nobody's because the job is gone.
var errDropped = errors.New("the attempt has gone on without this leader")

// errParked ends the work on an attempt that cannot go on now; it is taken up
// again after a while.
var errParked = errors.New("the attempt cannot go on now")

// attempt is one attempt of one job while this leader works on it.
type attempt struct {
	*term
	job     *enginev1.Job
	meta    *enginev1.Meta
	keys    []string // the payment's effect keys, by which effects get their UUIDs
	module  *connector.Module
	binding *connector.Binding
	trigger *sdkv1.Trigger
	uuid    string // the payment's
	seed    []byte
	history *history
}

// logger names the attempt in every line. It is made when there is something to
// say, which for most attempts is never.
func (a *attempt) logger() *slog.Logger {
	return a.log.With("payment", a.uuid, "job", a.job.N, "attempt", a.job.Attempt,
		"type", a.job.Type, "connector", a.job.Connector)
}

// work runs a job's current attempt until it has an outcome, sleeps, or is taken
// away. It is called by the lanes, one worker per job.
func (t *term) work(id jobID, _ laneKey) {
	// A fault of this host's takes one job's attempt with it, not the node.
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("working on an attempt panicked", "payment_key", id.payment, "job", id.n,
				"panic", p, "stack", string(debug.Stack()))
			t.later(id, time.Minute)
		}
	}()
	err := t.attempt(id)
	switch {
	case err == nil, errors.Is(err, errDropped), errors.Is(err, replica.ErrNotLeader), t.ctx.Err() != nil:
	case errors.Is(err, errParked), errors.Is(err, replica.ErrUnknown):
		// After an unknown result the row says what happened. If an effect was
		// intended and not performed it is taken for in doubt, which is safe.
		t.later(id, time.Second)
	default:
		t.log.Error("an attempt could not be worked on", "payment_key", id.payment, "job", id.n, "err", err)
		t.later(id, 5*time.Second)
	}
}

func (t *term) attempt(id jobID) error {
	a, err := t.open(id)
	if err != nil || a == nil {
		return err
	}
	err = a.run()
	if errors.Is(err, replica.ErrTooLarge) {
		return a.fail(codeTooLarge, "What the connector asked for, with the answers it needed, is larger than a log entry may be.", false)
	}
	return err
}

func (a *attempt) run() error {
	for {
		if len(a.history.entries) >= stepsMax {
			return a.fail(codeTooManySteps, "The connector took 63 steps without a checkpoint.", false)
		}
		reply, err := a.step()
		if err != nil {
			return err
		}
		if reply == nil {
			return nil // ended by a failed step
		}
		if reply.Outcome != nil {
			return a.finish(reply.Outcome)
		}
		if a.history.last != nil {
			// The answer goes into the log before anything else is done. Its entry
			// then carries the stamp's time, not this clock's, so the guest is asked
			// again: a later leader must find it asking for the very same.
			if err := a.commitAnswer(); err != nil {
				return err
			}
			continue
		}
		for _, effect := range reply.Effects {
			if err := a.perform(effect); err != nil {
				if errors.Is(err, errSleeping) {
					return nil
				}
				return err
			}
		}
	}
}

// open reads everything an attempt needs; nil when the job is not to be worked
// on.
func (t *term) open(id jobID) (*attempt, error) {
	a := &attempt{term: t}
	var instance *enginev1.Instance
	numbers := make(map[string]uint32)
	err := t.Log.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableJob, A: id.payment, B: uint64(id.n)})
		if !found || row.(*enginev1.Job).State != enginev1.JobState_JOB_STATE_READY {
			return errDropped
		}
		a.job = row.(*enginev1.Job)
		row, found = tx.Get(engine.Key{Table: engine.TableInstance, A: id.payment})
		if !found || row.(*enginev1.Instance).Quarantined {
			return errDropped
		}
		instance = row.(*enginev1.Instance)
		row, _ = tx.Get(engine.Key{Table: engine.TableMeta})
		a.meta = row.(*enginev1.Meta)
		for _, key := range a.job.Prior {
			if row, found := tx.Get(engine.Key{Table: engine.TableEffect, S: key, A: id.payment}); found {
				numbers[key] = row.(*enginev1.Effect).Number
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.keys = instance.EffectKeys
	a.uuid = engine.PaymentUUID(a.meta, id.payment)
	digest, ok := connector.ToDigest(a.job.Digest)
	if !ok {
		return nil, fmt.Errorf("job %d of payment %d names no module", id.n, id.payment)
	}
	if a.module, err = t.Connectors.Module(t.ctx, digest); err != nil {
		a.logger().Debug("the job waits for its module", "digest", digest.String(), "err", err)
		return nil, errParked
	}
	if a.history, err = load(a.job, t.Clock.NowMS()); err != nil {
		return nil, err
	}
	jobType := a.module.Job(a.job.Tenant, a.job.Type)
	if jobType == nil {
		return nil, a.fail(codeUnknownJob, "Module "+digest.String()+" does not serve this job type.", false)
	}
	if a.binding, err = t.Connectors.Bind(a.job.Tenant, a.job.ConfigVersion, a.module); err != nil {
		a.logger().Error("the tenant's configuration cannot be used", "err", err)
		return nil, errParked
	}
	a.seed = seed(a.meta.Secret, id, a.job.Attempt)
	a.trigger = a.makeTrigger(instance, jobType, numbers)
	return a, nil
}

func (a *attempt) makeTrigger(instance *enginev1.Instance, jobType *sdkv1.JobType, numbers map[string]uint32) *sdkv1.Trigger {
	variables, flow := visible(instance, a.job.Token)
	if len(jobType.Inputs) > 0 {
		variables = slices.DeleteFunc(slices.Clone(variables), func(v *enginev1.Variable) bool {
			return !slices.Contains(jobType.Inputs, v.Name)
		})
	}
	job := &sdkv1.Job{
		Type: jobType.Type, Payment: a.uuid,
		Attempt: a.job.Attempt, Retries: a.job.Retries,
		Variables: connector.FromEngine(variables), Element: a.job.Element, Flow: flow,
		PaymentStartedMs: instance.StartedMs,
	}
	for _, h := range a.job.Headers {
		job.Headers = append(job.Headers, &sdkv1.Header{Key: h.Key, Value: h.Value})
	}
	for _, key := range a.job.Prior {
		job.Prior = append(job.Prior, &sdkv1.PriorEffect{
			Key: key, IdempotencyKey: a.effectUUID(key, numbers[key], 0),
		})
	}
	return &sdkv1.Trigger{
		TimeMs: a.history.begunMS, Tenant: a.job.Tenant, Kind: &sdkv1.Trigger_Job{Job: job},
	}
}

// visible is what the element of a token sees: the variables of its scope, local
// scopes over the flow's, and the flow they belong to.
func visible(instance *enginev1.Instance, token uint32) ([]*enginev1.Variable, string) {
	at := uint32(0)
	for _, t := range instance.Tokens {
		if t.N == token {
			at = t.Scope
		}
	}
	var out []*enginev1.Variable
	for s := scope(instance, at); s != nil; s = scope(instance, s.Parent) {
		if out == nil && !s.Local {
			return s.Variables, s.Flow // sorted, and there is nothing to lay over it
		}
		for _, v := range s.Variables {
			if !slices.ContainsFunc(out, func(nearer *enginev1.Variable) bool { return nearer.Name == v.Name }) {
				out = append(out, v)
			}
		}
		if !s.Local {
			slices.SortFunc(out, func(a, b *enginev1.Variable) int { return strings.Compare(a.Name, b.Name) })
			return out, s.Flow
		}
	}
	return out, instance.Flow
}

func scope(instance *enginev1.Instance, n uint32) *enginev1.Scope {
	for _, s := range instance.Scopes {
		if s.N == n {
			return s
		}
	}
	return nil
}

// seed belongs to (job, attempt): whichever leader continues an attempt, its
// guest draws the same numbers.
func seed(secret []byte, id jobID, attempt uint32) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("railhead seed\x00"))
	b := binary.BigEndian.AppendUint64(nil, id.payment)
	b = binary.BigEndian.AppendUint32(b, id.n)
	mac.Write(binary.BigEndian.AppendUint32(b, attempt))
	return mac.Sum(nil)
}

// step asks the guest what is next. A nil reply means that the step failed and
// the attempt was ended for it.
func (a *attempt) step() (*sdkv1.StepReply, error) {
	begun := time.Now()
	reply, err := a.module.Step(a.ctx, a.job.Tenant, &sdkv1.StepRequest{
		Config: a.binding.Config, Trigger: a.trigger, History: a.history.entries,
		Seed: a.seed, State: a.history.state,
	})
	a.Metrics.stepped(a.job.Connector, time.Since(begun))
	switch {
	case err != nil && a.ctx.Err() != nil:
		return nil, errDropped
	case err != nil:
		a.logger().Warn("a step failed", "err", err)
		return nil, a.fail(codeTrap, err.Error(), true)
	case reply.Error != "":
		a.logger().Warn("the guest reports an error", "err", reply.Error)
		return nil, a.fail(codeGuestError, reply.Error, true)
	case reply.Mismatch != nil:
		text := fmt.Sprintf("The connector asks at ordinal %d for something else than it did before.", reply.Mismatch.Ordinal)
		a.logger().Error("the connector is not deterministic", "ordinal", reply.Mismatch.Ordinal)
		return nil, a.fail(codeMismatch, text, true)
	case reply.Outcome == nil && len(reply.Effects) == 0:
		return nil, a.fail(codeGuestError, "The connector returned neither effects nor an outcome.", true)
	case len(reply.Effects) > abi.EffectsMax:
		return nil, a.fail(codeGuestError, "The connector asked for more than 16 effects at once.", true)
	}
	return reply, nil
}

// fail ends the attempt for a reason of the host's.
func (a *attempt) fail(code, text string, retryable bool) error {
	backoff := time.Second << min(a.job.Attempt-1, 6)
	return a.finish(&sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{
		Retryable: retryable, BackoffMs: backoff.Milliseconds(), Reason: text, Code: code,
	}}})
}

// finish proposes the outcome, together with the last answer.
func (a *attempt) finish(outcome *sdkv1.Outcome) error {
	cmd := &enginev1.FinishJob{LastAnswer: a.history.last}
	switch o := outcome.Kind.(type) {
	case *sdkv1.Outcome_Complete:
		vars, err := connector.CheckVariables(o.Complete.GetVariables())
		if err != nil {
			return a.fail(codeBadOutcome, err.Error(), false)
		}
		cmd.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: vars}}
	case *sdkv1.Outcome_Fail:
		cmd.Outcome = &enginev1.FinishJob_Fail{Fail: &enginev1.Fail{
			Retryable: o.Fail.GetRetryable(), BackoffMs: o.Fail.GetBackoffMs(),
			Reason: o.Fail.GetReason(), Code: o.Fail.GetCode(),
		}}
	case *sdkv1.Outcome_BpmnError:
		vars, err := connector.CheckVariables(o.BpmnError.GetVariables())
		if err != nil {
			return a.fail(codeBadOutcome, err.Error(), false)
		}
		cmd.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{
			Code: o.BpmnError.GetCode(), Message: o.BpmnError.GetMessage(), Variables: vars,
		}}
	case *sdkv1.Outcome_Doubt:
		cmd.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{
			Key: o.Doubt.GetKey(), Reason: o.Doubt.GetReason(),
		}}
	default:
		return a.fail(codeBadOutcome, "The connector answered a job with something else than a job's outcome.", false)
	}
	for _, s := range outcome.Settlements {
		settled := &enginev1.Settlement{Key: s.GetKey(), State: enginev1.EffectState_EFFECT_STATE_REFUSED}
		if s.GetDone() {
			settled.State = enginev1.EffectState_EFFECT_STATE_DONE
			settled.Answer = a.settledAnswer(s.GetKey())
		}
		cmd.Settlements = append(cmd.Settlements, settled)
	}
	// The history ends here, so what is only in memory need not go into the log.
	a.history.since = nil
	cmd.Origin = a.origin(uint32(len(a.history.entries))+1, 0)
	reply, err := a.propose(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: cmd}})
	if err != nil {
		return err
	}
	a.Metrics.finished(a.job.Connector, outcomeName(cmd))
	if reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED {
		return nil
	}
	if _, failing := cmd.Outcome.(*enginev1.FinishJob_Fail); !failing &&
		(reply.Code == engine.CodeTooLarge || reply.Code == engine.CodeBadCommand) {
		return a.fail(codeBadOutcome, reply.Text, false)
	}
	return a.refused(reply)
}

// settledAnswer is what a job gets that asks again for a money effect which a
// connector has found, by enquiry, to be done. The first answer is lost, so the
// job is sent to enquire in its turn: that is where the answer can be had.
func (a *attempt) settledAnswer(key string) []byte {
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

func outcomeName(cmd *enginev1.FinishJob) string {
	switch cmd.Outcome.(type) {
	case *enginev1.FinishJob_Complete:
		return "complete"
	case *enginev1.FinishJob_BpmnError:
		return "bpmn_error"
	case *enginev1.FinishJob_Doubt:
		return "doubt"
	}
	return "fail"
}

// origin names an effect of this attempt and carries the answers that no command
// has carried yet.
func (a *attempt) origin(ordinal uint32, digest uint64) *enginev1.Origin {
	return &enginev1.Origin{
		Payment: a.job.Payment, Job: a.job.N, Attempt: a.job.Attempt, Epoch: a.epoch,
		Ordinal: ordinal, Digest: digest, Since: a.history.since,
	}
}

// refused sorts the engine's refusals of a job's command: most say that the job
// is no longer ours to work on.
func (a *attempt) refused(reply *enginev1.Event) error {
	switch reply.Code {
	case engine.CodeEffectsHeld:
		return errParked
	case engine.CodeStale, engine.CodePaymentEnded, engine.CodePaymentUnknown, engine.CodeQuarantined, engine.CodeInternal:
		a.logger().Info("a job's result came too late", "code", reply.Code)
		return errDropped
	}
	return fmt.Errorf("the engine refused the job's command: %s: %s", reply.Code, reply.Text)
}
