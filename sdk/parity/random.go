package parity

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// random draws requests and answers.
type random struct {
	*rand.Rand
	sdk SDK
}

// alphabet has what is written in more than one way: quotes, control characters, and
// characters of two, three and four bytes.
var alphabet = []rune("aB3 /\"\\\n\t\x01\x7f<&é€\u2028\uffff😀{}[]:,")

func (r *random) text() string {
	n := r.IntN(12)
	switch r.IntN(10) {
	case 0:
		n = 0
	case 1:
		n = 100 + r.IntN(100) // lengths of one byte and of two
	}
	var out strings.Builder
	for range n {
		out.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return out.String()
}

func (r *random) bytes() []byte {
	out := make([]byte, r.IntN(40))
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// number is zero, small, or near the borders of varints.
func (r *random) number() int64 {
	return max(0, int64(1)<<r.IntN(40)-int64(r.IntN(3)))
}

func (r *random) bool() bool { return r.IntN(2) == 0 }

func (r *random) headers(names ...string) (out []*sdkv1.Header) {
	for _, name := range names {
		if r.bool() {
			out = append(out, &sdkv1.Header{Key: name, Value: r.text()})
		}
	}
	return out
}

// request is the first of an echo's job, with the effects that it will ask for.
func (r *random) request() (*sdkv1.StepRequest, []*sdkv1.Effect) {
	var effects []*sdkv1.Effect
	for n := range 1 + r.IntN(6) {
		effects = append(effects, r.effect(n))
	}
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(r.Uint32())
	}
	job := &sdkv1.Job{
		Type: "echo", Payment: r.text(), Attempt: uint32(r.number()), Retries: uint32(r.number()), Element: r.text(), Flow: r.text(),
		PaymentStartedMs: r.number(), Headers: r.headers("g", "h", "h"),
		Variables: []*sdkv1.Variable{{Name: "ask", Json: asked(effects...)}},
	}
	for _, key := range []string{"j", "k"} {
		if r.bool() {
			job.Prior = append(job.Prior, &sdkv1.PriorEffect{Key: key, IdempotencyKey: r.text()})
		}
	}
	if r.bool() {
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: "s", Json: []byte(text(r.text()))})
	}
	if r.bool() {
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: "i", Json: fmt.Append(nil, int64(r.Uint64())>>(64-r.sdk.Bits))})
	}
	trigger := &sdkv1.Trigger{TimeMs: r.number(), Tenant: r.text(), Kind: &sdkv1.Trigger_Job{Job: job}}
	if r.bool() {
		job.Type = r.text()
		trigger.Kind = &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: "echo", Job: job}}
	}
	return &sdkv1.StepRequest{Config: []byte(`{}`), Seed: seed, Trigger: trigger}, effects
}

// terms are none, or at least an amount.
func (r *random) terms() *sdkv1.Terms {
	if r.bool() {
		return nil
	}
	return &sdkv1.Terms{Amount: "1" + r.text(), Currency: r.text(), Debtor: r.text(), Creditor: r.text()}
}

// variables ascend by name, as an SDK has to write them.
func (r *random) variables() (out []*sdkv1.Variable) {
	for _, name := range []string{"", "\"", "B", "a", "aa", "b", "é"} {
		if r.bool() {
			out = append(out, &sdkv1.Variable{Name: name, Json: []byte(text(r.text()))})
		}
	}
	return out
}

// effect draws the echo's effect of that place, counted from 0.
func (r *random) effect(place int) *sdkv1.Effect {
	s, b, n := r.text, r.bytes, r.number
	e := &sdkv1.Effect{}
	switch kinds[r.IntN(len(kinds))] {
	case "http":
		e.Kind = &sdkv1.Effect_Http{Http: &sdkv1.Http{Endpoint: s(), Method: s(), Path: s(), Headers: r.headers("A", "a", "b-c"), Body: b(), Key: s(), Terms: r.terms(), TimeoutMs: n()}}
	case "start-payment":
		e.Kind = &sdkv1.Effect_StartPayment{StartPayment: &sdkv1.StartPayment{Flow: s(), ClientKey: s(), RequestDigest: b(), Variables: r.variables(), UuidVariable: s()}}
	case "publish":
		e.Kind = &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: s(), Key: s(), MessageId: s(), TtlMs: n(), Variables: r.variables()}}
	case "await-result":
		e.Kind = &sdkv1.Effect_AwaitResult{AwaitResult: &sdkv1.AwaitResult{Payment: s(), TimeoutMs: n()}}
	case "query":
		q := &sdkv1.Query{Payment: s(), ClientKey: s()}
		for range r.IntN(3) {
			q.Variables = append(q.Variables, s())
		}
		e.Kind = &sdkv1.Effect_Query{Query: q}
	case "sleep":
		e.Kind = &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: n()}}
	case "sequence":
		e.Kind = &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: s()}}
	case "emit":
		object := []string{}
		for _, v := range r.variables() {
			object = append(object, text(v.Name)+":"+string(v.Json))
		}
		e.Kind = &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: s(), Json: []byte("{" + strings.Join(object, ",") + "}")}}
	case "checkpoint": // the echo goes on behind it
		e.Kind = &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{State: append([]byte{byte(place + 1)}, b()...)}}
	case "round-trip":
		e.Kind = &sdkv1.Effect_RoundTrip{RoundTrip: &sdkv1.RoundTrip{Link: s(), Data: b(), MatchKey: s(), TimeoutMs: n(), Key: s(), Terms: r.terms()}}
	case "send":
		e.Kind = &sdkv1.Effect_Send{Send: &sdkv1.Send{Link: s(), Data: b()}}
	case "forward":
		e.Kind = &sdkv1.Effect_Forward{Forward: &sdkv1.Forward{Link: s(), Key: s(), Data: b(), UntilMs: n()}}
	case "sign":
		e.Kind = &sdkv1.Effect_Sign{Sign: &sdkv1.Sign{KeyRef: s(), Algorithm: s(), Data: b()}}
	case "verify":
		e.Kind = &sdkv1.Effect_Verify{Verify: &sdkv1.Verify{KeyRef: s(), Algorithm: s(), Data: b(), Signature: b()}}
	case "mac":
		e.Kind = &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: s(), Algorithm: s(), Data: b()}}
	case "encrypt":
		e.Kind = &sdkv1.Effect_Encrypt{Encrypt: &sdkv1.Encrypt{KeyRef: s(), Algorithm: s(), Data: b(), Additional: b()}}
	case "tokenize":
		e.Kind = &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: s(), Value: s()}}
	case "detokenize":
		e.Kind = &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: s()}}
	}
	return e
}

// answer draws an answer to the effect, and what the echo says of it.
func (r *random) answer(effect *sdkv1.Effect) (*sdkv1.Answer, any) {
	say := func(state string, text ...string) any {
		return map[string]any{"state": state, "text": append([]string{}, text...)}
	}
	switch r.IntN(8) {
	case 0:
		f := &sdkv1.Failure{Code: r.text(), Text: r.text()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: f}}, say("failed", f.Code, f.Text)
	case 1:
		d := &sdkv1.InDoubt{IdempotencyKey: r.text(), Reason: r.text()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: d}}, say("doubt", d.IdempotencyKey, d.Reason)
	case 2:
		if effect.GetHttp() != nil || effect.GetRoundTrip() != nil {
			return &sdkv1.Answer{}, say("doubt", "", "it was done, but what the other side answered is lost: it was found out by enquiry")
		}
		return &sdkv1.Answer{}, say("failed", "INVALID", "the host answered with something else")
	}
	switch effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		h := &sdkv1.HttpAnswer{Status: 100 + uint32(r.IntN(500)), Headers: r.headers("a", "x-echo", "x-echo"), Body: r.bytes()}
		first := ""
		for _, header := range slices.Backward(h.Headers) {
			if header.Key == "x-echo" {
				first = header.Value
			}
		}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: h}}, say("done", fmt.Sprint(h.Status), first, hex.EncodeToString(h.Body))
	case *sdkv1.Effect_StartPayment:
		s := &sdkv1.StartAnswer{Payment: r.text(), RepeatedStart: r.bool()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Start{Start: s}}, say("done", s.Payment, fmt.Sprint(s.RepeatedStart))
	case *sdkv1.Effect_Publish:
		p := &sdkv1.PublishAnswer{Duplicate: r.bool()}
		answer := &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: p}}
		if r.sdk.HidesDuplicates {
			return answer, say("done")
		}
		return answer, say("done", fmt.Sprint(p.Duplicate))
	case *sdkv1.Effect_Query, *sdkv1.Effect_AwaitResult:
		q := &sdkv1.QueryAnswer{
			Found: r.bool(), Payment: r.text(), State: r.text(), Result: r.text(), Code: r.text(), StartedMs: r.number(), EndedMs: r.number(),
			Flow: r.text(), ClientKey: r.text(), Pending: r.bool(),
		}
		variable := ""
		if r.bool() {
			variable = text([]string{r.text()})
			q.Variables = []*sdkv1.Variable{{Name: "w", Json: []byte("1")}, {Name: "x", Json: []byte(variable)}}
		}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: q}}, say("done", fmt.Sprint(q.Found), q.Payment, q.State, q.Result, q.Code,
			fmt.Sprint(q.StartedMs), fmt.Sprint(q.EndedMs), q.Flow, q.ClientKey, fmt.Sprint(q.Pending), variable)
	case *sdkv1.Effect_Sequence:
		s := &sdkv1.SequenceAnswer{Value: r.Uint64() >> (64 - r.sdk.Bits) >> r.IntN(r.sdk.Bits)}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: s}}, say("done", fmt.Sprint(s.Value))
	case *sdkv1.Effect_RoundTrip, *sdkv1.Effect_Sign, *sdkv1.Effect_Mac, *sdkv1.Effect_Encrypt:
		b := &sdkv1.BytesAnswer{Data: r.bytes()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: b}}, say("done", hex.EncodeToString(b.Data))
	case *sdkv1.Effect_Verify:
		b := &sdkv1.BoolAnswer{Ok: r.bool()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bool{Bool: b}}, say("done", fmt.Sprint(b.Ok))
	case *sdkv1.Effect_Tokenize, *sdkv1.Effect_Detokenize:
		s := &sdkv1.TextAnswer{Text: r.text()}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: s}}, say("done", s.Text)
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}, say("done")
}
