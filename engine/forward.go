package engine

import (
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A forwarded frame is stored until its counterparty has acknowledged it. Every link
// has a queue, and the leader sends its first frame again and again; the others wait
// behind it, for counterparties care about the order. What is not acknowledged by its
// time, or cannot be sent at all, is parked: it no longer holds up those behind it,
// and a person lines it up again or drops it.

// versionForward is the engine's version from which on frames are forwarded; with no
// frame in any queue the other commands change nothing.
const versionForward = 2

func linkSubject(tenant, connector, link string) string {
	return tenant + "\x00" + connector + "\x00" + link
}

// ForwardQueueKey is the key of a link's queue.
func ForwardQueueKey(tenant, connector, link string) Key {
	return Key{Table: TableForwardQueue, S: linkSubject(tenant, connector, link)}
}

// ForwardKey is the key of a frame of a link's queue.
func ForwardKey(tenant, connector, link string, n uint64) Key {
	return Key{Table: TableForward, S: linkSubject(tenant, connector, link), A: n}
}

// forwardQueue is a link's queue while a command works on it.
type forwardQueue struct {
	a       *application
	subject string // tenant 00 connector 00 link
	row     *enginev1.ForwardQueue
}

func (a *application) forwardQueue(subject string) *forwardQueue {
	q := &forwardQueue{a: a, subject: subject, row: &enginev1.ForwardQueue{First: 1, Next: 1}}
	if row, found := get[*enginev1.ForwardQueue](a, Key{Table: TableForwardQueue, S: subject}); found {
		q.row = copyOf(row)
	}
	return q
}

func (q *forwardQueue) key(n uint64) Key { return Key{Table: TableForward, S: q.subject, A: n} }

func (q *forwardQueue) frame(n uint64) *enginev1.ForwardedFrame {
	row, found := get[*enginev1.ForwardedFrame](q.a, q.key(n))
	if !found {
		return nil
	}
	return copyOf(row)
}

// save writes the queue back and tells the leader to look at it.
func (q *forwardQueue) save() {
	q.a.put(Key{Table: TableForwardQueue, S: q.subject}, q.row)
	q.a.hint(Hint{Kind: HintForward, Subject: q.subject})
}

// append lines a frame up at the end. Its timer's place is that of the event which is
// told next.
func (q *forwardQueue) append(f *enginev1.ForwardedFrame) {
	f.N, f.State, f.Reason = q.row.Next, enginev1.ForwardState_FORWARD_STATE_WAITING, ""
	f.Timer = q.a.position()
	q.row.Next++
	q.row.Waiting++
	q.row.Bytes += uint64(len(f.Data))
	q.a.put(q.key(f.N), f)
	q.a.addTimer(f.UntilMs, dueOfMessages|f.Timer, &enginev1.Due{
		Kind: enginev1.TimerKind_TIMER_KIND_FORWARD, Subject: q.subject, Message: f.N,
	})
}

// leave takes a frame out of those that wait; the next one is the first then.
func (q *forwardQueue) leave(f *enginev1.ForwardedFrame) {
	q.row.Waiting--
	q.a.removeTimer(f.UntilMs, dueOfMessages|f.Timer, enginev1.TimerKind_TIMER_KIND_FORWARD, 0)
	f.Timer = 0
	if f.N != q.row.First {
		return
	}
	q.row.First = q.row.Next
	q.a.tx.Ascend(q.key(f.N+1), func(k Key, r Row) bool {
		if k.S != q.subject {
			return false
		}
		if r.(*enginev1.ForwardedFrame).State == enginev1.ForwardState_FORWARD_STATE_WAITING {
			q.row.First = k.A
			return false
		}
		return true
	})
}

// remove forgets a frame, wherever it was.
func (q *forwardQueue) remove(f *enginev1.ForwardedFrame) {
	if f.State == enginev1.ForwardState_FORWARD_STATE_WAITING {
		q.leave(f)
	} else {
		q.row.Parked--
	}
	q.row.Bytes -= uint64(len(f.Data))
	q.a.delete(q.key(f.N))
}

// park takes a frame that waits out of the way of those behind it.
func (q *forwardQueue) park(f *enginev1.ForwardedFrame, code, reason string) *enginev1.Event {
	q.leave(f)
	q.row.Parked++
	f.State, f.Reason = enginev1.ForwardState_FORWARD_STATE_PARKED, reason
	q.a.put(q.key(f.N), f)
	q.save()
	parked := q.event(enginev1.EventKind_EVENT_KIND_FORWARD_PARKED, f)
	parked.Code, parked.Text = code, reason
	return q.a.tellOf(f.Payment, parked)
}

func (q *forwardQueue) event(kind enginev1.EventKind, f *enginev1.ForwardedFrame) *enginev1.Event {
	tenant, connector, link := splitCorrelation(q.subject)
	return &enginev1.Event{
		Kind: kind, Tenant: tenant, Type: connector, Endpoint: link, Key: f.Key, Value: f.N,
	}
}

// forward puts a frame at the end of a link's queue.
func (a *application) forward(c *enginev1.Forward) *enginev1.Event {
	if c.Origin == nil {
		a.refuse(CodeBadCommand, "Only a job forwards frames: its history keeps it from doing so twice.")
	}
	if a.meta.Version < versionForward {
		a.refuse(CodeBadCommand, "Frames are forwarded from version 2 of the engine on; an operator switches to it when all nodes know it.")
	}
	return a.asEffect(c.Origin, func(job *enginev1.Job) *enginev1.Event { return a.forwardOnce(c, job) })
}

func (a *application) forwardOnce(c *enginev1.Forward, job *enginev1.Job) *enginev1.Event {
	if c.Link == "" || strings.Contains(c.Link, "\x00") || len(c.Link) > limitEffectKey {
		a.refuse(CodeBadCommand, "A frame is forwarded to a link, whose name has at most 200 bytes.")
	}
	if c.Key == "" || len(c.Key) > limitEffectKey {
		a.refuse(CodeBadCommand, "A forwarded frame has the match key of its acknowledgement, of at most 200 bytes.")
	}
	if len(c.Data) == 0 || len(c.Data) > limitFrame {
		a.refuse(CodeTooLarge, "A forwarded frame has from 1 byte to 1 MiB.")
	}
	until := a.forwardUntil(c.UntilMs)
	q := a.forwardQueue(linkSubject(job.Tenant, job.Connector, c.Link))
	if q.row.Waiting+q.row.Parked >= limitForwards || q.row.Bytes+uint64(len(c.Data)) > limitForwardBytes {
		a.refuse(CodeQueueFull, "The queue of link "+quote(c.Link)+" is full: 10,000 frames and 64 MiB at most wait or are parked.")
	}
	frame := &enginev1.ForwardedFrame{
		Key: c.Key, Data: c.Data, QueuedMs: a.stamp.TimeMS, UntilMs: until, Payment: job.Payment,
	}
	q.append(frame)
	q.save()
	queued := q.event(enginev1.EventKind_EVENT_KIND_FORWARD_QUEUED, frame)
	queued.Element, queued.Job, queued.Attempt = job.Element, job.N, job.Attempt
	queued.DueMs, queued.Request = until, c.Data
	return a.tellOf(job.Payment, queued)
}

// forwardUntil is until when a frame is sent: three days, unless something else is
// said.
func (a *application) forwardUntil(ms int64) int64 {
	if ms == 0 {
		return a.stamp.TimeMS + forwardForMS
	}
	if ms <= a.stamp.TimeMS || ms > a.stamp.TimeMS+limitSleepMS {
		a.refuse(CodeBadCommand, "A frame is forwarded until a time within the next 366 days.")
	}
	return ms
}

// forwarded takes what the leader says became of a frame. An acknowledgement counts
// for one that has been parked since, too: it is a fact.
func (a *application) forwarded(c *enginev1.Forwarded) *enginev1.Event {
	if c.Epoch != a.meta.Epoch {
		a.refuse(CodeStale, "The result comes from an earlier leader.")
	}
	q := a.forwardQueue(linkSubject(c.Tenant, c.Connector, c.Link))
	f := q.frame(c.N)
	if f == nil {
		a.refuse(CodeStale, "The frame is no longer in the queue.")
	}
	switch c.State {
	case enginev1.ForwardState_FORWARD_STATE_ACKNOWLEDGED:
		if len(c.Answer) > limitFrame {
			a.refuse(CodeTooLarge, "An acknowledgement has at most 1 MiB.")
		}
		q.remove(f)
		q.save()
		done := q.event(enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED, f)
		done.Answer = c.Answer
		return a.tellOf(f.Payment, done)
	case enginev1.ForwardState_FORWARD_STATE_PARKED:
		if f.State != enginev1.ForwardState_FORWARD_STATE_WAITING {
			a.refuse(CodeStale, "The frame is parked already.")
		}
		return q.park(f, ForwardUndeliverable, clip(c.Reason))
	}
	a.refuse(CodeBadCommand, "A frame is acknowledged or parked.")
	return nil
}

// forwardOver parks a frame whose time is over.
func (a *application) forwardOver(d *enginev1.Due) {
	q := a.forwardQueue(d.Subject)
	f := q.frame(d.Message)
	if f == nil || f.State != enginev1.ForwardState_FORWARD_STATE_WAITING || f.UntilMs > a.stamp.TimeMS {
		return
	}
	q.park(f, ForwardExpired, "It was not acknowledged in time.")
}

// releaseForward lines a parked frame up again, at the end, or drops it.
func (a *application) releaseForward(c *enginev1.ReleaseForward) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	a.mustBeTenant(c.Tenant)
	q := a.forwardQueue(linkSubject(c.Tenant, c.Connector, c.Link))
	f := q.frame(c.N)
	if f == nil {
		a.refuse(CodeForwardUnknown, "The link's queue has no such frame.")
	}
	if f.State != enginev1.ForwardState_FORWARD_STATE_PARKED {
		a.refuse(CodeForwardWaiting, "The frame is not parked: it is still to be sent.")
	}
	old := f.N
	q.remove(f)
	act, code := actReleaseForward, ""
	if c.Drop {
		act, code = actDropForward, "dropped"
		f.State = enginev1.ForwardState_FORWARD_STATE_DROPPED
	} else {
		f.UntilMs = a.forwardUntil(c.UntilMs)
		q.append(f)
	}
	q.save()
	ev := q.event(enginev1.EventKind_EVENT_KIND_FORWARD_RELEASED, f)
	ev.Number, ev.Code, ev.Actor = uint32(old), code, c.Actor
	if c.Drop {
		ev.Value = 0
	} else {
		ev.DueMs = f.UntilMs
	}
	released := a.tellOf(f.Payment, ev)
	a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: act, Tenant: c.Tenant, Payment: released.Payment,
		Name: c.Connector, Endpoint: c.Link, Key: f.Key, Number: uint32(old), Actor: c.Actor,
	})
	return released
}

// tellOf puts an event on a payment's timeline, be it over; where the payment is none
// or past its retention, the event is the tenant's.
func (a *application) tellOf(payment uint64, ev *enginev1.Event) *enginev1.Event {
	if p := a.load(payment); p != nil {
		return p.tell(ev)
	}
	if row, found := get[*enginev1.Receipt](a, receiptKey(payment)); found {
		receipt := copyOf(row)
		receipt.LastSeq++
		a.put(receiptKey(payment), receipt)
		ev.Payment, ev.Seq, ev.Tenant = payment, receipt.LastSeq, receipt.Tenant
	}
	return a.tell(ev)
}
