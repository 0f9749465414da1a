package leader

import (
	"context"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/link"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// This file performs what jobs do over TCP links. A frame is in the log before it
// leaves, as an HTTP call is, and no frame is safe: what was sent was sent.

func (a *attempt) linkPlace(name string) link.Place {
	return link.Place{Tenant: a.job.Tenant, Connector: a.job.Connector, Link: name}
}

// sound says what is wrong with a frame for a link, as the failure to give back, if
// anything is.
func (a *attempt) sound(name string, data []byte) (*connector.Link, *sdkv1.Answer) {
	l, err := a.binding.Link(name)
	if err != nil {
		return nil, connector.Failure(abi.FailureEndpoint, err.Error())
	}
	if code, err := link.Fit(l, data); err != nil {
		return nil, connector.Failure(code, err.Error())
	}
	return l, nil
}

// roundTrip sends a frame and waits for the one that answers it.
//
// What an answer means only the connector can read. So one that came for a money
// effect leaves the effect open until the connector settles it with its outcome: that
// it was done, and then whoever asks again gets the answer; or that it was refused.
func (a *attempt) roundTrip(effect *sdkv1.Effect, digest uint64, call *sdkv1.RoundTrip) error {
	l, failure := a.sound(call.Link, call.Data)
	switch {
	case failure != nil:
	case call.MatchKey == "":
		failure = connector.Failure(abi.FailureInvalid, "a round trip has the match key of its answer")
	case (call.Key == "") != (call.Terms == nil):
		failure = connector.Failure(abi.FailureInvalid, "a money effect has both a key and terms")
	}
	if failure != nil {
		a.since(effect, digest, failure)
		return nil
	}
	request, withheld := a.covered(effect)
	intend := &enginev1.Intend{Endpoint: call.Link, Mode: l.Mode, Key: call.Key, Request: request, Withheld: withheld}
	if call.Terms != nil {
		intend.Terms = encode(call.Terms)
	}
	heard := time.Now()
	return a.intend(effect, digest, intend, func(string) egress.Outcome {
		return a.exchangeFrames(call, l.Mode, false, a.leads(heard))
	})
}

// leads asks whether this term still lasts. A majority listened at the time heard, as far
// as the caller knows; zero: he does not.
func (a *attempt) leads(heard time.Time) link.Leads {
	return func(ctx context.Context) error { return a.Log.Confirm(ctx, a.epoch, heard) }
}

func (a *attempt) exchangeFrames(call *sdkv1.RoundTrip, mode enginev1.Mode, again bool, leads link.Leads) egress.Outcome {
	out := a.Links.RoundTrip(a.ctx, a.linkPlace(call.Link), call, mode, again, leads)
	if call.Key != "" && out.State == enginev1.EffectState_EFFECT_STATE_DONE {
		out.State = enginev1.EffectState_EFFECT_STATE_OPEN
		if a.frames == nil {
			a.frames = make(map[string][]byte)
		}
		a.frames[call.Key] = a.coveredAnswer(out.Answer)
	}
	return out
}

// answerFrame is the answer that came for a money effect over a link in this attempt, as
// the log has it; nil: none did.
func (a *attempt) answerFrame(key string) []byte {
	if answer := a.frames[key]; answer != nil {
		return answer
	}
	for _, e := range a.job.History {
		answer := new(sdkv1.Answer)
		if e.Key == key && e.Answered && answer.UnmarshalVT(e.Answer) == nil && answer.GetBytes() != nil {
			return e.Answer
		}
	}
	return nil
}

// send sends a frame that nothing answers.
func (a *attempt) send(effect *sdkv1.Effect, digest uint64, call *sdkv1.Send) error {
	if _, failure := a.sound(call.Link, call.Data); failure != nil {
		a.since(effect, digest, failure)
		return nil
	}
	request, withheld := a.covered(effect)
	intend := &enginev1.Intend{Endpoint: call.Link, Mode: enginev1.Mode_MODE_NEVER, Request: request, Withheld: withheld}
	heard := time.Now()
	return a.intend(effect, digest, intend, func(string) egress.Outcome {
		return a.Links.Send(a.ctx, a.linkPlace(call.Link), call.Data, a.leads(heard))
	})
}
