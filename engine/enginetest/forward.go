package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// forward carries out a script's verb about forwarded frames; nil: there is no such
// verb.
func (e *Env) forward(t *testing.T, d *datadriven.TestData) *enginev1.Command {
	link := func() (tenant, connector, name string) { return arg(d, "tenant"), arg(d, "connector"), arg(d, "link") }
	until := func() int64 {
		if !d.HasArg("for") {
			return 0
		}
		return e.nowMS + seconds(t, d, "for")
	}
	switch d.Cmd {
	case "forward":
		// Puts a frame at the end of a link's queue, at the word of a job.
		// Example: forward payment=p1 job=4 ordinal=1 link=network key=k1 data=frame for=60s
		return &enginev1.Command{Verb: &enginev1.Command_Forward{Forward: &enginev1.Forward{
			Link: arg(d, "link"), Key: arg(d, "key"), Data: []byte(arg(d, "data")),
			UntilMs: until(), Origin: e.optionalOrigin(t, d),
		}}}
	case "forwarded":
		// Says what became of a frame; state is acknowledged or parked.
		// Example: forwarded tenant=greenbank connector=cards link=network n=1 state=acknowledged answer=ok
		c := &enginev1.Forwarded{
			N: uint64(integer(t, d, "n")), Answer: []byte(arg(d, "answer")), Reason: arg(d, "reason"),
			State: enginev1.ForwardState(enginev1.ForwardState_value["FORWARD_STATE_"+strings.ToUpper(arg(d, "state"))]),
			Epoch: uint64(integerOr(d, "epoch", int(e.epoch))),
		}
		c.Tenant, c.Connector, c.Link = link()
		return &enginev1.Command{Verb: &enginev1.Command_Forwarded{Forwarded: c}}
	case "release-forward":
		// Lines a parked frame up again, or drops it.
		// Example: release-forward tenant=greenbank connector=cards link=network n=1 drop
		c := &enginev1.ReleaseForward{
			N: uint64(integer(t, d, "n")), Drop: d.HasArg("drop"), UntilMs: until(), Actor: actor(d),
		}
		c.Tenant, c.Connector, c.Link = link()
		return &enginev1.Command{Verb: &enginev1.Command_ReleaseForward{ReleaseForward: c}}
	}
	return nil
}

// queue shows a link's queue.
func (e *Env) queue(d *datadriven.TestData) string {
	tenant, connector, link := arg(d, "tenant"), arg(d, "connector"), arg(d, "link")
	row, found := e.Tx.Get(engine.ForwardQueueKey(tenant, connector, link))
	if !found {
		return "none"
	}
	q := row.(*enginev1.ForwardQueue)
	lines := []string{fmt.Sprintf("first %d next %d waiting %d parked %d bytes %d", q.First, q.Next, q.Waiting, q.Parked, q.Bytes)}
	from := engine.ForwardKey(tenant, connector, link, 0)
	e.Tx.Ascend(from, func(k engine.Key, row engine.Row) bool {
		if k.S != from.S {
			return false
		}
		f := row.(*enginev1.ForwardedFrame)
		line := fmt.Sprintf("%d %s key=%s until=+%gs", f.N,
			strings.ToLower(strings.TrimPrefix(f.State.String(), "FORWARD_STATE_")), f.Key, float64(f.UntilMs-startMS)/1000)
		if f.Reason != "" {
			line += " (" + f.Reason + ")"
		}
		lines = append(lines, line)
		return true
	})
	return strings.Join(lines, "\n")
}

// forwards checks that queues count what their frames are.
func (c *checker) forwards() {
	counted := make(map[string]*enginev1.ForwardQueue)
	c.each(engine.TableForward, func(k engine.Key, row engine.Row) {
		f := row.(*enginev1.ForwardedFrame)
		q := counted[k.S]
		if q == nil {
			q = &enginev1.ForwardQueue{}
			counted[k.S] = q
		}
		q.Bytes += uint64(len(f.Data))
		switch f.State {
		case enginev1.ForwardState_FORWARD_STATE_WAITING:
			if q.Waiting == 0 {
				q.First = f.N
			}
			q.Waiting++
			if !c.dueAt(f) {
				c.fail("frame %d waits for ever", f.N)
			}
		case enginev1.ForwardState_FORWARD_STATE_PARKED:
			q.Parked++
		default:
			c.fail("frame %d of a queue is %v", f.N, f.State)
		}
		if f.N != k.A {
			c.fail("frame %d has the key of %d", f.N, k.A)
		}
	})
	c.each(engine.TableForwardQueue, func(k engine.Key, row engine.Row) {
		q, real := row.(*enginev1.ForwardQueue), counted[k.S]
		if real == nil {
			real = &enginev1.ForwardQueue{}
		}
		delete(counted, k.S)
		if real.Waiting == 0 {
			real.First = q.Next
		}
		if q.Waiting != real.Waiting || q.Parked != real.Parked || q.Bytes != real.Bytes || q.First != real.First {
			c.fail("a link's queue says %v, its frames %v", q, real)
		}
	})
	if len(counted) > 0 {
		c.fail("frames are forwarded without a queue")
	}
}

// dueAt reports whether a frame's timer stands where the frame says.
func (c *checker) dueAt(f *enginev1.ForwardedFrame) bool {
	_, found := c.tx.Get(engine.Key{Table: engine.TableTimer, A: uint64(f.UntilMs), B: 1<<63 | f.Timer})
	return found
}

// someForward is a frame that a job of a workload forwards.
func (w *Workload) someForward(o *enginev1.Origin) *enginev1.Forward {
	f := &enginev1.Forward{
		Link: "l", Key: fmt.Sprint("f", w.forwards.IntN(100)), Data: []byte("frame"), Origin: o,
	}
	if w.forwards.IntN(2) == 0 {
		f.UntilMs = w.nowMS + int64(w.forwards.IntN(20_000))
	}
	return f
}

// someForwarded picks a frame of the queue, mostly its first; nil: it is empty.
func (w *Workload) someForwarded() *enginev1.ForwardedFrame {
	var some *enginev1.ForwardedFrame
	w.Tx.Ascend(engine.Key{Table: engine.TableForward}, func(_ engine.Key, row engine.Row) bool {
		some = row.(*enginev1.ForwardedFrame)
		return w.forwards.IntN(3) == 0
	})
	return some
}

// forwardCommand is what a leader or an operator may say about a frame.
func (w *Workload) forwardCommand(f *enginev1.ForwardedFrame) engine.Result {
	switch w.forwards.IntN(5) {
	case 0, 1, 2:
		state := enginev1.ForwardState_FORWARD_STATE_ACKNOWLEDGED
		if w.forwards.IntN(3) == 0 {
			state = enginev1.ForwardState_FORWARD_STATE_PARKED
		}
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Forwarded{Forwarded: &enginev1.Forwarded{
			Tenant: "t", Connector: "c", Link: "l", N: f.N, State: state, Answer: []byte("ack"), Reason: "random", Epoch: w.epoch,
		}}})
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ReleaseForward{ReleaseForward: &enginev1.ReleaseForward{
		Tenant: "t", Connector: "c", Link: "l", N: f.N, Drop: w.forwards.IntN(3) == 0, Actor: operator,
	}}})
}
