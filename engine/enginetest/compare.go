package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/enginetest/twin"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Comparison runs payments of generated flows on the engine and on the twin and
// compares them after every step: what was entered, created, opened and taken away,
// as a multiset, since a step's parallel branches have no order; what is open now;
// and every variable, of the payment and as each job sees it.
type Comparison struct {
	Seed  uint64
	Shape Shape
	// Payments of each flow.
	Payments int
	// Kinds counts the events that agreed, by their verb.
	Kinds map[string]int
}

// maxCompared bounds the steps of one payment.
const maxCompared = 2000

// Run compares. The error names the flow, the step and the difference.
func (c *Comparison) Run() error {
	c.Shape.Alone = true
	if c.Kinds == nil {
		c.Kinds = make(map[string]int)
	}
	w := NewRandomWorkload(NewMemTx(), c.Seed, c.Shape)
	flows := make(map[string]*bpmn.Process)
	for _, id := range append([]string{"called1", "called2"}, w.flows...) {
		flows[id] = w.process(id, 1)
	}
	for _, id := range w.flows {
		for range c.Payments {
			p := &pair{Workload: w, flows: flows, kinds: c.Kinds}
			if err := p.live(id); err != nil {
				return fmt.Errorf("flow %s: %w", id, err)
			}
		}
	}
	return nil
}

// pair is one payment on both.
type pair struct {
	*Workload
	flows   map[string]*bpmn.Process
	kinds   map[string]int
	payment uint64
	twin    *twin.Payment
}

func (p *pair) live(flow string) error {
	start := p.someStart()
	start.Flow, start.ClientKey = flow, ""
	res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: start}})
	p.payment = res.Reply.Payment
	vars := values(start.Variables)
	vars["transactionId"] = feel.String(res.Reply.Uuid)
	p.twin = twin.Start(p.flows, flow, vars, p.nowMS)
	did := "start"
	for n := range maxCompared {
		if p.twin.Endless {
			return p.endless(res)
		}
		if err := p.compare(res); err != nil {
			return fmt.Errorf("step %d, %s: %w", n, did, err)
		}
		if p.twin.Ended || p.twin.Stuck {
			return nil
		}
		if len(p.twin.Open) == 0 {
			return fmt.Errorf("step %d, %s: nothing is open", n, did)
		}
		w := p.twin.Open[p.rand.IntN(len(p.twin.Open))]
		did = w.Kind + " " + w.Element
		var err error
		if res, err = p.step(w); err != nil {
			return fmt.Errorf("step %d, %s: %w", n, did, err)
		}
		if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED && !p.twin.Endless {
			return fmt.Errorf("step %d, %s: the engine refuses: %s", n, did, res.Reply.Text)
		}
	}
	return fmt.Errorf("%d steps were not enough", maxCompared)
}

// step lets one thing happen on both.
func (p *pair) step(w *twin.Wait) (engine.Result, error) {
	vars := p.someVariables(w.Element)
	switch w.Kind {
	case "job":
		job, err := p.counterpart(w)
		if err != nil {
			return engine.Result{}, err
		}
		finish := &enginev1.FinishJob{
			Origin:  &enginev1.Origin{Payment: job.Payment, Job: job.N, Attempt: job.Attempt, Epoch: p.epoch},
			Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: vars}},
		}
		code := ""
		if p.rand.IntN(8) == 0 {
			code = p.rand.of(someErrors)
			finish.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: code, Variables: vars}}
		}
		res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: finish}})
		if code != "" {
			p.twin.Fail(w, code, values(vars))
		} else {
			p.twin.Complete(w, values(vars))
		}
		return res, nil
	case "user":
		n, err := p.task(w)
		if err != nil {
			return engine.Result{}, err
		}
		res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
			Payment: p.payment, Task: n, Variables: vars, Actor: &enginev1.Actor{Name: "ada"},
		}}})
		p.twin.Complete(w, values(vars))
		return res, nil
	case "signal":
		sent := p.Apply(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
			Tenant: "t", Name: w.Name, Variables: vars, Actor: &enginev1.Actor{Name: "ada"},
		}}})
		if sent.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			return sent, nil
		}
		res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 1000}}})
		p.twin.Signal(w.Name, values(vars))
		return res, nil
	case "message":
		res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
			Tenant: "t", Name: w.Name, Key: p.key(), Variables: vars,
		}}})
		p.twin.Message(w.Name, values(vars))
		return res, nil
	}
	// Time goes to the first timer, whichever was drawn.
	for _, o := range p.twin.Open {
		if o.Kind == "timer" && o.DueMS < w.DueMS {
			w = o
		}
	}
	p.nowMS = max(p.nowMS, w.DueMS)
	res := p.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 1000}}})
	p.twin.Time(p.nowMS)
	return res, nil
}

// key is the payment's UUID, under which it waits for messages.
func (p *pair) key() string {
	v, _ := p.twin.Root.Vars["transactionId"].Text()
	return v
}

// older counts the waits of a kind at one element that have been open for longer.
func (p *pair) older(w *twin.Wait) int {
	older := 0
	for _, o := range p.twin.Open {
		if o == w {
			break
		}
		if o.Kind == w.Kind && o.Element == w.Element {
			older++
		}
	}
	return older
}

// counterpart is the engine's job for the twin's: of several at one element, the
// one that is as old among them.
func (p *pair) counterpart(w *twin.Wait) (*enginev1.Job, error) {
	older, jobs := p.older(w), p.jobs()
	for _, job := range jobs {
		if job.Element == w.Element {
			if older == 0 {
				return job, nil
			}
			older--
		}
	}
	return nil, fmt.Errorf("the engine has no such job; it has %v", jobs)
}

func (p *pair) task(w *twin.Wait) (n uint32, err error) {
	older := p.older(w)
	for _, task := range p.tasks() {
		if task.Element == w.Element {
			if older == 0 {
				return task.N, nil
			}
			older--
		}
	}
	return 0, fmt.Errorf("the engine has no such user task; it has %v", p.tasks())
}

func (p *pair) tasks() []*enginev1.UserTask {
	var tasks []*enginev1.UserTask
	p.Tx.Ascend(engine.Key{Table: engine.TableUserTask, A: p.payment}, func(k engine.Key, row engine.Row) bool {
		if k.A == p.payment {
			tasks = append(tasks, row.(*enginev1.UserTask))
		}
		return k.A == p.payment
	})
	return tasks
}

func (p *pair) jobs() []*enginev1.Job {
	var jobs []*enginev1.Job
	p.Tx.Ascend(engine.Key{Table: engine.TableJob, A: p.payment}, func(k engine.Key, row engine.Row) bool {
		if k.A == p.payment {
			jobs = append(jobs, row.(*enginev1.Job))
		}
		return k.A == p.payment
	})
	return jobs
}

func values(vars []*enginev1.Variable) map[string]feel.Value {
	out := make(map[string]feel.Value)
	for _, v := range vars {
		value, err := feel.FromJSON(v.Json)
		if err != nil {
			panic(err)
		}
		out[v.Name] = value
	}
	return out
}

// verbs are the events that the twin tells too, and what of them.
var verbs = map[enginev1.EventKind]func(*enginev1.Event) string{
	enginev1.EventKind_EVENT_KIND_ELEMENT_ENTERED:      typeOf,
	enginev1.EventKind_EVENT_KIND_ELEMENT_LEFT:         nothing,
	enginev1.EventKind_EVENT_KIND_CALL_RETURNED:        nothing,
	enginev1.EventKind_EVENT_KIND_JOB_CREATED:          typeOf,
	enginev1.EventKind_EVENT_KIND_JOB_CANCELLED:        nothing,
	enginev1.EventKind_EVENT_KIND_USER_TASK_CREATED:    nothing,
	enginev1.EventKind_EVENT_KIND_USER_TASK_CANCELLED:  nothing,
	enginev1.EventKind_EVENT_KIND_SUBSCRIBED:           typeOf,
	enginev1.EventKind_EVENT_KIND_TIMER_SET:            nothing,
	enginev1.EventKind_EVENT_KIND_ERROR_THROWN:         nothing,
	enginev1.EventKind_EVENT_KIND_ERROR_CAUGHT:         nothing,
	enginev1.EventKind_EVENT_KIND_ESCALATION_THROWN:    nothing,
	enginev1.EventKind_EVENT_KIND_ESCALATION_CAUGHT:    nothing,
	enginev1.EventKind_EVENT_KIND_COMPENSATION_STARTED: nothing,
	enginev1.EventKind_EVENT_KIND_COMPENSATING:         nothing,
	enginev1.EventKind_EVENT_KIND_COMPENSATED:          nothing,
	enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED:      func(ev *enginev1.Event) string { return ev.Code },
}

func typeOf(ev *enginev1.Event) string  { return ev.Type }
func nothing(ev *enginev1.Event) string { return "" }

// endless expects that the engine has undone a step that never waits.
func (p *pair) endless(res engine.Result) error {
	if res.Reply.Code == engine.IncidentLoop || slices.ContainsFunc(res.Events, func(ev *enginev1.Event) bool {
		return ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && ev.Code == engine.IncidentLoop
	}) {
		return nil
	}
	return fmt.Errorf("the flow goes round for ever, and the engine does not say so")
}

func (p *pair) compare(res engine.Result) error {
	var told []string
	for _, ev := range res.Events {
		if ev.Payment != p.payment {
			continue // one that got stuck before, and waits for the same signal
		}
		if detail := verbs[ev.Kind]; detail != nil {
			told = append(told, verb(ev.Kind)+" "+ev.Element+" "+detail(ev))
		}
		if ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED {
			told = append(told, verb(ev.Kind)+" "+ev.Result.String()+" "+ev.Code)
		}
	}
	trace := slices.Sorted(slices.Values(p.twin.Trace))
	slices.Sort(told)
	p.twin.Trace = nil
	if !slices.Equal(told, trace) {
		return fmt.Errorf("the engine tells\n  %s\nthe twin\n  %s", strings.Join(told, "\n  "), strings.Join(trace, "\n  "))
	}
	for _, line := range told {
		word, _, _ := strings.Cut(line, " ")
		p.kinds[word]++
	}
	row, runs := p.Tx.Get(engine.Key{Table: engine.TableInstance, A: p.payment})
	if runs == p.twin.Ended {
		return fmt.Errorf("the engine runs the payment: %v; the twin has ended it: %v", runs, p.twin.Ended)
	}
	if !runs || p.twin.Stuck {
		return nil
	}
	in := row.(*enginev1.Instance)
	if in.Result != p.twin.Result || in.Code != p.twin.Code {
		return fmt.Errorf("the result is %v %s in the engine, and %v %s in the twin", in.Result, in.Code, p.twin.Result, p.twin.Code)
	}
	if err := same("variables of the payment", values(in.Scopes[0].Variables), p.twin.Root.Vars); err != nil {
		return err
	}
	if got, want := p.open(in), p.openOfTwin(); !slices.Equal(got, want) {
		return fmt.Errorf("open in the engine\n  %s\nin the twin\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for _, w := range p.twin.Open {
		if w.Kind != "job" {
			continue
		}
		job, err := p.counterpart(w)
		if err != nil {
			return err
		}
		if err := same("variables at "+w.Element, p.seen(in, job.Token), w.Visible()); err != nil {
			return err
		}
	}
	return nil
}

func verb(k enginev1.EventKind) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(k.String(), "EVENT_KIND_"), "_", "-"))
}

func same(what string, got, want map[string]feel.Value) error {
	a, b := texts(got), texts(want)
	if !maps.Equal(a, b) {
		return fmt.Errorf("%s in the engine\n  %v\nin the twin\n  %v", what, a, b)
	}
	return nil
}

func texts(vars map[string]feel.Value) map[string]string {
	out := make(map[string]string)
	for name, v := range vars {
		out[name] = string(v.AppendJSON(nil))
	}
	return out
}

// open lists what a payment waits for.
func (p *pair) open(in *enginev1.Instance) []string {
	var lines []string
	for _, job := range p.jobs() {
		lines = append(lines, "job "+job.Element)
	}
	for _, task := range p.tasks() {
		lines = append(lines, "user "+task.Element)
	}
	waits := func(scope uint32, waits []*enginev1.Wait) {
		process := p.processOf(in, scope)
		for _, w := range waits {
			lines = append(lines, waitLine(w.Name+w.Signal, process.Elements[w.Element].ID, w.DueMs))
		}
	}
	for _, t := range in.Tokens {
		waits(t.Scope, t.Waits)
	}
	for _, s := range in.Scopes {
		waits(s.N, s.Waits)
	}
	slices.Sort(lines)
	return lines
}

func (p *pair) openOfTwin() []string {
	var lines []string
	for _, w := range p.twin.Open {
		if w.Kind == "job" || w.Kind == "user" {
			lines = append(lines, w.Kind+" "+w.Element)
		} else {
			lines = append(lines, waitLine(w.Name, w.Element, w.DueMS))
		}
	}
	slices.Sort(lines)
	return lines
}

func waitLine(name, element string, due int64) string {
	return fmt.Sprintf("wait at %s for %q or %d", element, name, due)
}

// seen is every variable a token sees: up to the flow it runs in, the nearest first.
func (p *pair) seen(in *enginev1.Instance, token uint32) map[string]feel.Value {
	i := slices.IndexFunc(in.Tokens, func(t *enginev1.Token) bool { return t.N == token })
	all := make(map[string]feel.Value)
	for n := in.Tokens[i].Scope; ; {
		j := slices.IndexFunc(in.Scopes, func(s *enginev1.Scope) bool { return s.N == n })
		s := in.Scopes[j]
		for name, v := range values(s.Variables) {
			if _, nearer := all[name]; !nearer {
				all[name] = v
			}
		}
		if s.Flow != "" {
			return all
		}
		n = s.Parent
	}
}
