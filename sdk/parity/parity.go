package parity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// rounds is how many random jobs the echo is given; each is two to twelve steps.
const rounds = 400

// Test builds the echo in the folder and holds it to what it had to ask and to end
// with.
func Test(t *testing.T, dir string) {
	t.Helper()
	module, err := build.Module(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close(t.Context()) //nolint:errcheck // the test's process ends
	instance, err := opened.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := func(request *sdkv1.StepRequest) (*sdkv1.StepReply, error) { return instance.Step(t.Context(), request) }
	for seed := range uint64(rounds) {
		r := &random{rand.New(rand.NewPCG(seed, 0))}
		if err := r.converse(step); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Panics runs the module's job "panics", and looks for the texts in the host's error.
func Panics(t *testing.T, module []byte, texts ...string) {
	t.Helper()
	opened, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close(t.Context()) //nolint:errcheck // the test's process ends
	instance, err := opened.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = instance.Step(t.Context(), &sdkv1.StepRequest{
		Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{Type: "panics"}}},
	})
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error: %v", text, err)
		}
	}
}

// converse gives the echo a random job and answers what it asks for, to its end.
func (r *random) converse(step func(*sdkv1.StepRequest) (*sdkv1.StepReply, error)) error {
	request, effects := r.request()
	answers := []any{}
	for n, effect := range effects {
		reply, err := step(request)
		if err != nil {
			return err
		}
		effect.Ordinal = uint32(n + 1)
		want, got := encoded(effect), []byte(nil)
		if len(reply.Effects) == 1 {
			got = encoded(reply.Effects[0])
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("effect %d:\n got %s\nwant %s", n+1, conformance.Render(reply), conformance.Render(&sdkv1.StepReply{Effects: []*sdkv1.Effect{effect}}))
		}
		answer, described := r.answer(effect)
		answers = append(answers, described)
		request.History = append(request.History, &sdkv1.Entry{
			Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: request.Trigger.TimeMs + int64(n) + 1, Answer: answer,
		})
	}
	reply, err := step(request)
	if err != nil {
		return err
	}
	want := map[string]string{"answers": text(answers), "job": text(described(request))}
	got := map[string]string{}
	for _, v := range reply.GetOutcome().GetComplete().GetVariables() {
		got[v.Name] = string(v.Json)
	}
	for name := range want {
		if got[name] != want[name] {
			return fmt.Errorf("variable %s:\n got %s\nwant %s (reply %s)", name, got[name], want[name], conformance.Render(reply))
		}
	}
	return mismatches(step, request)
}

// mismatches changes a digest and the length of the history: both are found out.
func mismatches(step func(*sdkv1.StepRequest) (*sdkv1.StepReply, error), request *sdkv1.StepRequest) error {
	last := request.History[len(request.History)-1]
	last.Digest ^= 1 << 40
	reply, err := step(request)
	if err != nil || reply.GetMismatch().GetOrdinal() != last.Ordinal || reply.Mismatch.Want != last.Digest || reply.Mismatch.Got != last.Digest^1<<40 {
		return fmt.Errorf("a changed digest: %s, %w", conformance.Render(reply), err)
	}
	last.Digest ^= 1 << 40
	extra := &sdkv1.Entry{Ordinal: last.Ordinal + 1, Digest: 7, Answer: &sdkv1.Answer{}}
	request.History = append(request.History, extra)
	reply, err = step(request)
	if err != nil || reply.GetMismatch().GetOrdinal() != extra.Ordinal || reply.Mismatch.Want != 7 || reply.Mismatch.Effect != nil {
		return fmt.Errorf("history left over: %s, %w", conformance.Render(reply), err)
	}
	return nil
}

func encoded(effect *sdkv1.Effect) []byte {
	out, err := effect.MarshalVTStrict()
	if err != nil {
		panic(err)
	}
	return out
}

// text is JSON as the SDKs write it: without escapes for HTML and JavaScript.
func text(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), `\u2028`, "\u2028")
}

// described is what the echo says of its job.
func described(request *sdkv1.StepRequest) []string {
	job, now := request.Trigger.GetJob(), request.Trigger.TimeMs
	if n := len(request.History); n > 0 {
		now = request.History[n-1].TimeMs
	}
	out := []string{
		job.Type, job.Payment, fmt.Sprint(job.Attempt), fmt.Sprint(job.Retries), job.Element, job.Flow, fmt.Sprint(job.PaymentStartedMs),
	}
	find := func(name string) (found string) {
		for _, h := range slices.Backward(job.Headers) {
			if h.Key == name {
				found = h.Value
			}
		}
		return found
	}
	out = append(out, find("h"))
	prior := ""
	for _, p := range slices.Backward(job.Prior) {
		if p.Key == "k" {
			prior = p.IdempotencyKey
		}
	}
	var s string
	n := "none"
	for _, v := range job.Variables {
		switch v.Name {
		case "s":
			if err := json.Unmarshal(v.Json, &s); err != nil {
				panic(err)
			}
		case "i":
			n = string(v.Json)
		}
	}
	return append(out, prior, s, n, fmt.Sprint(now), uuid(request.Seed))
}

// uuid is the first that a connector draws of the seed.
func uuid(seed []byte) string {
	source := rand.NewChaCha8([32]byte(seed))
	high, low := source.Uint64()&^0xf000|0x4000, source.Uint64()&^(3<<62)|2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
