package leader

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/keys"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// A value that a token stands for, such as a card number, never reaches the log:
//
//	what Detokenize answers   is not committed. Its entry has the request instead,
//	                          and a leader that takes over performs it again, which
//	                          gives the same
//	a call or a frame that    is intended with {{token:…}} in its place
//	carries it
//	what answers a call       has the token in its place before anybody sees it
//	a frame that answers      is given to the connector as it came, since a frame
//	                          that was touched has other lengths and no valid MAC, and
//	                          is written down with {{token:…}} in the value's place:
//	                          a leader that takes over puts the value back
//	digests of such effects   and of Tokenize, are masked: a short hash of a request
//	                          that is known but for a card number would give that away
//	any other command, such   is refused: the connector is to give the token
//	as Forward, and a job's
//	outcome
//
// The value is looked for as it is, and as digits packed into half bytes. A connector
// that encodes it otherwise goes unseen; see keys.Veil.
type veil struct {
	keys.Veil
	// masks of this attempt's digests, by ordinal.
	masks map[uint32]uint64
}

// codeRevealed ends an attempt whose connector would write a value into the log.
const codeRevealed = "REVEALED"

var errRevealed = &failure{codeRevealed,
	"The connector gives the log a value that a token stands for. It is to give the token.", false}

// cover looks at an effect that is about to be performed.
func (a *attempt) cover(effect *sdkv1.Effect) error {
	if !a.veil.Knows() || !a.veil.Hides(encode(effect)) {
		if effect.GetTokenize() != nil {
			// Without a key it fails, and then there is a mask for that.
			if mask, err := a.binding.Keys.Mask(a.maskContext(effect.Ordinal)); err == nil {
				a.mask(effect.Ordinal, mask)
			}
		}
		return nil
	}
	switch k := effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		if a.veil.Hides([]byte(k.Http.Key)) || k.Http.Terms != nil && a.veil.Hides(encode(k.Http.Terms)) {
			return errRevealed
		}
	case *sdkv1.Effect_RoundTrip:
		r := k.RoundTrip
		if a.veil.Hides([]byte(r.MatchKey)) || a.veil.Hides([]byte(r.Key)) || r.Terms != nil && a.veil.Hides(encode(r.Terms)) {
			return errRevealed
		}
	case *sdkv1.Effect_Send, *sdkv1.Effect_Sign, *sdkv1.Effect_Verify, *sdkv1.Effect_Mac, *sdkv1.Effect_Encrypt,
		*sdkv1.Effect_Tokenize, *sdkv1.Effect_Detokenize, *sdkv1.Effect_Query:
	default:
		return errRevealed
	}
	mask, err := a.binding.Keys.Mask(a.maskContext(effect.Ordinal))
	if err != nil {
		a.logger().Warn("the tenant's token key cannot be used", "err", err)
		return errParked
	}
	a.mask(effect.Ordinal, mask)
	return nil
}

func (a *attempt) mask(ordinal uint32, mask uint64) {
	if a.veil.masks == nil {
		a.veil.masks = make(map[uint32]uint64)
	}
	a.veil.masks[ordinal] = mask
}

// logDigest is an effect's digest as the log may have it.
func (a *attempt) logDigest(ordinal uint32, digest uint64) uint64 {
	return digest ^ a.veil.masks[ordinal]
}

func (a *attempt) maskContext(ordinal uint32) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(a.seed), ordinal)
}

// failureMask hides the digest of what failed, perhaps for want of a token key.
func (a *attempt) failureMask(ordinal uint32) uint64 {
	h := hmac.New(sha256.New, a.seed)
	h.Write([]byte("digest mask"))
	h.Write(a.maskContext(ordinal))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// withhold keeps out of an entry for the log what must not be there.
func (a *attempt) withhold(e *enginev1.HistoryEntry, effect *sdkv1.Effect, answer *sdkv1.Answer) {
	_, masked := a.veil.masks[e.Ordinal]
	switch {
	case effect.GetDetokenize() != nil && answer.GetText() != nil:
		a.veil.Learn(answer.GetText().Text, effect.GetDetokenize().Token)
		e.Withheld, e.Request, e.Answer = true, encode(effect), nil
	case masked || effect.GetTokenize() != nil:
		e.Withheld = true
		switch {
		case answer.GetFailure() != nil:
			a.mask(e.Ordinal, a.failureMask(e.Ordinal))
		case !masked:
			e.Digest = 0 // the key came just now; a later leader would begin anew
			return
		}
		e.Digest = a.logDigest(e.Ordinal, e.Digest)
	}
}

// unveil completes a history that an earlier leader began: answers that are not in
// the log are worked out again, and masks taken off.
func (a *attempt) unveil() error {
	shown := 0
	for _, e := range a.job.History {
		if e.Ordinal == 0 {
			continue
		}
		var entry *sdkv1.Entry
		if e.Answered {
			entry = a.history.entries[shown]
			shown++
			if e.Mode != enginev1.Mode_MODE_UNSPECIFIED {
				if err := a.uncover(entry.Answer); err != nil {
					return err
				}
			}
		}
		if !e.Withheld {
			continue
		}
		if request := new(sdkv1.Effect); e.Answered && e.Request != nil && request.UnmarshalVT(e.Request) == nil && request.GetDetokenize() != nil {
			token := request.GetDetokenize().GetToken()
			value, err := a.binding.Keys.Reveal(token)
			if err != nil {
				// It was understood once, so it is the key that is missing.
				a.logger().Error("a token of the job's history is not understood any more; the job waits for its key", "err", err)
				return errParked
			}
			a.veil.Learn(value, token)
			entry.Answer = &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: value}}}
			continue
		}
		mask := a.failureMask(e.Ordinal)
		if e.Mode != enginev1.Mode_MODE_UNSPECIFIED || entry.GetAnswer().GetFailure() == nil {
			var err error
			if mask, err = a.binding.Keys.Mask(a.maskContext(e.Ordinal)); err != nil {
				a.logger().Error("the job waits for the tenant's token key", "err", err)
				return errParked
			}
		}
		a.mask(e.Ordinal, mask)
		if entry != nil {
			entry.Digest ^= mask
		}
	}
	return nil
}

// covered is an effect as the log may have it.
func (a *attempt) covered(effect *sdkv1.Effect) (request []byte, withheld bool) {
	_, masked := a.veil.masks[effect.Ordinal]
	out := &sdkv1.Effect{Ordinal: effect.Ordinal}
	switch k := effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		if !masked {
			return encode(effect), false
		}
		out.Kind = &sdkv1.Effect_Http{Http: a.veil.Cover(k.Http)}
	case *sdkv1.Effect_RoundTrip:
		r := k.RoundTrip
		out.Kind = &sdkv1.Effect_RoundTrip{RoundTrip: &sdkv1.RoundTrip{
			Link: r.Link, Data: a.veil.CoverFrame(r.Data), MatchKey: r.MatchKey, TimeoutMs: r.TimeoutMs, Key: r.Key, Terms: r.Terms,
		}}
	case *sdkv1.Effect_Send:
		out.Kind = &sdkv1.Effect_Send{Send: &sdkv1.Send{Link: k.Send.Link, Data: a.veil.CoverFrame(k.Send.Data)}}
	}
	return encode(out), masked
}

// coveredAnswer is an answer as the log may have it.
func (a *attempt) coveredAnswer(answer *sdkv1.Answer) []byte {
	frame := answer.GetBytes()
	if frame == nil {
		return encode(answer)
	}
	return encode(&sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: a.veil.CoverFrame(frame.Data)}}})
}

// uncover makes an intended effect's answer what it was before coveredAnswer. A
// connector that may not detokenize, and asks for what another one did, is given it
// covered.
func (a *attempt) uncover(answer *sdkv1.Answer) error {
	frame := answer.GetBytes()
	if frame == nil {
		return nil
	}
	data, err := a.binding.Keys.ExpandFrame(frame.Data, &a.veil.Veil)
	switch {
	case err == nil:
		frame.Data = data
	case keys.AsFailure(err).Code != abi.FailureForbidden:
		a.logger().Error("a token of a recorded frame is not understood any more; the job waits for its key", "err", err)
		return errParked
	}
	return nil
}

// call makes a call, with values in place of the tokens that it refers to.
func (a *attempt) call(endpoint *egress.Endpoint, call *sdkv1.Http, uuid string, again bool) egress.Outcome {
	seen := a.veil.Clone()
	expanded, err := a.binding.Keys.Expand(call, &seen)
	if err != nil {
		failure := keys.AsFailure(err)
		if again {
			// What was sent before may have been heard.
			return egress.Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: failure.Text}
		}
		return egress.Outcome{
			Answer: connector.Failure(failure.Code, failure.Text), State: enginev1.EffectState_EFFECT_STATE_REFUSED,
		}
	}
	out := endpoint.Do(a.ctx, expanded, uuid, again)
	out.Answer, out.Reason = seen.Scrub(out.Answer), seen.Text(out.Reason)
	return out
}

// keyed performs an effect that needs keys; false says that it is another.
func (a *attempt) keyed(effect *sdkv1.Effect, digest uint64) bool {
	answer := a.binding.Keys.Do(a.ctx, effect)
	if answer == nil {
		return false
	}
	a.since(effect, digest, answer)
	return true
}

// checkOutcome refuses an outcome that holds a value. Texts for people get the token.
func (a *attempt) checkOutcome(outcome *sdkv1.Outcome) error {
	if !a.veil.Knows() {
		return nil
	}
	switch o := outcome.Kind.(type) {
	case *sdkv1.Outcome_Fail:
		o.Fail.Reason = a.veil.Text(o.Fail.Reason)
	case *sdkv1.Outcome_BpmnError:
		o.BpmnError.Message = a.veil.Text(o.BpmnError.Message)
	case *sdkv1.Outcome_Doubt:
		o.Doubt.Reason = a.veil.Text(o.Doubt.Reason)
	}
	if a.veil.Hides(encode(outcome)) {
		return errRevealed
	}
	return nil
}
