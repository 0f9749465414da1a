package leader

import (
	"errors"
	"slices"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// errSleeping ends the work on an attempt that sleeps; a timer wakes it.
var errSleeping = errors.New("the job sleeps")

// perform does one effect and adds its answer to the history.
//
//	repeatable (HTTP to a safe endpoint or by a   at once; the answer stays in memory
//	safe method, Query, whatever needs keys)      until the next command carries it
//	other HTTP, RoundTrip, Send                   Intend, then the call, then Answer
//	StartPayment, Publish, Sequence, Emit, Sleep, commands, unique by (job, attempt,
//	Forward, Checkpoint                           ordinal)
func (a *attempt) perform(effect *sdkv1.Effect) error {
	if a.history.last != nil {
		// Asked for side by side with an effect that has just been answered.
		if err := a.commitAnswer(); err != nil {
			return err
		}
	}
	if err := a.cover(effect); err != nil {
		return err
	}
	a.asked = append(a.asked, effect)
	digest := abi.EffectDigest(effect)
	if doubt := a.history.doubt; doubt != nil && doubt.Ordinal == effect.Ordinal {
		if doubt.Digest != a.logDigest(effect.Ordinal, digest) {
			return a.mismatch(&sdkv1.Mismatch{Ordinal: effect.Ordinal, Want: doubt.Digest, Got: digest, Effect: effect})
		}
		a.history.doubt = nil
		return a.inDoubt(doubt.Request, doubt.Mode, a.effectUUID(doubt.Key, doubt.Number, doubt.Ordinal), effect, digest)
	}
	switch k := effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		return a.http(effect, digest, k.Http)
	case *sdkv1.Effect_RoundTrip:
		return a.roundTrip(effect, digest, k.RoundTrip)
	case *sdkv1.Effect_Send:
		return a.send(effect, digest, k.Send)
	case *sdkv1.Effect_Forward:
		if _, failure := a.sound(k.Forward.Link, k.Forward.Data); failure != nil {
			a.since(effect, digest, failure)
			return nil
		}
	case *sdkv1.Effect_Query:
		var answer *sdkv1.QueryAnswer
		err := a.Log.View(func(tx engine.Tx) error {
			answer = connector.Query(tx, a.job.Tenant, a.job.Connector, k.Query)
			return nil
		})
		if err != nil {
			return err
		}
		a.since(effect, digest, &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: answer}})
		return nil
	case *sdkv1.Effect_Checkpoint:
		return a.checkpoint(effect, digest, k.Checkpoint)
	}
	if a.keyed(effect, digest) {
		return nil
	}
	cmd, failure := a.command(effect, digest)
	if failure != nil {
		a.since(effect, digest, failure)
		return nil
	}
	reply, err := a.propose(cmd)
	if err != nil {
		return err
	}
	if reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		return a.refusedEffect(effect, digest, reply)
	}
	a.history.committed()
	if effect.GetSleep() != nil {
		return errSleeping
	}
	a.history.add(effect.Ordinal, digest, reply.TimeMs, connector.ReplyAnswer(reply))
	return nil
}

// since adds the answer of an effect that may be repeated, or that certainly did
// not happen.
func (a *attempt) since(effect *sdkv1.Effect, digest uint64, answer *sdkv1.Answer) {
	a.withhold(a.history.addSince(effect.Ordinal, digest, a.Clock.NowMS(), answer), effect, answer)
}

// command is the log command that an effect stands for, or the failure to give
// back when there is none. Only a job may sleep.
func (a *attempt) command(effect *sdkv1.Effect, digest uint64) (*enginev1.Command, *sdkv1.Answer) {
	origin := a.origin(effect.Ordinal, digest)
	if k := effect.GetSleep(); k != nil {
		return &enginev1.Command{Verb: &enginev1.Command_Sleep{Sleep: &enginev1.Sleep{
			DurationMs: k.GetDurationMs(), Origin: origin,
		}}}, nil
	}
	cmd, failure := connector.Command(effect, a.job.Tenant, a.job.Connector, origin)
	if cmd == nil && failure == nil {
		failure = connector.Failure(abi.FailureUnsupported, "This host does not perform the effect for a job.")
	}
	return cmd, failure
}

// refusedEffect gives the engine's refusal of an effect to the connector, where
// it is about the effect and not about the job.
func (a *attempt) refusedEffect(effect *sdkv1.Effect, digest uint64, reply *enginev1.Event) error {
	switch reply.Code {
	case engine.CodeStale, engine.CodePaymentEnded, engine.CodeQuarantined, engine.CodeInternal, engine.CodeEffectsHeld, engine.CodeConnectorRevoked:
		return a.refused(reply)
	}
	a.since(effect, digest, connector.ReplyAnswer(reply))
	return nil
}

func (a *attempt) checkpoint(effect *sdkv1.Effect, digest uint64, c *sdkv1.Checkpoint) error {
	reply, err := a.propose(&enginev1.Command{Verb: &enginev1.Command_Checkpoint{Checkpoint: &enginev1.Checkpoint{
		State: c.GetState(), Origin: a.origin(effect.Ordinal, digest),
	}}})
	if err != nil {
		return err
	}
	if reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		return a.refusedEffect(effect, digest, reply)
	}
	a.history.committed()
	a.history.restart(effect.Ordinal, digest, reply.TimeMs, c.GetState())
	return nil
}

// http performs a call. Nothing but a call to a safe endpoint leaves the house
// before it is intended.
func (a *attempt) http(effect *sdkv1.Effect, digest uint64, call *sdkv1.Http) error {
	endpoint, err := a.binding.Endpoint(call.Endpoint)
	if err != nil {
		a.since(effect, digest, connector.Failure(abi.FailureEndpoint, err.Error()))
		return nil
	}
	if (call.Key == "") != (call.Terms == nil) {
		a.since(effect, digest, connector.Failure(abi.FailureInvalid, "a money effect has both a key and terms"))
		return nil
	}
	mode := endpoint.Mode()
	if call.Key == "" && (mode == enginev1.Mode_MODE_SAFE || safeMethod(call.Method)) {
		out := a.call(endpoint, call, "", false)
		if a.ctx.Err() != nil {
			return errDropped
		}
		a.since(effect, digest, out.Answer)
		return nil
	}
	request, withheld := a.covered(effect)
	intend := &enginev1.Intend{Endpoint: call.Endpoint, Mode: mode, Key: call.Key, Request: request, Withheld: withheld}
	if call.Terms != nil {
		intend.Terms = encode(call.Terms)
	}
	return a.intend(effect, digest, intend, func(uuid string) egress.Outcome {
		return a.call(endpoint, call, uuid, false)
	})
}

// intend puts an effect into the log and then, unless it has been done or may have
// been, does it under its UUID.
func (a *attempt) intend(effect *sdkv1.Effect, digest uint64, intend *enginev1.Intend, do func(uuid string) egress.Outcome) error {
	intend.Origin = a.origin(effect.Ordinal, digest)
	heard := time.Now()
	reply, err := a.propose(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: intend}})
	if err != nil {
		return err
	}
	if reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED {
		a.history.committed()
		a.learnKey(intend.Key)
	}
	switch reply.Kind {
	case enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED:
		// If this process was stopped since, the next leader may have enquired by now
		// and found that nothing was done. Then nothing must be done any more.
		if err := a.Log.Confirm(a.ctx, a.epoch, heard); err != nil {
			return err
		}
		out := do(reply.Uuid)
		return a.answered(effect, digest, out.State, out.Answer, reply.Uuid, out.Reason)
	case enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED:
		answer := new(sdkv1.Answer)
		if err := answer.UnmarshalVT(reply.Answer); err != nil {
			return err
		}
		if err := a.uncover(answer); err != nil {
			return err
		}
		a.history.add(effect.Ordinal, digest, reply.TimeMs, answer)
		return nil
	case enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT:
		return a.inDoubt(reply.Request, max(reply.Mode, intend.Mode), reply.Uuid, effect, digest)
	}
	return a.refusedEffect(effect, digest, reply)
}

// safeMethod tells whether a request only reads, whatever its endpoint's mode
// (RFC 9110 section 9.2.1): an enquiry at the bank need not be in the log before
// it leaves.
func safeMethod(method string) bool { return method == "GET" || method == "HEAD" }

// inDoubt deals with an effect that may have happened. A keyed endpoint gets the
// stored request again under the same key, which is harmless and brings the
// first answer; any other must not be asked, so the connector has to enquire.
func (a *attempt) inDoubt(request []byte, mode enginev1.Mode, uuid string, effect *sdkv1.Effect, digest uint64) error {
	const open = enginev1.EffectState_EFFECT_STATE_OPEN
	stored := new(sdkv1.Effect)
	if err := stored.UnmarshalVT(request); err != nil {
		return a.answered(effect, digest, open, nil, uuid, "the stored request cannot be read")
	}
	again, least, err := a.repeat(stored, uuid)
	if err != nil {
		return a.answered(effect, digest, open, nil, uuid, err.Error())
	}
	if max(mode, least) > enginev1.Mode_MODE_KEYED || mode == enginev1.Mode_MODE_UNSPECIFIED {
		return a.answered(effect, digest, open, nil, uuid, "no answer came before, and the endpoint may not be asked to do it again")
	}
	if a.meta.EffectsHeld {
		a.history.doubt = nil
		return errParked
	}
	out := again()
	return a.answered(effect, digest, out.State, out.Answer, uuid, out.Reason)
}

// repeat is how an effect is done once more, and the mode of where that would be.
func (a *attempt) repeat(stored *sdkv1.Effect, uuid string) (again func() egress.Outcome, mode enginev1.Mode, err error) {
	switch k := stored.Kind.(type) {
	case *sdkv1.Effect_Http:
		endpoint, err := a.binding.Endpoint(k.Http.Endpoint)
		if err != nil {
			return nil, 0, err
		}
		return func() egress.Outcome { return a.call(endpoint, k.Http, uuid, true) }, endpoint.Mode(), nil
	case *sdkv1.Effect_RoundTrip:
		l, err := a.binding.Link(k.RoundTrip.Link)
		if err != nil {
			return nil, 0, err
		}
		data, err := a.binding.Keys.ExpandFrame(k.RoundTrip.Data, &a.veil.Veil)
		if err != nil {
			return nil, 0, err
		}
		k.RoundTrip.Data = data
		return func() egress.Outcome { return a.exchangeFrames(k.RoundTrip, l.Mode, true, a.leads(time.Time{})) }, l.Mode, nil
	case *sdkv1.Effect_Send:
		return nil, enginev1.Mode_MODE_NEVER, nil
	}
	return nil, 0, errors.New("the stored request cannot be read")
}

// answered keeps the answer of an intended effect in memory: the next step shows
// whether the outcome can carry it. Without an answer the connector is told that
// the effect is in doubt.
func (a *attempt) answered(effect *sdkv1.Effect, digest uint64, state enginev1.EffectState, answer *sdkv1.Answer, uuid, reason string) error {
	if a.ctx.Err() != nil {
		// The term has ended, perhaps in the middle of the call: the next leader
		// finds the effect in doubt, and that is what it is.
		return errDropped
	}
	var covered []byte
	if answer != nil {
		if covered = a.coveredAnswer(answer); len(covered) > answerMax {
			answer, state, reason = nil, enginev1.EffectState_EFFECT_STATE_OPEN, "what was answered is too large to be written down"
			delete(a.frames, effect.GetRoundTrip().GetKey())
		}
	}
	if answer == nil {
		answer = &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{IdempotencyKey: uuid, Reason: reason}}}
		covered = encode(answer)
	}
	a.history.add(effect.Ordinal, digest, a.Clock.NowMS(), answer)
	a.history.last = &enginev1.Answer{Origin: a.origin(effect.Ordinal, digest), Answer: covered, State: state}
	return nil
}

// answerMax bounds an answer in bytes, as it is written down. Endpoints and links bound
// what comes, to less; but tokens are longer than the values that they stand for, and
// who answers with nothing else must not make more than an entry of the log takes.
const answerMax = 6 << 20

// commitAnswer puts the last answer into the log by itself.
func (a *attempt) commitAnswer() error {
	last := a.history.last
	last.Origin.Since = a.history.carry()
	reply, err := a.propose(&enginev1.Command{Verb: &enginev1.Command_Answer{Answer: last}})
	if err != nil {
		return err
	}
	if reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		return a.refused(reply)
	}
	a.history.committed()
	a.history.entries[len(a.history.entries)-1].TimeMs = reply.TimeMs
	return nil
}

// effectUUID is the idempotency key of one of this attempt's effects.
func (a *attempt) effectUUID(key string, number, ordinal uint32) string {
	if key == "" {
		return a.minter.Call(a.job.Payment, a.job.N, a.job.Attempt, ordinal)
	}
	return a.minter.Effect(a.job.Payment, uint32(slices.Index(a.keys, key)), number)
}

func (a *attempt) learnKey(key string) {
	if key != "" && !slices.Contains(a.keys, key) {
		a.keys = append(slices.Clone(a.keys), key)
	}
}
