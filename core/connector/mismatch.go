package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Mismatch says, for people, that a connector asks for something else than it did
// before: both requests in short, and where they differ. It names fields and sizes
// and shows no content: bodies, values and identifiers are personal data, and the text
// goes to logs and incidents. Recorded is nil where nobody has the first request any
// more.
func Mismatch(ordinal uint32, recorded, asked *sdkv1.Effect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The connector is not deterministic: at ordinal %d it asks for %s", ordinal, Brief(asked))
	if recorded == nil {
		b.WriteString(", and before it asked for something else, of which only the digest is left.")
		return b.String()
	}
	fmt.Fprintf(&b, ", and before it asked for %s.", Brief(recorded))
	if where := differences(recorded, asked); len(where) > 0 {
		fmt.Fprintf(&b, " They differ in %s.", strings.Join(where, ", "))
	}
	return b.String()
}

// Brief is an effect in a few words, without its content.
func Brief(e *sdkv1.Effect) string {
	bytesOf := func(b []byte) string { return fmt.Sprintf("%d bytes", len(b)) }
	switch k := e.GetKind().(type) {
	case *sdkv1.Effect_Http:
		h := k.Http
		text := fmt.Sprintf("http %s %s %s", h.Endpoint, h.Method, briefPath(h.Path))
		if h.Key != "" {
			text += " key " + h.Key
		}
		return text + fmt.Sprintf(" with %d headers and a body of %s", len(h.Headers), bytesOf(h.Body))
	case *sdkv1.Effect_StartPayment:
		return "start-payment " + k.StartPayment.Flow + " with " + variableNames(k.StartPayment.Variables)
	case *sdkv1.Effect_Publish:
		return "publish " + k.Publish.Name + " with " + variableNames(k.Publish.Variables)
	case *sdkv1.Effect_AwaitResult:
		return "await-result"
	case *sdkv1.Effect_Query:
		return "query"
	case *sdkv1.Effect_Sleep:
		return fmt.Sprintf("sleep %d ms", k.Sleep.DurationMs)
	case *sdkv1.Effect_Sequence:
		return "sequence " + k.Sequence.Name
	case *sdkv1.Effect_Emit:
		return "emit " + k.Emit.Name + " of " + bytesOf(k.Emit.Json)
	case *sdkv1.Effect_Checkpoint:
		return "checkpoint of " + bytesOf(k.Checkpoint.State)
	case *sdkv1.Effect_RoundTrip:
		return "round-trip " + k.RoundTrip.Link + " of " + bytesOf(k.RoundTrip.Data)
	case *sdkv1.Effect_Send:
		return "send " + k.Send.Link + " of " + bytesOf(k.Send.Data)
	case *sdkv1.Effect_Forward:
		return "forward " + k.Forward.Link + " of " + bytesOf(k.Forward.Data)
	case *sdkv1.Effect_Sign:
		return "sign " + k.Sign.KeyRef + " " + k.Sign.Algorithm + " of " + bytesOf(k.Sign.Data)
	case *sdkv1.Effect_Verify:
		return "verify " + k.Verify.KeyRef + " " + k.Verify.Algorithm + " of " + bytesOf(k.Verify.Data)
	case *sdkv1.Effect_Mac:
		return "mac " + k.Mac.KeyRef + " " + k.Mac.Algorithm + " of " + bytesOf(k.Mac.Data)
	case *sdkv1.Effect_Encrypt:
		return "encrypt " + k.Encrypt.KeyRef + " " + k.Encrypt.Algorithm + " of " + bytesOf(k.Encrypt.Data)
	case *sdkv1.Effect_Tokenize:
		return "tokenize " + k.Tokenize.Kind
	case *sdkv1.Effect_Detokenize:
		return "detokenize"
	}
	return "nothing"
}

// briefPath leaves out the query's values and the segments that look like somebody's
// number or name.
func briefPath(path string) string {
	path, query, hasQuery := strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.ContainsAny(s, "0123456789%@+") {
			segments[i] = "…"
		}
	}
	out := strings.Join(segments, "/")
	if hasQuery {
		var names []string
		for pair := range strings.SplitSeq(query, "&") {
			name, _, _ := strings.Cut(pair, "=")
			names = append(names, name+"=…")
		}
		out += "?" + strings.Join(names, "&")
	}
	return out
}

func variableNames(vars []*sdkv1.Variable) string {
	names := make([]string, 0, len(vars))
	for _, v := range vars {
		names = append(names, v.GetName())
	}
	return fmt.Sprintf("%d variables (%s)", len(vars), strings.Join(names, " "))
}

// differences names the parts of two effects of one kind that are not the same.
func differences(a, b *sdkv1.Effect) []string {
	var where []string
	text := func(what, x, y string) {
		if x != y {
			where = append(where, what)
		}
	}
	content := func(what string, x, y []byte) {
		if !bytes.Equal(x, y) {
			where = append(where, contentDifference(what, x, y))
		}
	}
	variables := func(x, y []*sdkv1.Variable) {
		values := func(vars []*sdkv1.Variable) map[string]json.RawMessage {
			m := make(map[string]json.RawMessage)
			for _, v := range vars {
				m[v.GetName()] = v.GetJson()
			}
			return m
		}
		if names := unequal(values(x), values(y)); len(names) > 0 {
			where = append(where, "variables "+strings.Join(names, " "))
		} else if variableNames(x) != variableNames(y) {
			where = append(where, "the order of the variables")
		}
	}
	switch x := a.GetKind().(type) {
	case *sdkv1.Effect_Http:
		if y := b.GetHttp(); y != nil {
			text("endpoint", x.Http.Endpoint, y.Endpoint)
			text("method", x.Http.Method, y.Method)
			text("path", x.Http.Path, y.Path)
			text("key", x.Http.Key, y.Key)
			text("headers", fmt.Sprint(headerTexts(x.Http.Headers)), fmt.Sprint(headerTexts(y.Headers)))
			text("terms", termsText(x.Http.Terms), termsText(y.Terms))
			content("body", x.Http.Body, y.Body)
		}
	case *sdkv1.Effect_StartPayment:
		if y := b.GetStartPayment(); y != nil {
			text("client_key", x.StartPayment.ClientKey, y.ClientKey)
			variables(x.StartPayment.Variables, y.Variables)
		}
	case *sdkv1.Effect_Publish:
		if y := b.GetPublish(); y != nil {
			text("key", x.Publish.Key, y.Key)
			text("message_id", x.Publish.MessageId, y.MessageId)
			variables(x.Publish.Variables, y.Variables)
		}
	case *sdkv1.Effect_Emit:
		if y := b.GetEmit(); y != nil {
			content("json", x.Emit.Json, y.Json)
		}
	case *sdkv1.Effect_RoundTrip:
		if y := b.GetRoundTrip(); y != nil {
			text("match_key", x.RoundTrip.MatchKey, y.MatchKey)
			content("data", x.RoundTrip.Data, y.Data)
		}
	}
	return where
}

func headerTexts(headers []*sdkv1.Header) []string {
	var out []string
	for _, h := range headers {
		out = append(out, h.GetKey()+": "+h.GetValue())
	}
	return out
}

func termsText(t *sdkv1.Terms) string {
	return strings.Join([]string{t.GetAmount(), t.GetCurrency(), t.GetDebtor(), t.GetCreditor()}, "\x00")
}

// contentDifference says of two JSON objects which fields differ, or that the order of
// the fields does, which is what the maps of a language do.
func contentDifference(what string, x, y []byte) string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(x, &a) != nil || json.Unmarshal(y, &b) != nil {
		return what
	}
	if names := unequal(a, b); len(names) > 0 {
		return what + " fields " + strings.Join(names, " ")
	}
	return "the order or spacing of the " + what + "'s fields"
}

// unequal are the names whose values differ; long lists are cut off.
func unequal(a, b map[string]json.RawMessage) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if other, found := b[name]; !found || !bytes.Equal(a[name], other) {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, found := a[name]; !found {
			names = append(names, name)
		}
	}
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return names
}
