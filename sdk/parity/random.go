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
type random struct{ *rand.Rand }

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
	var asks []any
	var effects []*sdkv1.Effect
	for range 1 + r.IntN(6) {
		effect, ask := r.effect()
		effects, asks = append(effects, effect), append(asks, ask)
	}
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(r.Uint32())
	}
	job := &sdkv1.Job{
		Type: "echo", Payment: r.text(), Attempt: uint32(r.number()), Retries: uint32(r.number()), Element: r.text(), Flow: r.text(),
		PaymentStartedMs: r.number(), Headers: r.headers("g", "h", "h"),
		Variables: []*sdkv1.Variable{{Name: "ask", Json: []byte(text(asks))}},
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
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: "i", Json: fmt.Append(nil, int64(r.Uint64()))})
	}
	return &sdkv1.StepRequest{
		Config: []byte(`{}`), Seed: seed,
		Trigger: &sdkv1.Trigger{TimeMs: r.number(), Tenant: r.text(), Kind: &sdkv1.Trigger_Job{Job: job}},
	}, effects
}

// ask collects what the echo is told of an effect.
type ask map[string]any

func (a ask) text(name, value string) string {
	if value != "" {
		a[name] = value
	}
	return value
}

func (a ask) bytes(name string, value []byte) []byte {
	if len(value) > 0 {
		a[name] = hex.EncodeToString(value)
	}
	return value
}

func (a ask) number(name string, value int64) int64 {
	if value != 0 {
		a[name] = value
	}
	return value
}

// terms are none, or at least an amount.
func (r *random) terms(a ask) *sdkv1.Terms {
	if r.bool() {
		return nil
	}
	return &sdkv1.Terms{
		Amount: a.text("amount", "1"+r.text()), Currency: a.text("currency", r.text()), Debtor: a.text("debtor", r.text()), Creditor: a.text("creditor", r.text()),
	}
}

// variables are given to the echo as one object, whose names it must write in order.
func (r *random) variables(a ask) (out []*sdkv1.Variable) {
	given := map[string]any{}
	for _, name := range []string{"", "\"", "B", "a", "aa", "b", "é"} {
		if r.bool() {
			value := text(r.text())
			given[name] = raw(value)
			out = append(out, &sdkv1.Variable{Name: name, Json: []byte(value)})
		}
	}
	if len(given) > 0 {
		a["variables"] = given
	}
	return out
}

type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// fields are the members of an ask, by kind, in the order of the effect's fields.
// Terms are amount, currency, debtor and creditor; variables are an object, and so
// is the event of emit, as variables.
var fields = map[string][]string{
	"http":          {"endpoint", "method", "path", "headers", "body", "key", "terms", "timeout"},
	"start-payment": {"flow", "client-key", "digest", "variables", "uuid-variable"},
	"publish":       {"name", "key", "id", "ttl", "variables"},
	"await-result":  {"payment", "timeout"},
	"query":         {"payment", "client-key", "names"},
	"sleep":         {"duration"},
	"sequence":      {"name"},
	"emit":          {"name", "variables"},
	"round-trip":    {"link", "data", "match-key", "timeout", "key", "terms"},
	"send":          {"link", "data"},
	"forward":       {"link", "key", "data", "until"},
	"sign":          {"key-ref", "algorithm", "data"},
	"verify":        {"key-ref", "algorithm", "data", "signature"},
	"mac":           {"key-ref", "algorithm", "data"},
	"encrypt":       {"key-ref", "algorithm", "data", "additional"},
	"tokenize":      {"kind-of", "value"},
	"detokenize":    {"token"},
}

var kinds = func() (out []string) {
	for kind := range fields {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}()

func (r *random) effect() (*sdkv1.Effect, ask) {
	kind := kinds[r.IntN(len(kinds))]
	a := ask{"kind": kind}
	s := func(name string) string { return a.text(name, r.text()) }
	b := func(name string) []byte { return a.bytes(name, r.bytes()) }
	n := func(name string) int64 { return a.number(name, r.number()) }
	e := &sdkv1.Effect{}
	switch kind {
	case "http":
		headers := r.headers("A", "a", "b-c")
		h := &sdkv1.Http{Endpoint: s("endpoint"), Method: s("method"), Path: s("path"), Headers: headers, Body: b("body"), Key: s("key"), Terms: r.terms(a), TimeoutMs: n("timeout")}
		pairs := []any{}
		for _, header := range slices.Backward(headers) { // the SDK sorts them
			pairs = append(pairs, []string{header.Key, header.Value})
		}
		a["headers"] = pairs
		e.Kind = &sdkv1.Effect_Http{Http: h}
	case "start-payment":
		e.Kind = &sdkv1.Effect_StartPayment{StartPayment: &sdkv1.StartPayment{Flow: s("flow"), ClientKey: s("client-key"), RequestDigest: b("digest"), Variables: r.variables(a), UuidVariable: s("uuid-variable")}}
	case "publish":
		e.Kind = &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: s("name"), Key: s("key"), MessageId: s("id"), TtlMs: n("ttl"), Variables: r.variables(a)}}
	case "await-result":
		e.Kind = &sdkv1.Effect_AwaitResult{AwaitResult: &sdkv1.AwaitResult{Payment: s("payment"), TimeoutMs: n("timeout")}}
	case "query":
		q := &sdkv1.Query{Payment: s("payment"), ClientKey: s("client-key")}
		for range r.IntN(3) {
			q.Variables = append(q.Variables, r.text())
		}
		if len(q.Variables) > 0 {
			a["names"] = q.Variables
		}
		e.Kind = &sdkv1.Effect_Query{Query: q}
	case "sleep":
		e.Kind = &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: n("duration")}}
	case "sequence":
		e.Kind = &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: s("name")}}
	case "emit":
		emit := &sdkv1.Emit{Name: s("name")}
		object := []string{}
		for _, v := range r.variables(a) {
			object = append(object, text(v.Name)+":"+string(v.Json))
		}
		emit.Json = []byte("{" + strings.Join(object, ",") + "}")
		e.Kind = &sdkv1.Effect_Emit{Emit: emit}
	case "round-trip":
		e.Kind = &sdkv1.Effect_RoundTrip{RoundTrip: &sdkv1.RoundTrip{Link: s("link"), Data: b("data"), MatchKey: s("match-key"), TimeoutMs: n("timeout"), Key: s("key"), Terms: r.terms(a)}}
	case "send":
		e.Kind = &sdkv1.Effect_Send{Send: &sdkv1.Send{Link: s("link"), Data: b("data")}}
	case "forward":
		e.Kind = &sdkv1.Effect_Forward{Forward: &sdkv1.Forward{Link: s("link"), Key: s("key"), Data: b("data"), UntilMs: n("until")}}
	case "sign":
		e.Kind = &sdkv1.Effect_Sign{Sign: &sdkv1.Sign{KeyRef: s("key-ref"), Algorithm: s("algorithm"), Data: b("data")}}
	case "verify":
		e.Kind = &sdkv1.Effect_Verify{Verify: &sdkv1.Verify{KeyRef: s("key-ref"), Algorithm: s("algorithm"), Data: b("data"), Signature: b("signature")}}
	case "mac":
		e.Kind = &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: s("key-ref"), Algorithm: s("algorithm"), Data: b("data")}}
	case "encrypt":
		e.Kind = &sdkv1.Effect_Encrypt{Encrypt: &sdkv1.Encrypt{KeyRef: s("key-ref"), Algorithm: s("algorithm"), Data: b("data"), Additional: b("additional")}}
	case "tokenize":
		e.Kind = &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: s("kind-of"), Value: s("value")}}
	case "detokenize":
		e.Kind = &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: s("token")}}
	}
	return e, a
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
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: p}}, say("done", fmt.Sprint(p.Duplicate))
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
		s := &sdkv1.SequenceAnswer{Value: r.Uint64() >> r.IntN(64)}
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
