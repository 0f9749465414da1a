package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// maxDrain is how many commands it may take until nothing is waited for any more.
const maxDrain = 20_000

// Drain gives every payment what it waits for: jobs and user tasks are completed,
// messages and signals come, and time passes, until nothing moves. after runs after
// every command. Then every payment has ended or stands behind an incident; one
// that does neither is the error. Excused are payments behind one that takes all
// their messages, and those whose tokens an operator has moved: where a token is
// missing a join may wait for ever.
func (w *Workload) Drain(after func(engine.Result) error) error {
	d := &drain{Workload: w, given: make(map[string]int)}
	res := w.Apply(&enginev1.Command{Verb: &enginev1.Command_ReleaseEffects{ReleaseEffects: &enginev1.ReleaseEffects{}}})
	for n := 0; ; n++ {
		if err := after(res); err != nil {
			return err
		}
		if n == maxDrain {
			return fmt.Errorf("after %d commands the payments still move", n)
		}
		next := d.next()
		if next == nil {
			break
		}
		res = w.Apply(next)
	}
	var err error
	w.Tx.Ascend(engine.Key{Table: engine.TableInstance}, func(_ engine.Key, row engine.Row) bool {
		in := row.(*enginev1.Instance)
		if len(in.Incidents) == 0 && !w.moved[in.Payment] && !d.behind(in) {
			err = fmt.Errorf("payment %x of flow %s has not ended, waits for nothing and has no incident: %s", in.Payment, in.Flow, w.where(in))
		}
		return err == nil
	})
	return err
}

type drain struct {
	*Workload
	given map[string]int // what came how often: an event that does not interrupt takes it for ever
}

// often is how many times one wait is given what it waits for.
const often = 2

// next is the next command that moves something, or nil.
func (d *drain) next() *enginev1.Command {
	for _, part := range []func() *enginev1.Command{d.job, d.task, d.message, d.signal, d.time} {
		if c := part(); c != nil {
			return c
		}
	}
	return nil
}

func (d *drain) moves(payment uint64) bool {
	row, found := d.Tx.Get(engine.Key{Table: engine.TableInstance, A: payment})
	return found && !row.(*enginev1.Instance).Quarantined
}

func (d *drain) find(table engine.Table, is func(engine.Key, engine.Row) bool) (key engine.Key, row engine.Row) {
	d.Tx.Ascend(engine.Key{Table: table}, func(k engine.Key, r engine.Row) bool {
		if is(k, r) {
			key, row = k, r
		}
		return row == nil
	})
	return key, row
}

func (d *drain) job() *enginev1.Command {
	_, row := d.find(engine.TableJob, func(k engine.Key, r engine.Row) bool {
		return r.(*enginev1.Job).State == enginev1.JobState_JOB_STATE_READY && d.moves(k.A)
	})
	if row == nil {
		return nil
	}
	job := row.(*enginev1.Job)
	return &enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin:  &enginev1.Origin{Payment: job.Payment, Job: job.N, Attempt: job.Attempt, Epoch: d.epoch},
		Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: d.someVariables(job.Element)}},
	}}}
}

func (d *drain) task() *enginev1.Command {
	k, row := d.find(engine.TableUserTask, func(k engine.Key, _ engine.Row) bool { return d.moves(k.A) })
	if row == nil {
		return nil
	}
	return &enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
		Payment: k.A, Task: uint32(k.B), Variables: d.someVariables(row.(*enginev1.UserTask).Element),
		Actor: &enginev1.Actor{Name: "ada", Reason: "drain"},
	}}}
}

// wants notes that a wait is given what it waits for, unless it was often enough.
func (d *drain) wants(payment uint64, wait uint32) bool {
	if !d.moves(payment) {
		return false
	}
	name := fmt.Sprint(payment, " ", wait)
	if d.given[name] >= often {
		return false
	}
	d.given[name]++
	return true
}

func (d *drain) message() *enginev1.Command {
	k, row := d.find(engine.TableCorrelation, func(_ engine.Key, r engine.Row) bool {
		for _, s := range d.takers(r.(*enginev1.Correlation)) {
			if d.wants(s.Payment, s.Wait) {
				return true
			}
		}
		return false
	})
	if row == nil {
		return nil
	}
	parts := strings.SplitN(k.S, "\x00", 3)
	return &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
		Tenant: parts[0], Name: parts[1], Key: parts[2], Variables: d.someVariables(strings.TrimPrefix(parts[1], "m-")),
	}}}
}

func (d *drain) signal() *enginev1.Command {
	k, row := d.find(engine.TableSignal, func(k engine.Key, _ engine.Row) bool { return d.wants(k.A, uint32(k.B)) })
	if row == nil {
		return nil
	}
	tenant, name, _ := strings.Cut(k.S, "\x00")
	return &enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
		Tenant: tenant, Name: name, Variables: d.someVariables(""), Actor: &enginev1.Actor{Name: "ada", Reason: "drain"},
	}}}
}

// time lets it pass until something is due. A payment in quarantine looks every
// minute whether it may go on; that is no movement.
func (d *drain) time() *enginev1.Command {
	k, row := d.find(engine.TableTimer, func(k engine.Key, _ engine.Row) bool { return k.B>>63 == 1 || d.moves(k.B) })
	if row == nil {
		return nil
	}
	d.nowMS = max(d.nowMS, int64(k.A))
	return &enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 50}}}
}

// takers are those who would take a message: of every flow who waits longest.
func (d *drain) takers(row *enginev1.Correlation) []*enginev1.Subscription {
	var first []*enginev1.Subscription
	for _, s := range row.Subscriptions {
		if d.moves(s.Payment) && !slices.ContainsFunc(first, func(f *enginev1.Subscription) bool { return f.Flow == s.Flow }) {
			first = append(first, s)
		}
	}
	return first
}

// behind tells whether a payment waits for a message that an older one takes every
// time, since it waits for it without ever being interrupted.
func (d *drain) behind(in *enginev1.Instance) (behind bool) {
	d.Tx.Ascend(engine.Key{Table: engine.TableCorrelation}, func(_ engine.Key, row engine.Row) bool {
		c := row.(*enginev1.Correlation)
		takers := d.takers(c)
		behind = slices.ContainsFunc(c.Subscriptions, func(s *enginev1.Subscription) bool {
			return s.Payment == in.Payment && !slices.Contains(takers, s)
		})
		return !behind
	})
	return behind
}

// where says on which elements a payment's tokens stand.
func (w *Workload) where(in *enginev1.Instance) string {
	var b strings.Builder
	for _, t := range in.Tokens {
		id := fmt.Sprint("element ", t.Element)
		if p := w.processOf(in, t.Scope); p != nil && int(t.Element) < len(p.Elements) {
			id = p.Elements[t.Element].ID
		}
		fmt.Fprintf(&b, "token %d at %s (joining %v, job %d, waits %d); ", t.N, id, t.Joining, t.Job, len(t.Waits))
	}
	return b.String()
}

// processOf is the flow that a scope runs in.
func (w *Workload) processOf(in *enginev1.Instance, scope uint32) *bpmn.Process {
	for {
		i := slices.IndexFunc(in.Scopes, func(s *enginev1.Scope) bool { return s.N == scope })
		if i < 0 {
			return nil
		}
		if s := in.Scopes[i]; s.Flow != "" {
			return w.process(s.Flow, s.FlowVersion)
		}
		scope = in.Scopes[i].Parent
	}
}

func (w *Workload) process(id string, version uint32) *bpmn.Process {
	row, found := w.Tx.Get(engine.Key{Table: engine.TableFlow, S: "t\x00" + id, A: uint64(version)})
	if !found {
		return nil
	}
	flow := row.(*enginev1.Flow)
	if p := w.parsed[string(flow.Digest)]; p != nil {
		return p
	}
	processes, _ := bpmn.Parse(flow.Xml)
	w.parsed[string(flow.Digest)] = processes[0] // each in a file of its own
	return processes[0]
}
