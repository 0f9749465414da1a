package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/link/framing"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// waiter waits for the frame that has its match key.
type waiter struct{ answer chan []byte } // holds one

// errTaken says that another frame waits under the match key: which of them an answer
// is for could not be told.
var errTaken = errors.New("another frame waits for an answer with this match key")

// wait registers a match key. bound says that the number of round trips at once counts.
func (k *link) wait(key string, bound bool) (*waiter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting[key] != nil {
		return nil, errTaken
	}
	if bound && len(k.waiting) >= k.config.Outstanding {
		return nil, fmt.Errorf("%d round trips wait for answers, and no more may", k.config.Outstanding)
	}
	w := &waiter{answer: make(chan []byte, 1)}
	k.waiting[key] = w
	return w, nil
}

// leave gives a match key up.
func (k *link) leave(key string, w *waiter) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting[key] == w {
		delete(k.waiting, key)
	}
}

// answer gives a frame to who waits for it, if somebody does.
func (k *link) answer(key string, data []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.waiting[key]
	if w == nil {
		return false
	}
	delete(k.waiting, key)
	w.answer <- data
	return true
}

// Leads says whether the caller's term still lasts. It is asked before every write, for a
// frame may have waited for its link: if this process was stopped meanwhile, the next
// leader may have enquired by now and found that nothing was sent.
type Leads func(context.Context) error

// RoundTrip sends a frame and waits for the one that answers it. The caller has it in
// the log. again says that it may have been sent before. Under the mode keyed it is
// sent again when the connection ends, and once more after silence; under any other it
// is sent once, and the answer may come over a later connection.
//
// The outcome is DONE with the answer; REFUSED, certainly not sent, with a Failure; or
// OPEN without an answer, and a reason.
func (l *Links) RoundTrip(ctx context.Context, at Place, call *sdkv1.RoundTrip, mode enginev1.Mode, again bool, leads Leads) egress.Outcome {
	k := l.find(ctx, at)
	if k == nil {
		return unsent(abi.FailureUnreachable, "the link is not open", again)
	}
	w, err := k.wait(call.MatchKey, true)
	if err != nil {
		code := abi.FailureBusy
		if errors.Is(err, errTaken) {
			code = abi.FailureConflict
		}
		return unsent(code, err.Error(), again)
	}
	defer k.leave(call.MatchKey, w)
	timeout := k.config.Timeout
	if call.TimeoutMs > 0 {
		timeout = min(time.Duration(call.TimeoutMs)*time.Millisecond, timeoutMax)
	}
	out := k.roundTrip(ctx, w, call.Data, timeout, mode, again, leads)
	if out.State == enginev1.EffectState_EFFECT_STATE_OPEN && mode == enginev1.Mode_MODE_KEYED && ctx.Err() == nil {
		out = k.roundTrip(ctx, w, call.Data, timeout, mode, true, leads)
	}
	k.Metrics.roundTrip(k.place, out.State)
	return out
}

// timeoutMax bounds a round trip that a connector wants to last longer.
const timeoutMax = 2 * time.Minute

func (k *link) roundTrip(ctx context.Context, w *waiter, data []byte, timeout time.Duration, mode enginev1.Mode, again bool, leads Leads) egress.Outcome {
	over := time.NewTimer(timeout)
	defer over.Stop()
	sent := false
	for {
		s, changed := k.current()
		var ended <-chan struct{} // of the connection that it was sent over
		if s != nil && (!sent || mode == enginev1.Mode_MODE_KEYED) {
			if err := leads(ctx); err != nil {
				return deposed(err)
			}
			err := s.write(data)
			switch {
			case errors.Is(err, errGone):
			case unfit(err):
				return unsent(unfitCode(err), err.Error(), again)
			default:
				sent = true
			}
			ended = s.done
		}
		if sent && mode != enginev1.Mode_MODE_KEYED {
			ended, changed = nil, nil // it is sent once
		} else if s != nil {
			changed = nil // until this one has ended
		}
		select {
		case answer := <-w.answer:
			return egress.Outcome{
				State:  enginev1.EffectState_EFFECT_STATE_DONE,
				Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: answer}}},
			}
		case <-over.C:
			if !sent {
				return unsent(abi.FailureUnreachable, "the link was not open in time", again)
			}
			return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: "no answer in time"}
		case <-ctx.Done():
			return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: "the round trip was abandoned"}
		case <-ended:
			k.next(ctx, s)
		case <-changed:
		}
	}
}

// next waits until the link has left an ended session behind.
func (k *link) next(ctx context.Context, s *session) {
	for {
		now, changed := k.current()
		if now != s {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Send sends a frame that nothing answers; it is DONE when it is written.
func (l *Links) Send(ctx context.Context, at Place, data []byte, leads Leads) egress.Outcome {
	k := l.find(ctx, at)
	if k == nil {
		return unsent(abi.FailureUnreachable, "the link is not open", false)
	}
	over := time.NewTimer(k.config.Timeout)
	defer over.Stop()
	for {
		s, changed := k.current()
		if s != nil {
			if err := leads(ctx); err != nil {
				return deposed(err)
			}
			err := s.write(data)
			switch {
			case err == nil:
				return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_DONE, Answer: connector.Done()}
			case unfit(err):
				return unsent(unfitCode(err), err.Error(), false)
			case !errors.Is(err, errGone):
				return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: err.Error()}
			}
			k.next(ctx, s)
			continue
		}
		select {
		case <-changed:
		case <-over.C:
			return unsent(abi.FailureUnreachable, "the link was not open in time", false)
		case <-ctx.Done():
			return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: "the frame was abandoned"}
		}
	}
}

// Fit says why a frame cannot be sent over the link at all, with a code of sdk/abi.
func Fit(l *connector.Link, data []byte) (code string, err error) {
	if _, err := l.Framing.Append(nil, data); err != nil {
		return unfitCode(err), err
	}
	return "", nil
}

// unfit reports whether a frame cannot be sent over the link at all.
func unfit(err error) bool {
	return errors.Is(err, framing.ErrEmpty) || errors.Is(err, framing.ErrTooLarge) || errors.Is(err, framing.ErrDelimiter)
}

func unfitCode(err error) string {
	if errors.Is(err, framing.ErrTooLarge) {
		return abi.FailureTooLarge
	}
	return abi.FailureInvalid
}

// deposed is the outcome when it is not known that the term still lasts. What became of
// the frame is for the next leader to find out.
func deposed(err error) egress.Outcome {
	return egress.Outcome{
		State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: "it is not known that this node still leads: " + err.Error(),
	}
}

// unsent is the outcome when nothing left the house. What may have been sent before
// stays in doubt.
func unsent(code, text string, again bool) egress.Outcome {
	if again {
		return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: text}
	}
	return egress.Outcome{
		State: enginev1.EffectState_EFFECT_STATE_REFUSED, Answer: connector.Failure(code, text), Reason: text,
	}
}
