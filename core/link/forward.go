package link

import (
	"context"
	"errors"
	"time"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// forward sends the link's queue of forwarded frames: the first one, again and again,
// until its acknowledgement is in the log; then the next. The rows say what the first
// is, so a new leader goes on where the last one was. A counterparty may therefore get
// a frame more than once, and never two in another order than the queue's.
func (k *link) forward(ctx context.Context) {
	for ctx.Err() == nil {
		first, held, err := k.firstForward()
		if err != nil {
			k.log.Error("the queue of forwarded frames cannot be read", "err", err)
			sleep(ctx, lookEvery)
			continue
		}
		if first == nil || held {
			// A release of effects is told as a changed configuration.
			select {
			case <-k.queued:
			case <-ctx.Done():
			}
			continue
		}
		k.forwardOne(ctx, first)
	}
}

// firstForward is the frame that is to be sent; nil: none waits. held says that outside
// effects wait for an operator.
func (k *link) firstForward() (first *enginev1.ForwardedFrame, held bool, err error) {
	err = k.Log.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
			held = row.(*enginev1.Meta).EffectsHeld
		}
		row, found := tx.Get(engine.ForwardQueueKey(k.place.Tenant, k.place.Connector, k.place.Link))
		if !found || row.(*enginev1.ForwardQueue).Waiting == 0 {
			return nil
		}
		key := engine.ForwardKey(k.place.Tenant, k.place.Connector, k.place.Link, row.(*enginev1.ForwardQueue).First)
		if row, found := tx.Get(key); found {
			first = row.(*enginev1.ForwardedFrame)
		}
		return nil
	})
	return first, held, err
}

// forwardOne sends a frame until something has become of it.
func (k *link) forwardOne(ctx context.Context, f *enginev1.ForwardedFrame) {
	w, err := k.wait(f.Key, false)
	if err != nil {
		sleep(ctx, pauseMin) // a round trip has the key; it ends
		return
	}
	defer k.leave(f.Key, w)
	for tries := 1; k.still(f); tries++ {
		s, changed := k.current()
		if s == nil {
			select {
			case answer := <-w.answer: // to what an earlier connection carried
				k.settle(ctx, f, enginev1.ForwardState_FORWARD_STATE_ACKNOWLEDGED, answer, "")
				return
			case <-changed:
			case <-k.queued:
			case <-ctx.Done():
				return
			}
			tries--
			continue
		}
		if err := k.Log.CatchUp(ctx); err != nil {
			// Another node may lead, which may be further in the queue.
			if !sleep(ctx, pauseMin) {
				return
			}
			tries--
			continue
		}
		if !k.still(f) {
			return
		}
		if err := s.write(f.Data); unfit(err) {
			k.settle(ctx, f, enginev1.ForwardState_FORWARD_STATE_PARKED, nil, "The link cannot take it: "+err.Error()+".")
			return
		} else if errors.Is(err, errGone) {
			tries--
		} else {
			k.Metrics.forwarded(k.place)
		}
		over := time.NewTimer(k.config.Timeout)
		select {
		case answer := <-w.answer:
			over.Stop()
			k.settle(ctx, f, enginev1.ForwardState_FORWARD_STATE_ACKNOWLEDGED, answer, "")
			return
		case <-over.C:
			if k.config.ForwardTries > 0 && tries >= k.config.ForwardTries {
				k.settle(ctx, f, enginev1.ForwardState_FORWARD_STATE_PARKED, nil, "It was sent as often as the tenant allows, and not acknowledged.")
				return
			}
		case <-s.done:
			over.Stop()
			k.next(ctx, s)
		case <-ctx.Done():
			over.Stop()
			return
		}
	}
}

// still reports whether a frame is the first of those that wait.
func (k *link) still(f *enginev1.ForwardedFrame) bool {
	first, held, err := k.firstForward()
	return err == nil && !held && first != nil && first.N == f.N
}

// settle puts into the log what became of a frame. Until that has succeeded nothing
// else is forwarded: an acknowledgement that is lost here costs one more sending.
func (k *link) settle(ctx context.Context, f *enginev1.ForwardedFrame, state enginev1.ForwardState, answer []byte, reason string) {
	cmd := &enginev1.Command{Verb: &enginev1.Command_Forwarded{Forwarded: &enginev1.Forwarded{
		Tenant: k.place.Tenant, Connector: k.place.Connector, Link: k.place.Link,
		N: f.N, State: state, Answer: answer, Reason: reason, Epoch: k.epoch,
	}}}
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		reply, err := k.Log.Propose(ctx, cmd)
		switch {
		case err == nil && reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED:
			return
		case err == nil && reply.Code == engine.CodeStale:
			return // somebody settled it before, or a later leader will
		case err == nil:
			k.log.Error("the engine refuses what became of a forwarded frame", "n", f.N, "code", reply.Code, "text", reply.Text)
		case ctx.Err() == nil:
			k.log.Warn("what became of a forwarded frame is not in the log yet", "n", f.N, "err", err)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}
