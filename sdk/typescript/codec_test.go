package typescript_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// The engine's reader and writer of the contract against the generated code: random
// calls are written to the same bytes, which the digests in the history show, and
// random answers and variables are read as they were written.
func TestCodec(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{Log: slog.New(slog.DiscardHandler)})
	i := instance(t, m)
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	for round := range 400 {
		call := randomCall(r)
		variables := randomVariables(r)
		request := probe("")
		job := request.Trigger.GetJob()
		job.Type = "echo"
		job.Variables = append(slices.Clone(variables), &sdkv1.Variable{Name: "call", Json: described(t, call)})
		reply, err := i.Step(t.Context(), request)
		if err != nil || len(reply.Effects) != 1 {
			t.Fatalf("round %d: %v, %v", round, reply, err)
		}
		effect := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Http{Http: call}}
		if got, want := encoded(t, reply.Effects[0]), encoded(t, effect); !bytes.Equal(got, want) {
			t.Fatalf("round %d: got %x, want %x", round, got, want)
		}
		got := &sdkv1.HttpAnswer{Status: r.Uint32N(1000), Headers: randomHeaders(r), Body: []byte(randomText(r))}
		request.History = []*sdkv1.Entry{answer(effect, at, &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: got}})}
		reply, err = i.Step(t.Context(), request)
		if err != nil || reply.Outcome == nil {
			t.Fatalf("round %d: %v, %v", round, reply, err)
		}
		set := map[string]string{}
		for _, v := range reply.Outcome.GetComplete().Variables {
			set[v.Name] = string(v.Json)
		}
		for _, v := range variables {
			if set["of "+v.Name] != string(v.Json) {
				t.Fatalf("round %d: %q is %s, not %s", round, v.Name, set["of "+v.Name], v.Json)
			}
		}
		var body string
		if err := json.Unmarshal([]byte(set["body"]), &body); err != nil || body != string(got.Body) {
			t.Fatalf("round %d: body %q, not %q: %v", round, body, got.Body, err)
		}
	}
}

func encoded(t *testing.T, effect *sdkv1.Effect) []byte {
	t.Helper()
	out, err := effect.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSHA256(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{})
	var texts, want []string
	for n := range 200 {
		text := strings.Repeat("a", n)
		digest := sha256.Sum256([]byte(text))
		texts, want = append(texts, text), append(want, hex.EncodeToString(digest[:]))
	}
	list, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	digests, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	request := probe("digests")
	job := request.Trigger.GetJob()
	job.Variables = append(job.Variables, &sdkv1.Variable{Name: "texts", Json: list})
	reply, err := instance(t, m).Step(t.Context(), request)
	if err != nil || reply.Outcome == nil {
		t.Fatal(reply, err)
	}
	for _, v := range reply.Outcome.GetComplete().Variables {
		if v.Name == "digests" && string(v.Json) != string(digests) || v.Name == "same" && string(v.Json) != "true" {
			t.Errorf("%s: %s", v.Name, v.Json)
		}
	}
}

// described is the call as the script of the test takes it.
func described(t *testing.T, call *sdkv1.Http) []byte {
	t.Helper()
	headers := map[string]string{}
	for _, h := range call.Headers {
		headers[h.Key] = h.Value
	}
	d := map[string]any{
		"endpoint": call.Endpoint, "method": call.Method, "path": call.Path, "headers": headers,
		"hex": hex.EncodeToString(call.Body), "key": call.Key, "timeoutMs": call.TimeoutMs,
	}
	if x := call.Terms; x != nil {
		d["terms"] = map[string]string{"amount": x.Amount, "currency": x.Currency, "debtor": x.Debtor, "creditor": x.Creditor}
	}
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func randomCall(r *rand.Rand) *sdkv1.Http {
	body := make([]byte, []int{0, 1, 100, 127, 128, 20_000}[r.IntN(6)])
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	if len(body) == 0 {
		body = nil
	}
	call := &sdkv1.Http{
		Endpoint: randomText(r), Method: randomText(r), Path: randomText(r), Headers: randomHeaders(r), Body: body,
		Key: randomText(r), TimeoutMs: []int64{0, 1, 127, 128, 1 << 40, 1<<53 - 1}[r.IntN(6)],
	}
	if r.IntN(2) == 0 {
		call.Terms = &sdkv1.Terms{Amount: randomText(r), Currency: randomText(r), Debtor: randomText(r), Creditor: randomText(r)}
	}
	return call
}

func randomText(r *rand.Rand) string {
	letters := []string{"a", "Z", "0", "\"", "\\", "\n", "é", "ß", "語", "😀", "\u0000", " ", "\u2028", "\ufffd"}
	var b strings.Builder
	for range []int{0, 1, 5, 40, 130, 300}[r.IntN(6)] {
		b.WriteString(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// randomHeaders are ascending by name, as the contract has them of a connector.
func randomHeaders(r *rand.Rand) []*sdkv1.Header {
	var out []*sdkv1.Header
	for range r.IntN(20) {
		name := randomText(r)
		if name == "" || slices.ContainsFunc(out, func(h *sdkv1.Header) bool { return h.Key == name }) {
			continue
		}
		out = append(out, &sdkv1.Header{Key: name, Value: randomText(r)})
	}
	slices.SortFunc(out, func(a, b *sdkv1.Header) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func randomVariables(r *rand.Rand) []*sdkv1.Variable {
	values := []string{`0`, `-12.50`, `1e400`, `"x"`, `true`, `null`, `{"a":[1,2,{"b":"é"}]}`, `"\u0041\n"`, `[]`, `12345678901234567890.10`}
	out := []*sdkv1.Variable{}
	for _, name := range []string{"amount", "é", "a b", "语", "z"} {
		if r.IntN(2) == 0 {
			out = append(out, &sdkv1.Variable{Name: name, Json: []byte(values[r.IntN(len(values))])})
		}
	}
	return out
}
