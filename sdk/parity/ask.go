package parity

import (
	"encoding/hex"
	"encoding/json"
	"slices"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// fields are the members of an ask, by kind, in the order of the effect's fields.
// Terms are amount, currency, debtor and creditor; variables are an object, and so
// is the event of emit, as variables; headers are pairs of name and value.
var fields = map[string][]string{
	"http":          {"endpoint", "method", "path", "headers", "body", "key", "terms", "timeout"},
	"start-payment": {"flow", "client-key", "digest", "variables", "uuid-variable"},
	"publish":       {"name", "key", "id", "ttl", "variables"},
	"await-result":  {"payment", "timeout"},
	"query":         {"payment", "client-key", "names"},
	"sleep":         {"duration"},
	"sequence":      {"name"},
	"emit":          {"name", "variables"},
	"checkpoint":    {"data"},
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

// asked is the variable ask that makes an echo ask for the effects.
func asked(effects ...*sdkv1.Effect) []byte {
	asks := []any{}
	for _, e := range effects {
		asks = append(asks, ask(e))
	}
	return []byte(text(asks))
}

func ask(effect *sdkv1.Effect) map[string]any {
	switch e := effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		h := e.Http
		return members("http", h.Endpoint, h.Method, h.Path, h.Headers, h.Body, h.Key, h.Terms, h.TimeoutMs)
	case *sdkv1.Effect_StartPayment:
		s := e.StartPayment
		return members("start-payment", s.Flow, s.ClientKey, s.RequestDigest, s.Variables, s.UuidVariable)
	case *sdkv1.Effect_Publish:
		p := e.Publish
		return members("publish", p.Name, p.Key, p.MessageId, p.TtlMs, p.Variables)
	case *sdkv1.Effect_AwaitResult:
		return members("await-result", e.AwaitResult.Payment, e.AwaitResult.TimeoutMs)
	case *sdkv1.Effect_Query:
		return members("query", e.Query.Payment, e.Query.ClientKey, e.Query.Variables)
	case *sdkv1.Effect_Sleep:
		return members("sleep", e.Sleep.DurationMs)
	case *sdkv1.Effect_Sequence:
		return members("sequence", e.Sequence.Name)
	case *sdkv1.Effect_Emit:
		return members("emit", e.Emit.Name, json.RawMessage(e.Emit.Json))
	case *sdkv1.Effect_Checkpoint:
		return members("checkpoint", e.Checkpoint.State)
	case *sdkv1.Effect_RoundTrip:
		t := e.RoundTrip
		return members("round-trip", t.Link, t.Data, t.MatchKey, t.TimeoutMs, t.Key, t.Terms)
	case *sdkv1.Effect_Send:
		return members("send", e.Send.Link, e.Send.Data)
	case *sdkv1.Effect_Forward:
		return members("forward", e.Forward.Link, e.Forward.Key, e.Forward.Data, e.Forward.UntilMs)
	case *sdkv1.Effect_Sign:
		return members("sign", e.Sign.KeyRef, e.Sign.Algorithm, e.Sign.Data)
	case *sdkv1.Effect_Verify:
		return members("verify", e.Verify.KeyRef, e.Verify.Algorithm, e.Verify.Data, e.Verify.Signature)
	case *sdkv1.Effect_Mac:
		return members("mac", e.Mac.KeyRef, e.Mac.Algorithm, e.Mac.Data)
	case *sdkv1.Effect_Encrypt:
		return members("encrypt", e.Encrypt.KeyRef, e.Encrypt.Algorithm, e.Encrypt.Data, e.Encrypt.Additional)
	case *sdkv1.Effect_Tokenize:
		return members("tokenize", e.Tokenize.Kind, e.Tokenize.Value)
	case *sdkv1.Effect_Detokenize:
		return members("detokenize", e.Detokenize.Token)
	}
	panic("parity: an effect of a kind that no echo knows")
}

// members names the values; those that are default are left out.
func members(kind string, values ...any) map[string]any {
	out := map[string]any{"kind": kind}
	for i, value := range values {
		name := fields[kind][i]
		switch v := value.(type) {
		case string:
			if v != "" {
				out[name] = v
			}
		case int64:
			if v != 0 {
				out[name] = v
			}
		case []byte:
			if len(v) > 0 {
				out[name] = hex.EncodeToString(v)
			}
		case *sdkv1.Terms:
			if v != nil {
				out["amount"], out["currency"], out["debtor"], out["creditor"] = v.Amount, v.Currency, v.Debtor, v.Creditor
			}
		case []*sdkv1.Header:
			pairs := []any{}
			for _, h := range slices.Backward(v) { // the SDK sorts them
				pairs = append(pairs, []string{h.Key, h.Value})
			}
			out[name] = pairs
		case []*sdkv1.Variable:
			given := map[string]json.RawMessage{}
			for _, variable := range v {
				given[variable.Name] = variable.Json
			}
			out[name] = given
		default:
			out[name] = v
		}
	}
	return out
}
