package replay

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// lifetimeMS is how long an early message waits in a replay: longer than any payment
// that took one.
const lifetimeMS = 366 * 24 * 3600 * 1000

// mostRetries are the attempts an operator gives in a replay. How many it were is not
// among the payment's events; whether one failed for good is.
const mostRetries = 1000

// mostFired bounds how many timers are fired to come to one.
const mostFired = 1000

// step lets the next thing happen: a timer that no record tells of, if it is due
// first, else the first input that somebody takes. It reports false when nothing
// more can.
func (p *player) step(last int64) bool {
	if p.instance() == nil {
		return false
	}
	p.early()
	next, take := -1, func() {}
	for i, in := range p.inputs {
		if t := p.taker(in); t != nil {
			next, take = i, t
			break
		}
	}
	until := last
	if next >= 0 {
		until = p.inputs[next].event.TimeMs
	}
	if due, own := p.ownTimer(next < 0); own && due <= until {
		p.at(due)
		return p.fireUntil(func(ev *enginev1.Event) bool { return ev.Kind == enginev1.EventKind_EVENT_KIND_TIMER_FIRED })
	}
	if next < 0 {
		return false
	}
	in := p.inputs[next]
	p.inputs = slices.Delete(p.inputs, next, next+1)
	p.at(in.event.TimeMs)
	p.around(in, take)
	return true
}

// early publishes the messages that were there before the next input came.
func (p *player) early() {
	for len(p.inputs) > 0 && p.inputs[0].early {
		ev := p.inputs[0].event
		p.inputs = p.inputs[1:]
		p.apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
			Tenant: p.tenant, Name: ev.Type, Key: ev.Key, Variables: ev.Variables, TtlMs: lifetimeMS,
		}}})
	}
}

// taker finds who takes an input now, as what is to be done; nil: nobody.
func (p *player) taker(in *input) func() {
	ev := in.event
	switch ev.Kind {
	case enginev1.EventKind_EVENT_KIND_JOB_COMPLETED, enginev1.EventKind_EVENT_KIND_JOB_FAILED,
		enginev1.EventKind_EVENT_KIND_JOB_ERROR, enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT:
		if job := p.jobFor(in); job != nil {
			return func() { p.finish(job, in) }
		}
	case enginev1.EventKind_EVENT_KIND_MESSAGE_CORRELATED:
		if key, found := p.subscribed(ev); found {
			return func() {
				p.apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
					Tenant: p.tenant, Name: ev.Type, Key: key, Variables: ev.Variables,
				}}})
			}
		}
	case enginev1.EventKind_EVENT_KIND_SIGNAL_CAUGHT:
		if p.listens(ev) {
			return func() {
				// The payment's events tell when the signal came to it, and not when it was
				// sent: before every timer that is due by now, or one of them would have
				// fired. So here it is sent first of all.
				p.applyAt(0, &enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
					Tenant: p.tenant, Name: ev.Type, Variables: ev.Variables, Actor: by(ev),
				}}})
				p.fireUntil(func(o *enginev1.Event) bool { return o.Kind == ev.Kind })
			}
		}
	case enginev1.EventKind_EVENT_KIND_TIMER_FIRED:
		if _, waits := p.wait(func(w *enginev1.Wait, element string) bool { return element == ev.Element && w.DueMs == ev.DueMs }); waits {
			return func() {
				p.at(ev.DueMs)
				p.fireUntil(func(o *enginev1.Event) bool {
					return o.Kind == ev.Kind && o.Element == ev.Element && o.DueMs == ev.DueMs
				})
			}
		}
	case enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED:
		if job := p.jobFor(in); job != nil && job.State == enginev1.JobState_JOB_STATE_WAITING {
			return func() {
				p.fireUntil(func(o *enginev1.Event) bool { return o.Kind == ev.Kind && o.Job == job.N })
			}
		}
	case enginev1.EventKind_EVENT_KIND_USER_TASK_COMPLETED:
		if task := find(p, engine.TableUserTask, func(t *enginev1.UserTask) bool { return t.Element == ev.Element }); task != nil {
			return func() {
				p.apply(&enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
					Payment: p.payment, Task: task.N, Variables: ev.Variables, Actor: by(ev),
				}}})
			}
		}
	}
	return p.act(in)
}

// act finds what an operator's act is done to.
func (p *player) act(in *input) func() {
	ev := in.event
	switch ev.Kind {
	case enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED:
		open := find(p, engine.TableIncident, func(i *enginev1.Incident) bool {
			return i.Element == ev.Element && i.Code == ev.Code && (ev.Job == 0 || p.made[i.Job] == in.job || !p.same)
		})
		if open == nil {
			return nil
		}
		return func() {
			p.apply(&enginev1.Command{Verb: &enginev1.Command_ResolveIncident{ResolveIncident: &enginev1.ResolveIncident{
				Payment: p.payment, Incident: open.N, Variables: in.with, Retries: mostRetries, Actor: by(ev),
			}}})
		}
	case enginev1.EventKind_EVENT_KIND_JOB_RETRIED:
		job := find(p, engine.TableJob, func(j *enginev1.Job) bool { return p.made[j.N] == in.job })
		if job == nil {
			return nil
		}
		return func() {
			if job.State == enginev1.JobState_JOB_STATE_READY {
				// Its connector had put it to sleep, which is not run again.
				p.apply(&enginev1.Command{Verb: &enginev1.Command_Sleep{Sleep: &enginev1.Sleep{
					DurationMs: lifetimeMS,
					Origin:     &enginev1.Origin{Payment: p.payment, Job: job.N, Attempt: job.Attempt, Epoch: epoch, Ordinal: 1},
				}}})
			}
			p.apply(&enginev1.Command{Verb: &enginev1.Command_RetryJob{RetryJob: &enginev1.RetryJob{
				Payment: p.payment, Job: job.N, Retries: mostRetries, Actor: by(ev),
			}}})
		}
	case enginev1.EventKind_EVENT_KIND_VARIABLES_SET:
		token := uint32(0)
		if ev.Token != 0 {
			if token = p.tokenAt(ev.Element, ev.Token); token == 0 {
				return nil
			}
		}
		return func() {
			p.apply(&enginev1.Command{Verb: &enginev1.Command_SetVariables{SetVariables: &enginev1.SetVariables{
				Payment: p.payment, Token: token, Variables: ev.Variables, Actor: by(ev),
			}}})
		}
	case enginev1.EventKind_EVENT_KIND_TOKEN_MOVED:
		if token := p.tokenAt(ev.Name, ev.Token); token != 0 {
			return func() {
				p.apply(&enginev1.Command{Verb: &enginev1.Command_MoveToken{MoveToken: &enginev1.MoveToken{
					Payment: p.payment, Token: token, Element: ev.Element, Actor: by(ev),
				}}})
			}
		}
	case enginev1.EventKind_EVENT_KIND_PAYMENT_CANCELLING, enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED:
		return func() {
			p.apply(&enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
				Payment: p.payment, Compensate: ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_CANCELLING, Actor: by(ev),
			}}})
		}
	}
	return nil
}

// by is who acted, as far as the payment's own events say.
func by(ev *enginev1.Event) *enginev1.Actor {
	if ev.Actor.GetName() != "" {
		return ev.Actor
	}
	return &enginev1.Actor{Name: "unnamed", Reason: "replay"}
}

// find is the first row of the payment in a table that is wanted; nil: none.
func find[T any, R interface {
	*T
	engine.Row
}](p *player, table engine.Table, wanted func(R) bool) R {
	var found R
	p.tx.Ascend(engine.Key{Table: table, A: p.payment}, func(k engine.Key, row engine.Row) bool {
		if r := row.(R); k.A == p.payment && found == nil && wanted(r) {
			found = r
		}
		return k.A == p.payment && found == nil
	})
	return found
}

// jobFor is the job that an outcome belongs to: the same job of the same element, or,
// where this flow has no such element, one of the same type.
func (p *player) jobFor(in *input) *enginev1.Job {
	open := func(j *enginev1.Job) bool { return j.State != enginev1.JobState_JOB_STATE_INCIDENT }
	job := find(p, engine.TableJob, func(j *enginev1.Job) bool { return open(j) && p.made[j.N] == in.job })
	if job == nil && !p.knows(in.event.Element) {
		job = find(p, engine.TableJob, func(j *enginev1.Job) bool { return open(j) && j.Type == in.event.Type })
	}
	return job
}

// knows tells whether this version of the flow has the element.
func (p *player) knows(element string) bool {
	_, known := p.process.Element(element)
	return known
}

// finish ends a job's attempt as it ended then.
func (p *player) finish(job *enginev1.Job, in *input) {
	for i := 0; job != nil && job.State == enginev1.JobState_JOB_STATE_WAITING && i < mostFired; i++ {
		p.at(job.DueMs)
		p.fire(1)
		job = find(p, engine.TableJob, func(j *enginev1.Job) bool { return j.N == job.N })
	}
	if job == nil {
		return
	}
	ev := in.event
	if row := p.instance(); row != nil {
		variables, flow := engine.Visible(row, job.Token)
		p.attempts = append(p.attempts, Attempt{
			Ended: ev, Variables: variables, Flow: flow, Headers: job.Headers, Retries: job.Retries, StartedMS: row.StartedMs,
		})
	}
	c := &enginev1.FinishJob{Origin: &enginev1.Origin{Payment: p.payment, Job: job.N, Attempt: job.Attempt, Epoch: epoch}}
	switch ev.Kind {
	case enginev1.EventKind_EVENT_KIND_JOB_COMPLETED:
		c.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: ev.Variables}}
	case enginev1.EventKind_EVENT_KIND_JOB_FAILED:
		p.spare(job, in)
		fail := &enginev1.Fail{Code: ev.Code, Reason: ev.Text, Retryable: !in.final}
		if ev.DueMs != 0 {
			fail.BackoffMs = ev.DueMs - ev.TimeMs
		}
		c.Outcome = &enginev1.FinishJob_Fail{Fail: fail}
	case enginev1.EventKind_EVENT_KIND_JOB_ERROR:
		c.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: ev.Code, Message: ev.Text, Variables: ev.Variables}}
	default:
		c.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{Key: ev.Key, Reason: ev.Text}}
	}
	p.apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: c}})
}

// subscribed finds the key under which the payment waits for a message: at the same
// element, or, where this flow has no such element, anywhere.
func (p *player) subscribed(ev *enginev1.Event) (key string, found bool) {
	w, found := p.wait(func(w *enginev1.Wait, element string) bool {
		return w.Name == ev.Type && (element == ev.Element || !p.knows(ev.Element))
	})
	if !found {
		return "", false
	}
	return w.Key, true
}

func (p *player) listens(ev *enginev1.Event) bool {
	_, found := p.wait(func(w *enginev1.Wait, element string) bool {
		return w.Signal == ev.Type && (element == ev.Element || !p.knows(ev.Element))
	})
	return found
}

// wait finds something the payment waits for, by the id of the event that would fire.
func (p *player) wait(wanted func(w *enginev1.Wait, element string) bool) (*enginev1.Wait, bool) {
	row := p.instance()
	look := func(waits []*enginev1.Wait, scope uint32) *enginev1.Wait {
		for _, w := range waits {
			if wanted(w, p.elementID(row, scope, w.Element)) {
				return w
			}
		}
		return nil
	}
	for _, t := range row.Tokens {
		if w := look(t.Waits, t.Scope); w != nil {
			return w, true
		}
	}
	for _, s := range row.Scopes {
		if w := look(s.Waits, s.N); w != nil {
			return w, true
		}
	}
	return nil, false
}

// tokenAt is a token that stands at an element, the one of the same number if there
// is one: the same life numbers its tokens alike. 0: none.
func (p *player) tokenAt(element string, number uint32) uint32 {
	row, found := p.instance(), uint32(0)
	for _, t := range row.Tokens {
		if p.elementID(row, t.Scope, t.Element) == element && (found == 0 || t.N == number) {
			found = t.N
		}
	}
	return found
}

// elementID is the id of an element by its index in the flow that a scope belongs to.
func (p *player) elementID(row *enginev1.Instance, scope, index uint32) string {
	for {
		i := slices.IndexFunc(row.Scopes, func(s *enginev1.Scope) bool { return s.N == scope })
		if i < 0 {
			return ""
		}
		s := row.Scopes[i]
		if s.Flow == "" {
			scope = s.Parent
			continue
		}
		process := p.process
		if s.Parent != 0 {
			process = p.calledProcess(s.Flow, s.FlowVersion)
		}
		if process == nil || int(index) >= len(process.Elements) {
			return ""
		}
		return process.Elements[index].ID
	}
}

// ownTimer is when the next timer is due that the recorded life did not have. One
// that it had and that did not fire was taken away in time; it fires here only when
// nothing else can happen any more, and never in the recorded version.
func (p *player) ownTimer(nothingElse bool) (due int64, own bool) {
	if p.same {
		return 0, false
	}
	p.wait(func(w *enginev1.Wait, element string) bool {
		if !nothingElse && p.timers[timer{element, w.DueMs}] {
			return false
		}
		told := slices.ContainsFunc(p.inputs, func(in *input) bool {
			return in.event.Kind == enginev1.EventKind_EVENT_KIND_TIMER_FIRED && in.event.Element == element && in.event.DueMs == w.DueMs
		})
		if w.DueMs != 0 && !told && (!own || w.DueMs < due) {
			due, own = w.DueMs, true
		}
		return false
	})
	return due, own
}

// fireUntil fires timers that are due one by one until the wanted event comes. It
// reports whether it came.
func (p *player) fireUntil(wanted func(*enginev1.Event) bool) bool {
	for range mostFired {
		from := len(p.events)
		res := p.fire(1)
		if slices.ContainsFunc(p.events[from:], wanted) {
			return true
		}
		if res.Reply.Value == 0 {
			return false
		}
	}
	return false
}

// wants are what the payment stands still for.
func (p *player) wants() []Want {
	if p.instance() == nil {
		return nil
	}
	var wants []Want
	each(p, engine.TableJob, func(j *enginev1.Job) {
		if j.State != enginev1.JobState_JOB_STATE_INCIDENT {
			wants = append(wants, Want{Element: j.Element, What: "job", Of: j.Type})
		}
	})
	each(p, engine.TableUserTask, func(t *enginev1.UserTask) {
		wants = append(wants, Want{Element: t.Element, What: "user task", Of: t.Name})
	})
	each(p, engine.TableIncident, func(i *enginev1.Incident) {
		wants = append(wants, Want{Element: i.Element, What: "incident", Of: strings.TrimSpace(i.Code + " " + i.Text)})
	})
	p.wait(func(w *enginev1.Wait, element string) bool {
		switch {
		case w.DueMs != 0:
			wants = append(wants, Want{Element: element, What: "timer", DueMS: w.DueMs})
		case w.Signal != "":
			wants = append(wants, Want{Element: element, What: "signal", Of: w.Signal})
		default:
			wants = append(wants, Want{Element: element, What: "message", Of: w.Name})
		}
		return false
	})
	return wants
}

func each[T any, R interface {
	*T
	engine.Row
}](p *player, table engine.Table, visit func(R)) {
	find(p, table, func(r R) bool {
		visit(r)
		return false
	})
}
