package enginetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// startMS is when every script begins: 2026-01-01T00:00:00Z.
const startMS = 1767225600000

// Env is a cluster of one engine that a script drives: the in-memory log, the
// stamp, and names for what has been started.
type Env struct {
	Engine *engine.Engine
	Tx     engine.Tx

	index    uint64
	nowMS    int64
	epoch    uint64
	payments []uint64
	uuids    map[string]uint64
	log      []Logged
}

// Logged is one applied command, for replay.
type Logged struct {
	Stamp   engine.Stamp
	Command *enginev1.Command
}

// NewEnv returns a bootstrapped cluster 1 whose first leader has started.
func NewEnv(tx engine.Tx) *Env {
	e := &Env{Engine: engine.New(), Tx: tx, nowMS: startMS, uuids: make(map[string]uint64)}
	e.Apply(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{
		Cluster: 1, Secret: bytes.Repeat([]byte{7}, 32), Version: engine.Version,
	}}})
	e.lead()
	return e
}

func (e *Env) lead() engine.Result {
	e.epoch++
	return e.Apply(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{
		Epoch: e.epoch, Node: "n1",
	}}})
}

// Apply puts one command into the log and applies it.
func (e *Env) Apply(cmd *enginev1.Command) engine.Result {
	e.index++
	stamp := engine.Stamp{Index: e.index, TimeMS: e.nowMS}
	e.log = append(e.log, Logged{stamp, cmd})
	return e.Engine.Apply(e.Tx, stamp, cmd).Keep()
}

// Later moves the clock.
func (e *Env) Later(ms int64) { e.nowMS += ms }

// Epoch is the term of the last leader.
func (e *Env) Epoch() uint64 { return e.epoch }

// Log returns everything applied so far.
func (e *Env) Log() []Logged { return e.log }

// RunScripts runs every script of a folder, each in a fresh cluster, and checks
// that replaying its log, with a restart after every command, reaches the same bytes.
func RunScripts(t *testing.T, dir string) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".txt") {
			return
		}
		tx := NewFrozen()
		env := NewEnv(tx)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return env.Handle(t, d)
		})
		// Every command finds rows that come from bytes, as after a restart.
		again := NewMemTx()
		for _, l := range env.log {
			engine.New().Apply(again, l.Stamp, l.Command)
			image := TakeImage(again)
			again = NewMemTx()
			if err := image.Load(again); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		if err := Check(tx); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := tx.Changed(); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !bytes.Equal(Dump(env.Tx), Dump(again)) {
			t.Fatalf("%s: replaying the log reaches another state", path)
		}
	})
}

// Handle carries out one command of a script and returns what happened.
func (e *Env) Handle(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "tenant":
		// Adds a tenant.
		// Example: tenant id=greenbank retention=60s
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
			Tenant: &enginev1.Tenant{Id: arg(d, "id"), RetentionMs: seconds(t, d, "retention"), BufferedMax: uint32(integer(t, d, "buffered"))},
			Actor:  &enginev1.Actor{Name: "script"},
		}}}))
	case "connector":
		// Installs a connector and activates it for a tenant.
		// Example: connector name=bank jobs=(block-funds,quote-{tenant}) tenant=greenbank
		// Example: connector name=channel routes=(POST/transfers) tenant=greenbank
		return e.connector(d)
	case "deploy":
		// Deploys a flow, written in the notation of Model or as XML.
		// end=(element,result) is a line of the sidecar.
		// Example: deploy tenant=greenbank id=transfer end=(paid,completed)
		//          start s …
		return e.deploy(t, d)
	case "start":
		// Starts a payment; the input is a JSON object of variables.
		// Example: start tenant=greenbank flow=transfer key=abc digest=x uuid=transactionId
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
			Tenant: arg(d, "tenant"), Flow: arg(d, "flow"), Channel: "script", ClientKey: arg(d, "key"),
			RequestDigest: []byte(arg(d, "digest")), Variables: variables(t, d), UuidVariable: arg(d, "uuid"), Version: uint32(integer(t, d, "version")),
			Origin: e.optionalOrigin(t, d),
		}}}))
	case "publish":
		// Publishes a message. In key, <p1> stands for a payment's UUID.
		// Example: publish tenant=greenbank name=paid key=<p1> id=m1 ttl=30s
		// Example: publish tenant=greenbank name=recover key=<p1> actor=ada
		publish := &enginev1.Publish{
			Tenant: arg(d, "tenant"), Name: arg(d, "name"), Key: e.real(arg(d, "key")), MessageId: arg(d, "id"),
			TtlMs: seconds(t, d, "ttl"), Variables: variables(t, d), Origin: e.optionalOrigin(t, d),
		}
		if d.HasArg("actor") {
			publish.Actor = &enginev1.Actor{Name: arg(d, "actor")}
		}
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: publish}}))
	case "complete", "fail", "error", "doubt":
		// Ends a job's attempt. The input of complete and error is a JSON object of
		// variables. answer=… with effect=… brings the last effect's answer along.
		// Example: complete payment=p1 job=4
		// Example: fail payment=p1 job=4 code=down reason=away retryable backoff=5s
		// Example: doubt payment=p1 job=4 key=hold reason=silence settle=(hold,done)
		return e.show(e.finish(t, d))
	case "intend":
		// Intends an outside effect.
		// Example: intend payment=p1 job=4 ordinal=1 key=hold terms=100-USD mode=keyed request=r
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: &enginev1.Intend{
			Origin: e.origin(t, d), Key: arg(d, "key"), Terms: []byte(arg(d, "terms")), Request: []byte(arg(d, "request")),
			Mode: enginev1.Mode(enginev1.Mode_value["MODE_"+strings.ToUpper(arg(d, "mode"))]),
		}}}))
	case "answer":
		// Answers an intended effect; effect is done, refused or open.
		// Example: answer payment=p1 job=4 ordinal=1 effect=done answer=ok
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Answer{Answer: e.answer(t, d)}}))
	case "sleep":
		// Parks a job.
		// Example: sleep payment=p1 job=4 ordinal=1 for=5s
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Sleep{Sleep: &enginev1.Sleep{
			DurationMs: seconds(t, d, "for"), Origin: e.origin(t, d),
		}}}))
	case "sequence":
		// Takes a number.
		// Example: sequence tenant=greenbank name=stan
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{
			Tenant: arg(d, "tenant"), Name: arg(d, "name"), Origin: e.optionalOrigin(t, d),
		}}}))
	case "emit":
		// Puts a connector's own event on the timeline.
		// Example: emit payment=p1 job=4 ordinal=1 name=seen
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Emit{Emit: &enginev1.Emit{
			Tenant: arg(d, "tenant"), Name: arg(d, "name"), Json: []byte(d.Input), Origin: e.optionalOrigin(t, d),
		}}}))
	case "checkpoint":
		// Replaces a job's history by a state.
		// Example: checkpoint payment=p1 job=4 ordinal=1 state=half
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Checkpoint{Checkpoint: &enginev1.Checkpoint{
			State: []byte(arg(d, "state")), Origin: e.origin(t, d),
		}}}))
	case "resolve":
		// Resolves an incident; the input is a JSON object of variables to set first.
		// Example: resolve payment=p1 incident=5 retries=2
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_ResolveIncident{ResolveIncident: &enginev1.ResolveIncident{
			Payment: e.payment(arg(d, "payment")), Incident: uint32(integer(t, d, "incident")),
			Retries: uint32(integer(t, d, "retries")), Variables: variables(t, d), Actor: actor(d),
		}}}))
	case "cancel":
		// Cancels a payment, perhaps with compensation.
		// Example: cancel payment=p1 compensate
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
			Payment: e.payment(arg(d, "payment")), Compensate: d.HasArg("compensate"), Actor: actor(d),
		}}}))
	case "signal":
		// Broadcasts a signal; time +0s delivers it.
		// Example: signal tenant=greenbank name=halt
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
			Tenant: arg(d, "tenant"), Name: arg(d, "name"), Variables: variables(t, d), Actor: actor(d),
		}}}))
	case "time":
		// Moves the clock and fires what is due.
		// Example: time +60s
		d2 := strings.TrimPrefix(d.CmdArgs[0].Key, "+")
		e.nowMS += parseSeconds(t, d, d2)
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 1000}}}))
	case "expire":
		// Removes what is past its retention.
		// Example: expire limit=10
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Expire{Expire: &enginev1.Expire{
			Limit: uint32(integerOr(d, "limit", 1000)),
		}}}))
	case "lead":
		// A new leader starts; the epoch rises.
		// Example: lead
		return e.show(e.lead())
	case "raise":
		// Raises the incarnation, as after a restore; release lets effects go again.
		// Example: raise
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_RaiseIncarnation{RaiseIncarnation: &enginev1.RaiseIncarnation{}}}))
	case "release":
		return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_ReleaseEffects{ReleaseEffects: &enginev1.ReleaseEffects{}}}))
	case "rows":
		// Counts the rows of every table that has some.
		// Example: rows
		return e.rows()
	case "job":
		// Shows what a job remembers.
		// Example: job payment=p1 job=4
		row, found := e.Tx.Get(engine.Key{Table: engine.TableJob, A: e.payment(arg(d, "payment")), B: uint64(integer(t, d, "job"))})
		if !found {
			return "none"
		}
		job := row.(*enginev1.Job)
		return fmt.Sprintf("%s attempt %d history %d prior %v",
			strings.ToLower(strings.TrimPrefix(job.State.String(), "JOB_STATE_")), job.Attempt, len(job.History), job.Prior)
	case "task":
		// Shows a user task.
		// Example: task payment=p1 task=4
		return e.task(e.payment(arg(d, "payment")), integer(t, d, "task"))
	case "repairs":
		// Shows what an incident says may be done.
		// Example: repairs payment=p1 incident=4
		return e.incident(e.payment(arg(d, "payment")), integer(t, d, "incident"))
	case "payment":
		// Shows where a payment stands.
		// Example: payment p1
		return e.standing(e.payment(d.CmdArgs[0].Key))
	}
	if d.Cmd == "queue" {
		// Shows a link's queue of forwarded frames.
		// Example: queue tenant=greenbank connector=cards link=network
		return e.queue(d)
	}
	if cmd := e.forward(t, d); cmd != nil {
		return e.show(e.Apply(cmd))
	}
	if d.Cmd == "pins" {
		// Shows how many running payments keep which digests.
		// Example: pins
		return e.pins()
	}
	if cmd := e.lifecycle(t, d); cmd != nil {
		return e.show(e.Apply(cmd))
	}
	if cmd := e.act(t, d); cmd != nil {
		return e.show(e.Apply(cmd))
	}
	d.Fatalf(t, "there is no verb %q", d.Cmd)
	return ""
}

// show prints the reply, if it is not one of the events, and the events.
func (e *Env) show(res engine.Result) string {
	var lines []string
	note := func(ev *enginev1.Event) {
		if ev.Uuid != "" && ev.Payment != 0 && (ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED) {
			e.uuids[ev.Uuid] = ev.Payment
		}
		e.alias2(ev)
	}
	for _, ev := range res.Events {
		note(ev)
	}
	if !slices.ContainsFunc(res.Events, func(ev *enginev1.Event) bool { return ev.Kind == res.Reply.Kind && ev.N == res.Reply.N }) {
		lines = append(lines, "= "+e.Format(res.Reply))
	}
	for _, ev := range res.Events {
		lines = append(lines, e.Format(ev))
	}
	return strings.Join(lines, "\n")
}

func (e *Env) alias2(ev *enginev1.Event) {
	if ev.Payment != 0 {
		e.alias(ev.Payment)
	}
}

func (e *Env) connector(d *datadriven.TestData) string {
	name, tenant := arg(d, "name"), arg(d, "tenant")
	var jobs, routes []string
	var schedules []*enginev1.Schedule
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "jobs":
			jobs = a.Vals
		case "routes":
			routes = a.Vals
		case "schedules": // name:cycle
			for _, v := range a.Vals {
				name, cycle, _ := strings.Cut(v, ":")
				schedules = append(schedules, &enginev1.Schedule{Name: name, Cycle: cycle})
			}
		}
	}
	digest := bytes.Repeat([]byte{byte(integerOr(d, "digest", 1))}, 32)
	install := e.Apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{
			Name: name, Kind: "ams", Version: "1.0.0", Digest: digest, JobTypes: jobs, Routes: routes, AcceptsHistoryOf: heirs(d),
			Schedules: schedules,
		},
	}}})
	activate := e.Apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: tenant, Connector: name, Digest: digest, Weight: uint32(integerOr(d, "weight", 0)),
	}}})
	return e.show(install) + "\n" + e.show(activate)
}

func (e *Env) deploy(t *testing.T, d *datadriven.TestData) string {
	text := d.Input
	if !strings.HasPrefix(text, "<") {
		var err error
		if text, err = Model(arg(d, "id"), d.Input); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	var ends []*enginev1.EndResult
	for _, a := range d.CmdArgs {
		if a.Key == "end" {
			ends = append(ends, &enginev1.EndResult{
				Element: a.Vals[0], Result: enginev1.Result(enginev1.Result_value["RESULT_"+strings.ToUpper(a.Vals[1])]), Code: a.Vals[1],
			})
		}
	}
	return e.show(e.Apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
		Ends:   ends,
		Tenant: arg(d, "tenant"), File: arg(d, "id") + ".bpmn", Xml: []byte(text), Strict: d.HasArg("strict"),
		Actor: &enginev1.Actor{Name: "script"},
	}}}))
}

func (e *Env) finish(t *testing.T, d *datadriven.TestData) engine.Result {
	c := &enginev1.FinishJob{Origin: e.origin(t, d)}
	switch d.Cmd {
	case "complete":
		c.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: variables(t, d)}}
	case "fail":
		c.Outcome = &enginev1.FinishJob_Fail{Fail: &enginev1.Fail{
			Code: arg(d, "code"), Reason: arg(d, "reason"), Retryable: d.HasArg("retryable"), BackoffMs: seconds(t, d, "backoff"),
		}}
	case "error":
		c.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: arg(d, "code"), Variables: variables(t, d)}}
	case "doubt":
		c.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{Key: arg(d, "key"), Reason: arg(d, "reason")}}
	}
	if d.HasArg("answer") {
		c.LastAnswer = e.answer(t, d)
	}
	for _, a := range d.CmdArgs {
		if a.Key == "settle" {
			state := enginev1.EffectState_EFFECT_STATE_REFUSED
			if a.Vals[1] == "done" {
				state = enginev1.EffectState_EFFECT_STATE_DONE
			}
			c.Settlements = append(c.Settlements, &enginev1.Settlement{Key: a.Vals[0], State: state})
		}
	}
	return e.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: c}})
}

func (e *Env) answer(t *testing.T, d *datadriven.TestData) *enginev1.Answer {
	return &enginev1.Answer{
		Origin: e.origin(t, d), Answer: []byte(arg(d, "answer")),
		State: enginev1.EffectState(enginev1.EffectState_value["EFFECT_STATE_"+strings.ToUpper(arg(d, "effect"))]),
	}
}

func (e *Env) optionalOrigin(t *testing.T, d *datadriven.TestData) *enginev1.Origin {
	if !d.HasArg("job") {
		return nil
	}
	return e.origin(t, d)
}

func (e *Env) origin(t *testing.T, d *datadriven.TestData) *enginev1.Origin {
	return &enginev1.Origin{
		Payment: e.payment(arg(d, "payment")), Job: uint32(integer(t, d, "job")),
		Attempt: uint32(integerOr(d, "attempt", 1)), Epoch: uint64(integerOr(d, "epoch", int(e.epoch))),
		Ordinal: uint32(integer(t, d, "ordinal")), Digest: uint64(integer(t, d, "ordinal")),
	}
}

// payment turns p1 into the payment's key; an unknown name is a payment that
// does not exist.
func (e *Env) payment(alias string) uint64 {
	n, err := strconv.Atoi(strings.TrimPrefix(alias, "p"))
	if err != nil || n < 1 || n > len(e.payments) {
		return 1
	}
	return e.payments[n-1]
}

// real turns <p1> into the payment's UUID.
func (e *Env) real(s string) string {
	for uuid, payment := range e.uuids {
		s = strings.ReplaceAll(s, "<"+e.alias(payment)+">", uuid)
	}
	return s
}

func (e *Env) rows() string {
	var lines []string
	for t, layout := range engine.Layouts {
		n := 0
		e.Tx.Ascend(engine.Key{Table: t}, func(engine.Key, engine.Row) bool { n++; return true })
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%s %d", layout.Name, n))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// standing shows an instance's tokens and root variables, or its receipt.
func (e *Env) standing(payment uint64) string {
	if row, found := e.Tx.Get(engine.Key{Table: engine.TableReceipt, A: payment}); found {
		r := row.(*enginev1.Receipt)
		return fmt.Sprintf("ended %s %s at %s", strings.ToLower(strings.TrimPrefix(r.Result.String(), "RESULT_")), r.Code, r.EndElement)
	}
	row, found := e.Tx.Get(engine.Key{Table: engine.TableInstance, A: payment})
	if !found {
		return "none"
	}
	in := row.(*enginev1.Instance)
	var b strings.Builder
	for _, t := range in.Tokens {
		fmt.Fprintf(&b, "token %d: element %d job %d waits %d incident %d\n", t.N, t.Element, t.Job, len(t.Waits), t.Incident)
	}
	for _, s := range in.Scopes {
		fmt.Fprintf(&b, "scope %d:", s.N)
		for _, v := range s.Variables {
			fmt.Fprintf(&b, " %s:%s", v.Name, e.rename(string(v.Json)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func arg(d *datadriven.TestData, name string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return strings.Join(a.Vals, ",")
		}
	}
	return ""
}

func integer(t *testing.T, d *datadriven.TestData, name string) int {
	s := arg(d, name)
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		d.Fatalf(t, "%s: %v", name, err)
	}
	return n
}

func integerOr(d *datadriven.TestData, name string, otherwise int) int {
	if n, err := strconv.Atoi(arg(d, name)); err == nil {
		return n
	}
	return otherwise
}

func seconds(t *testing.T, d *datadriven.TestData, name string) int64 {
	s := arg(d, name)
	if s == "" {
		return 0
	}
	return parseSeconds(t, d, s)
}

func parseSeconds(t *testing.T, d *datadriven.TestData, s string) int64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err != nil {
		d.Fatalf(t, "%q is not a number of seconds", s)
	}
	return int64(n * 1000)
}

// variables reads the input as a JSON object; names are put in order.
func variables(t *testing.T, d *datadriven.TestData) []*enginev1.Variable {
	if strings.TrimSpace(d.Input) == "" {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(d.Input), &object); err != nil {
		d.Fatalf(t, "the variables are no JSON object: %v", err)
	}
	var out []*enginev1.Variable
	for name, value := range object {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			d.Fatalf(t, "%v", err)
		}
		out = append(out, &enginev1.Variable{Name: name, Json: compact.Bytes()})
	}
	slices.SortFunc(out, func(a, b *enginev1.Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}
