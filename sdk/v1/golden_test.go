package sdkv1

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

const goldenFile = "testdata/golden.txt"

// message is what every generated type of the contract can do.
type message interface {
	MarshalVTStrict() ([]byte, error)
	UnmarshalVT([]byte) error
}

// samples holds one message of each shape, with every kind of field: the bytes
// of these may never change, since digests in histories are taken over them.
var samples = []struct {
	name  string
	value message
	empty message
}{
	{"step-request", request, new(StepRequest)},
	{"trigger-http", &Trigger{TimeMs: 1, Tenant: "greenbank", Kind: &Trigger_Http{Http: &HttpRequest{
		Route: "parties", Method: "PUT", Path: "/parties/MSISDN/1", PathParams: headers("type", "MSISDN"),
		Query: headers("q", "1"), Headers: headers("fspiop-source", "payeefsp"), Body: []byte("{}")}}}, new(Trigger)},
	{"trigger-frame", &Trigger{Kind: &Trigger_Frame{Frame: &Frame{Link: "net", Data: []byte{1, 2}}}}, new(Trigger)},
	{"trigger-frame-key", &Trigger{Kind: &Trigger_FrameKey{FrameKey: &FrameKey{Link: "net", Data: []byte{1}}}}, new(Trigger)},
	{"trigger-schedule", &Trigger{Kind: &Trigger_Schedule{Schedule: &Schedule{Name: "cut-off"}}}, new(Trigger)},
	{"http", effect(1, &Effect_Http{Http: &Http{Endpoint: "bank", Method: "POST", Path: "/holds?a=b",
		Headers: headers("accept", "application/json"), Body: []byte(`{"amount":"12.50"}`), Key: "hold", TimeoutMs: 300,
		Terms: &Terms{Amount: "12.50", Currency: "TZS", Debtor: "A", Creditor: "B"}}}), new(Effect)},
	{"start-payment", effect(2, &Effect_StartPayment{StartPayment: &StartPayment{Flow: "f", ClientKey: "k",
		RequestDigest: bytes.Repeat([]byte{0xab}, 32), Variables: vars("a", "1", "b", `"x"`), UuidVariable: "transactionId"}}), new(Effect)},
	{"publish", effect(3, &Effect_Publish{Publish: &Publish{Name: "quote-callback", Key: "q", MessageId: "m", TtlMs: 30000,
		Variables: vars("quoteFailed", "false")}}), new(Effect)},
	{"await-result", effect(4, &Effect_AwaitResult{AwaitResult: &AwaitResult{Payment: "u", TimeoutMs: 1}}), new(Effect)},
	{"query", effect(5, &Effect_Query{Query: &Query{Payment: "u", ClientKey: "k"}}), new(Effect)},
	{"query-variables", effect(5, &Effect_Query{Query: &Query{Payment: "u", Variables: []string{"a", "b"}}}), new(Effect)},
	{"answer-variables", entry(5, &Answer_Query{Query: &QueryAnswer{Found: true, Variables: vars("a", "1")}}), new(Entry)},
	{"sleep", effect(6, &Effect_Sleep{Sleep: &Sleep{DurationMs: 1000}}), new(Effect)},
	{"sequence", effect(7, &Effect_Sequence{Sequence: &Sequence{Name: "stan"}}), new(Effect)},
	{"emit", effect(8, &Effect_Emit{Emit: &Emit{Name: "seen", Json: []byte(`{}`)}}), new(Effect)},
	{"checkpoint", effect(9, &Effect_Checkpoint{Checkpoint: &Checkpoint{State: []byte{0}}}), new(Effect)},
	{"round-trip", effect(10, &Effect_RoundTrip{RoundTrip: &RoundTrip{Link: "net", Data: []byte{1}, MatchKey: "k", TimeoutMs: 5,
		Key: "auth", Terms: &Terms{Amount: "1"}}}), new(Effect)},
	{"send", effect(11, &Effect_Send{Send: &Send{Link: "net", Data: []byte{1}}}), new(Effect)},
	{"forward", effect(12, &Effect_Forward{Forward: &Forward{Link: "net", Key: "k", Data: []byte{1}, UntilMs: 9}}), new(Effect)},
	{"sign", effect(13, &Effect_Sign{Sign: &Sign{KeyRef: "jws", Algorithm: "RS256", Data: []byte{1}}}), new(Effect)},
	{"verify", effect(14, &Effect_Verify{Verify: &Verify{KeyRef: "jws", Algorithm: "RS256", Data: []byte{1}, Signature: []byte{2}}}), new(Effect)},
	{"mac", effect(15, &Effect_Mac{Mac: &Mac{KeyRef: "mac", Algorithm: "HS256", Data: []byte{1}}}), new(Effect)},
	{"encrypt", effect(16, &Effect_Encrypt{Encrypt: &Encrypt{KeyRef: "k", Algorithm: "A", Data: []byte{1}}}), new(Effect)},
	{"tokenize", effect(17, &Effect_Tokenize{Tokenize: &Tokenize{Kind: "pan", Value: "v"}}), new(Effect)},
	{"detokenize", effect(300, &Effect_Detokenize{Detokenize: &Detokenize{Token: "t"}}), new(Effect)},
	{"reply-outcome", &StepReply{Outcome: &Outcome{
		Kind:        &Outcome_Complete{Complete: &Complete{Variables: vars("done", "true")}},
		Settlements: []*Settlement{{Key: "hold", Done: true}, {Key: "book"}},
	}}, new(StepReply)},
	{"reply-mismatch", &StepReply{Mismatch: &Mismatch{Ordinal: 3, Want: 1, Got: 1 << 63,
		Effect: effect(3, &Effect_Sleep{Sleep: &Sleep{}})}}, new(StepReply)},
	{"manifest", &Manifest{Name: "bank", Version: "1.0.0", Kind: "ams", Description: "d",
		Jobs:      []*JobType{{Type: "book-{tenant}", Inputs: []string{"a"}, Money: true}},
		Routes:    []*Route{{Name: "r", Method: "GET", Path: "/x/{id}", TenantHeader: "h", TenantAlias: "fsp", BodyMax: 1}},
		Endpoints: []*Endpoint{{Name: "bank", Mode: "keyed", KeyHeader: "X-Key"}}, Secrets: []string{"s"}, Keys: []string{"k"},
		Sensitive: []string{"pan"}, Limits: &Limits{MemoryMaxBytes: 1, StepMsMax: 2}, Contract: 1, Links: []*Link{{Name: "net"}}},
		new(Manifest)},
}

var request = &StepRequest{
	Config: []byte(`{"a":1}`),
	Trigger: &Trigger{TimeMs: 1_767_323_045_000, Tenant: "greenbank", Kind: &Trigger_Job{Job: &Job{
		Type: "block-funds", Payment: "00000000-0000-4000-8000-000000000001", Attempt: 2, Retries: 1,
		Variables: vars("amount", `"12.50"`), Headers: headers("k", "v"),
		Prior:   []*PriorEffect{{Key: "hold", IdempotencyKey: "i"}},
		Element: "BlockFunds", Flow: "f", PaymentStartedMs: 1}}},
	History: []*Entry{
		entry(1, &Answer_Http{Http: &HttpAnswer{Status: 201, Headers: headers("a", "b"), Body: []byte("{}")}}),
		entry(2, &Answer_Start{Start: &StartAnswer{Payment: "u", RepeatedStart: true}}),
		entry(3, &Answer_Publish{Publish: &PublishAnswer{Duplicate: true}}),
		entry(4, &Answer_Query{Query: &QueryAnswer{Found: true, Payment: "u", State: "ended", Result: "completed", Code: "c",
			StartedMs: 1, EndedMs: 2, Flow: "f", ClientKey: "k", Pending: true}}),
		entry(5, &Answer_InDoubt{InDoubt: &InDoubt{IdempotencyKey: "i", Reason: "r"}}),
		entry(6, &Answer_Failure{Failure: &Failure{Code: "BUSY", Text: "t"}}),
		entry(7, &Answer_Sequence{Sequence: &SequenceAnswer{Value: 1 << 63}}),
		entry(8, &Answer_Bytes{Bytes: &BytesAnswer{Data: []byte{1}}}),
		entry(9, &Answer_Bool{Bool: &BoolAnswer{Ok: true}}),
		entry(10, &Answer_Done{Done: &Done{}}),
		entry(11, &Answer_Text{Text: &TextAnswer{Text: "t"}}),
	},
	Seed:  bytes.Repeat([]byte{1}, 32),
	State: []byte("state"),
}

func headers(kv ...string) []*Header {
	var out []*Header
	for i := 0; i < len(kv); i += 2 {
		out = append(out, &Header{Key: kv[i], Value: kv[i+1]})
	}
	return out
}

func vars(kv ...string) []*Variable {
	var out []*Variable
	for i := 0; i < len(kv); i += 2 {
		out = append(out, &Variable{Name: kv[i], Json: []byte(kv[i+1])})
	}
	return out
}

func effect(ordinal uint32, kind isEffect_Kind) *Effect { return &Effect{Ordinal: ordinal, Kind: kind} }

func entry(ordinal uint32, kind isAnswer_Kind) *Entry {
	return &Entry{Ordinal: ordinal, Digest: uint64(ordinal) << 60, TimeMs: int64(ordinal), Answer: &Answer{Kind: kind}}
}

// TestGolden holds the codec to bytes written down once. If it fails, histories
// written by the last release no longer match: do not rewrite the file, add to
// it (RAILHEAD_REWRITE=1).
func TestGolden(t *testing.T) {
	want := map[string]string{}
	text, err := os.ReadFile(goldenFile)
	if err != nil && os.Getenv("RAILHEAD_REWRITE") != "1" {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, bytes, _ := strings.Cut(strings.TrimSpace(line), " ")
		want[name] = bytes
	}
	var out strings.Builder
	for _, s := range samples {
		encoded, err := s.value.MarshalVTStrict()
		if err != nil {
			t.Fatal(s.name, err)
		}
		got := hex.EncodeToString(encoded)
		fmt.Fprintln(&out, s.name, got)
		if got != want[s.name] && os.Getenv("RAILHEAD_REWRITE") != "1" {
			t.Errorf("%s\n got %s\nwant %s", s.name, got, want[s.name])
		}
		if err := s.empty.UnmarshalVT(encoded); err != nil {
			t.Fatal(s.name, err)
		}
		again, err := s.empty.MarshalVTStrict()
		if err != nil || !bytes.Equal(again, encoded) {
			t.Errorf("%s: decoding and encoding changes the bytes", s.name)
		}
	}
	if os.Getenv("RAILHEAD_REWRITE") == "1" {
		if err := os.WriteFile(goldenFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzStepReply: whatever a guest returns, decoding ends without a panic, and
// what decodes encodes to something stable.
func FuzzStepReply(f *testing.F) {
	for _, s := range samples {
		encoded, err := s.value.MarshalVTStrict()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reply := new(StepReply)
		if reply.UnmarshalVT(data) != nil {
			return
		}
		first, err := reply.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		again := new(StepReply)
		if err := again.UnmarshalVT(first); err != nil {
			t.Fatal(err)
		}
		second, err := again.MarshalVTStrict()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%x becomes %x", first, second)
		}
	})
}
