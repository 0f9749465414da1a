package parity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
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

// SDK is an SDK by its echo.
type SDK struct {
	// Echo is the folder of the connector.
	Echo string
	// Bits are those of a number that the language has: 64, or 53 of which one is the
	// sign.
	Bits int
	// HidesDuplicates: publish does not say that a message was a duplicate.
	HidesDuplicates bool
	// OwnRandom: its random numbers come from the seed by a generator of its own, where
	// others have Go's ChaCha8.
	OwnRandom bool
}

// Test builds the echo and holds it to what it had to ask and to end with.
func Test(t *testing.T, sdk SDK) {
	t.Helper()
	module, err := build.Module(t.Context(), sdk.Echo)
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
	step := func(request []byte) ([]byte, error) { return instance.StepBytes(t.Context(), nil, request) }
	if err := golden(step); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(rounds) {
		r := &random{rand.New(rand.NewPCG(seed, 0)), sdk}
		ask := func(request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
			reply, err := decoded(step(must(request.MarshalVTStrict())))
			if err == nil {
				err = host.CheckReply(request, reply)
			}
			return reply, err
		}
		if err := errors.Join(r.converse(ask), r.frames(ask)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// decoded reads a reply, which has to be canonical.
func decoded(raw []byte, err error) (*sdkv1.StepReply, error) {
	reply := new(sdkv1.StepReply)
	if err == nil {
		err = reply.UnmarshalVT(raw)
	}
	if err == nil && !bytes.Equal(raw, must(reply.MarshalVTStrict())) {
		err = fmt.Errorf("the reply is not canonical: %x", raw)
	}
	return reply, err
}

func must(out []byte, err error) []byte {
	if err != nil {
		panic(err) // the generated encoder fails for none of these
	}
	return out
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

// converse gives the echo a random job or schedule and answers what it asks for, to
// its end.
func (r *random) converse(step func(*sdkv1.StepRequest) (*sdkv1.StepReply, error)) error {
	request, effects := r.request()
	answers := []any{}
	for n, effect := range effects {
		reply, err := step(request)
		if err != nil {
			return err
		}
		effect.Ordinal = uint32(n + 1)
		want, got := must(effect.MarshalVTStrict()), []byte(nil)
		if len(reply.Effects) == 1 {
			got = must(reply.Effects[0].MarshalVTStrict())
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("effect %d:\n got %s\nwant %s", n+1, conformance.Render(reply), conformance.Render(&sdkv1.StepReply{Effects: []*sdkv1.Effect{effect}}))
		}
		answer, described := r.answer(effect)
		answers = append(answers, described)
		if c := effect.GetCheckpoint(); c != nil && answer.GetDone() != nil {
			request.State, request.History, answers = c.State, nil, []any{}
		}
		request.History = append(request.History, &sdkv1.Entry{
			Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: request.Trigger.TimeMs + int64(n) + 1, Answer: answer,
		})
	}
	reply, err := step(request)
	if err != nil {
		return err
	}
	drawn := uuid(request.Seed)
	got := map[string]string{}
	for _, v := range reply.GetOutcome().GetComplete().GetVariables() {
		got[v.Name] = string(v.Json)
	}
	if r.sdk.OwnRandom {
		drawn = randomUUID.FindString(got["job"])
	}
	want := map[string]string{"answers": text(answers), "job": text(described(request, drawn))}
	for name := range want {
		if got[name] != want[name] {
			return fmt.Errorf("variable %s:\n got %s\nwant %s (reply %s)", name, got[name], want[name], conformance.Render(reply))
		}
	}
	var settled []*sdkv1.Settlement
	if key := doubt(jobOf(request)); key != nil {
		settled = []*sdkv1.Settlement{{Key: "k", Done: *key != ""}}
	}
	if got := reply.Outcome.Settlements; !slices.EqualFunc(got, settled, func(a, b *sdkv1.Settlement) bool { return a.Key == b.Key && a.Done == b.Done }) {
		return fmt.Errorf("settled %v, want %v", got, settled)
	}
	return mismatches(step, request)
}

// frames gives the echo a frame, and asks for its key.
func (r *random) frames(step func(*sdkv1.StepRequest) (*sdkv1.StepReply, error)) error {
	link, data, event := "echo", r.bytes(), sdkv1.LinkEvent(r.IntN(3))
	key := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_FrameKey{FrameKey: &sdkv1.FrameKey{Link: link, Data: data}}}}
	reply, err := step(key)
	if want := hex.EncodeToString(data); err == nil && reply.GetOutcome().GetMatchKey().GetKey() != want {
		err = fmt.Errorf("got %s, want %s", conformance.Render(reply), want)
	}
	if err != nil {
		return fmt.Errorf("match key: %w", err)
	}
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: link, Data: data, Event: event}}}}
	reply, err = step(request)
	effect := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "frames"}}}
	if err == nil && (len(reply.Effects) != 1 || !bytes.Equal(must(reply.Effects[0].MarshalVTStrict()), must(effect.MarshalVTStrict()))) {
		err = fmt.Errorf("got %s", conformance.Render(reply))
	}
	if err != nil {
		return fmt.Errorf("a frame: %w", err)
	}
	value := uint64(r.number())
	request.History = []*sdkv1.Entry{{Ordinal: 1, Digest: abi.EffectDigest(effect), Answer: &sdkv1.Answer{
		Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: value}},
	}}}
	reply, err = step(request)
	want := [][]byte{fmt.Append(nil, int(event)), data, fmt.Append(nil, value)}
	if got := reply.GetOutcome().GetFrames().GetFrames(); err == nil && !slices.EqualFunc(got, want, bytes.Equal) {
		err = fmt.Errorf("frames: got %q, want %q", got, want)
	}
	return err
}

// mismatches changes a digest and the length of the history: both are found out.
func mismatches(step func(*sdkv1.StepRequest) (*sdkv1.StepReply, error), request *sdkv1.StepRequest) error {
	last := request.History[len(request.History)-1]
	if last.Ordinal == request.History[0].Ordinal && len(request.State) > 0 {
		return nil // a checkpoint's own, which is not asked for again
	}
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

// randomUUID is a UUID of version 4.
var randomUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// described is what the echo says of its job, having drawn that UUID.
func described(request *sdkv1.StepRequest, drawn string) []string {
	job, now := jobOf(request), request.Trigger.TimeMs
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
	if key := doubt(job); key != nil {
		prior = *key
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
	return append(out, prior, s, n, fmt.Sprint(now), drawn, hex.EncodeToString(request.State))
}

func jobOf(request *sdkv1.StepRequest) *sdkv1.Job {
	if schedule := request.Trigger.GetSchedule(); schedule != nil {
		return schedule.Job
	}
	return request.Trigger.GetJob()
}

// doubt is the idempotency key of the effect k that an earlier attempt left in doubt.
func doubt(job *sdkv1.Job) *string {
	for _, p := range job.Prior {
		if p.Key == "k" {
			return &p.IdempotencyKey
		}
	}
	return nil
}

// uuid is the first that a connector draws of the seed.
func uuid(seed []byte) string {
	source := rand.NewChaCha8([32]byte(seed))
	high, low := source.Uint64()&^0xf000|0x4000, source.Uint64()&^(3<<62)|2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
