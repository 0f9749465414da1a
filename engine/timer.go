package engine

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Timers are rows ordered by the instant they are due; firing them is a command.
// A timer never fires early by the stamp, and late under load.

// These stand where a payment stands in a timer's key: dueOfMessages with the
// position of a message or a broadcast, which is never 1, and dueOfStarts.
const (
	dueOfMessages = 1 << 63
	dueOfStarts   = 1<<63 | 1
)

func timerKey(dueMS int64, owner uint64) Key {
	return Key{Table: TableTimer, A: uint64(max(dueMS, 0)), B: owner}
}

func (a *application) addTimer(dueMS int64, owner uint64, d *enginev1.Due) {
	k := timerKey(dueMS, owner)
	row := &enginev1.Timer{}
	if old, found := get[*enginev1.Timer](a, k); found {
		row.Due = append(row.Due, old.Due...)
	}
	row.Due = append(row.Due, d)
	a.put(k, row)
	a.hint(Hint{Kind: HintTimer, Payment: owner, DueMS: dueMS})
}

func (a *application) removeTimer(dueMS int64, owner uint64, kind enginev1.TimerKind, n uint32) {
	k := timerKey(dueMS, owner)
	old, found := get[*enginev1.Timer](a, k)
	if !found {
		return
	}
	row := &enginev1.Timer{Due: slices.DeleteFunc(slices.Clone(old.Due), func(d *enginev1.Due) bool {
		return d.Kind == kind && d.N == n
	})}
	if len(row.Due) == 0 {
		a.delete(k)
	} else {
		a.put(k, row)
	}
}

// fireTimers fires timers that are due at the stamp, oldest first, up to the
// limit. The reply says how many fired and when the next one is due (0: none).
func (a *application) fireTimers(c *enginev1.FireTimers) *enginev1.Event {
	limit := int(min(max(c.Limit, 1), 10_000))
	var due []Key
	a.tx.Ascend(Key{Table: TableTimer}, func(k Key, _ Row) bool {
		if int64(k.A) > a.stamp.TimeMS || len(due) == limit {
			return false
		}
		due = append(due, k)
		return true
	})
	fired := uint32(0)
	for _, k := range due {
		row, found := get[*enginev1.Timer](a, k)
		if !found {
			continue // closed by one that fired before it
		}
		a.delete(k)
		for _, d := range row.Due {
			a.fire(k, d)
			fired++
		}
	}
	reply := a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_TIMERS_FIRED, Value: uint64(fired)})
	a.tx.Ascend(Key{Table: TableTimer}, func(k Key, _ Row) bool {
		reply.DueMs = int64(k.A)
		return false
	})
	return reply
}

// fire wakes whoever set the timer. One payment that cannot be woken is
// quarantined; the others do not notice.
func (a *application) fire(k Key, d *enginev1.Due) {
	f := a.guard(func() {
		switch d.Kind {
		case enginev1.TimerKind_TIMER_KIND_WAIT:
			a.wakeWait(k.B, d.N)
		case enginev1.TimerKind_TIMER_KIND_JOB:
			a.wakeJob(k.B, d.N)
		case enginev1.TimerKind_TIMER_KIND_MESSAGE:
			a.expireMessage(d)
		case enginev1.TimerKind_TIMER_KIND_START:
			a.startByTimer(d)
		case enginev1.TimerKind_TIMER_KIND_SIGNAL:
			a.deliverSignal(d.Message)
		case enginev1.TimerKind_TIMER_KIND_MESSAGE_START:
			a.startHeldBack(d)
		case enginev1.TimerKind_TIMER_KIND_FORWARD:
			a.forwardOver(d)
		}
	})
	if f != nil && k.B < dueOfMessages {
		f.payment = k.B
		a.quarantine(f)
		if d.Kind == enginev1.TimerKind_TIMER_KIND_WAIT {
			// The payment still waits for this timer.
			a.guard(func() { a.wakeWait(k.B, d.N) })
		}
	}
}

func (a *application) wakeWait(payment uint64, n uint32) {
	p := a.load(payment)
	if p == nil {
		return
	}
	h, w := p.findWait(n)
	if w == nil {
		return
	}
	if p.quarantined() {
		// Look again when an operator may have resolved the incident.
		p.rearm(w, a.stamp.TimeMS+60_000)
		return
	}
	f := p.flowOf(p.body(h.from()))
	el := &f.process.Elements[w.Element]
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_TIMER_FIRED, Element: el.ID, Name: el.Name,
		Token: h.n(), DueMs: w.DueMs,
	})
	p.trigger(f, h, w, nil)
	p.run()
}

// waitUntil works out when a timer event is due and sets its timer.
func (p *payment) waitUntil(h holder, el *bpmn.Element, w *enginev1.Wait) error {
	at, err := el.Timer.Schedule(p.see(h.from()), p.a.stamp.TimeMS)
	if err != nil {
		return err
	}
	w.Repetitions = repetitions(at)
	p.rearm(w, at.DueMS)
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_TIMER_SET, Element: el.ID, Name: el.Name, Token: h.n(), DueMs: at.DueMS,
	})
	return nil
}

// rearm sets the timer of a wait. The wait belongs to this command's copy of the
// token, so it may be changed.
func (p *payment) rearm(w *enginev1.Wait, due int64) {
	w.DueMs = max(due, 1) // 0 is no timer
	p.a.addTimer(w.DueMs, p.row.Payment, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_WAIT, N: w.N})
}

// unlimited is how a cycle without a count is kept in Wait.repetitions.
const unlimited = 1<<32 - 1

func repetitions(at bpmn.Schedule) uint32 {
	if at.Repeat < 0 || at.Repeat >= unlimited {
		return unlimited
	}
	return uint32(at.Repeat)
}

// startTimers sets the start timers of a new flow version; those of older
// versions find themselves outdated when they fire.
func (a *application) startTimers(tenant string, p *bpmn.Process, version uint32) {
	for _, i := range p.TimerStart {
		el := &p.Elements[i]
		at, err := el.Timer.Schedule(stampOnly(a.stamp.TimeMS), a.stamp.TimeMS)
		if err != nil {
			a.refuse(CodeFlowRefused, el.ID+": the start timer cannot be set: "+err.Error()+".")
		}
		a.addTimer(at.DueMS, dueOfStarts, &enginev1.Due{
			Kind: enginev1.TimerKind_TIMER_KIND_START, N: version, Repetitions: repetitions(at),
			Subject: tenant + "\x00" + p.ID + "\x00" + el.ID,
		})
	}
}

// stampOnly is the sight of an expression outside any payment: the time.
type stampOnly int64

func (stampOnly) Lookup(string) (feel.Value, bool) { return feel.Null, false }

// NowMS implements feel.Clock.
func (s stampOnly) NowMS() int64 { return int64(s) }

// startByTimer starts a flow by its timer start event and sets the next instant
// of a cycle: one interval from now, so that an overdue cycle starts once.
func (a *application) startByTimer(d *enginev1.Due) {
	tenant, id, element := splitCorrelation(d.Subject)
	latest, found := get[*enginev1.FlowLatest](a, latestKey(tenant, id))
	if !found || latest.Version != d.N || !a.declared(tenant, id) {
		return
	}
	f := a.flow(tenant, id, d.N)
	if f == nil {
		return
	}
	el, found := f.process.Element(element)
	if !found {
		return
	}
	if now := a.stamp.TimeMS; d.Repetitions > 0 {
		if at, err := el.Timer.Schedule(stampOnly(now), now); err == nil {
			if due, ok := at.Next(now); ok {
				next := copyOf(d)
				if next.Repetitions != unlimited {
					next.Repetitions--
				}
				a.addTimer(due, dueOfStarts, next)
			}
		}
	}
	a.startFrom(f, tenant, el.Index, nil, "")
}

// splitCorrelation takes a three-part name apart.
func splitCorrelation(s string) (first, second, third string) {
	first, rest, _ := strings.Cut(s, "\x00")
	second, third, _ = strings.Cut(rest, "\x00")
	return first, second, third
}
