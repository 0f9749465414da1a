package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/conformance"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

type message interface{ MarshalVTStrict() ([]byte, error) }

func bytesOf(t *testing.T, m message) []byte {
	t.Helper()
	b, err := m.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func httpAnswer(status uint32, body string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
		Status: status, Headers: []*sdkv1.Header{{Key: "set-cookie", Value: "session=8842"}}, Body: []byte(body)}}}
}

// held lives a payment whose one job looks the customer up, draws a number and books:
// a repeatable effect, one that is a command, and a call that was intended.
func held(t *testing.T) *life {
	t.Helper()
	xml, err := enginetest.Model("transfer", "start s\ntask book type=book-greenbank\nend done result=completed\ns -> book -> done\n")
	if err != nil {
		t.Fatal(err)
	}
	l := &life{
		Payment: "6b29fc40-ca47-4067-b31d-00dd010662da", Tenant: "greenbank",
		Flows: []savedFlow{{ID: "transfer", Version: 1, File: "transfer.bpmn", XML: xml}},
	}
	env := enginetest.NewEnv(enginetest.NewMemTx())
	apply := func(cmd *enginev1.Command) *enginev1.Event {
		t.Helper()
		res := env.Apply(cmd)
		if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(res.Reply.Text)
		}
		for _, ev := range res.Events {
			if ev.Payment != 0 && ev.Seq != 0 {
				l.Events = append(l.Events, bytesOf(t, ev))
			}
		}
		return res.Reply
	}
	digest := bytes.Repeat([]byte{1}, 32)
	apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "greenbank"}}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "bank", Digest: digest, JobTypes: []string{"book-{tenant}"}}}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "greenbank", Connector: "bank", Digest: digest}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "greenbank", File: "transfer.bpmn", Xml: []byte(xml)}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "greenbank", Flow: "transfer", Variables: []*enginev1.Variable{
			{Name: "amount", Json: []byte(`"12.50"`)}, {Name: "customer", Json: []byte(`{"msisdn":"27710101999","pin":"8213"}`)},
		}}}})
	first, err := l.events()
	if err != nil {
		t.Fatal(err)
	}
	job := first[len(first)-1]
	origin := func(ordinal uint32, since ...*enginev1.HistoryEntry) *enginev1.Origin {
		return &enginev1.Origin{Payment: job.Payment, Job: job.Job, Attempt: 1, Epoch: 1, Ordinal: ordinal, Digest: uint64(ordinal), Since: since}
	}
	found := &enginev1.HistoryEntry{Ordinal: 1, Digest: 1, TimeMs: job.TimeMs + 70, Answered: true,
		Answer: bytesOf(t, httpAnswer(200, `{"name":"Asha","msisdn":"27710101999","accounts":["A1"]}`))}
	apply(&enginev1.Command{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{
		Tenant: "greenbank", Name: "stan", Origin: origin(2, &enginev1.HistoryEntry{TimeMs: job.TimeMs + 20, Answered: true}, found)}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: &enginev1.Intend{
		Origin: origin(3), Endpoint: "ledger", Mode: enginev1.Mode_MODE_KEYED, Key: "book", Terms: []byte("t"), Request: []byte("r")}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin: origin(4),
		LastAnswer: &enginev1.Answer{Origin: origin(3), State: enginev1.EffectState_EFFECT_STATE_DONE,
			Answer: bytesOf(t, httpAnswer(201, `{"booking":"B7","for":"27710101999"}`))},
		Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{}},
	}}})
	return l
}

// bookingSteps is the connector that the payment was recorded with.
func bookingSteps(encoded []byte) []byte {
	request, reply := new(sdkv1.StepRequest), new(sdkv1.StepReply)
	if err := request.UnmarshalVT(encoded); err != nil {
		reply.Error = err.Error()
	}
	var customer string
	for _, v := range request.Trigger.GetJob().GetVariables() {
		if v.Name == "customer" {
			customer = string(v.Json)
		}
	}
	ask := func(kind *sdkv1.Effect) bool {
		n := len(request.History)
		if uint32(n) < kind.Ordinal {
			reply.Effects = []*sdkv1.Effect{kind}
			return false
		}
		if e := request.History[kind.Ordinal-1]; e.Digest != abi.EffectDigest(kind) {
			reply.Mismatch = &sdkv1.Mismatch{Ordinal: kind.Ordinal, Effect: kind}
			return false
		}
		return true
	}
	if ask(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{Endpoint: "ledger", Method: "POST", Path: "/find", Body: []byte(customer)}}}) &&
		ask(&sdkv1.Effect{Ordinal: 2, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}}) &&
		ask(&sdkv1.Effect{Ordinal: 3, Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{Endpoint: "ledger", Method: "POST", Path: "/bookings", Key: "book",
			Terms: &sdkv1.Terms{Amount: "12.50", Currency: "USD"}}}}) {
		reply.Outcome = &sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{}}}
	}
	out, _ := reply.MarshalVTStrict()
	return out
}

func TestARecordedPaymentIsAVector(t *testing.T) {
	subject := conformance.Native(&sdkv1.Manifest{
		Name: "bank", Version: "1.0.0", Kind: "ams", Sensitive: []string{"msisdn"},
		Jobs: []*sdkv1.JobType{{Type: "book-{tenant}"}}, Endpoints: []*sdkv1.Endpoint{{Name: "ledger", Mode: "keyed"}},
	}, bookingSteps)
	v := vectorOf{life: held(t), config: []byte(`{"branch": "1"}`), subject: &subject}
	text, err := v.text(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"27710101999", "8213", "8842"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is not masked:\n%s", secret, text)
		}
	}
	for _, want := range []string{
		"job book-{tenant}\n", `config {"branch":"1"}`, `var amount "12.50"`, "answer sequence 1\n", "after 50ms\n",
		"3 http ledger POST /bookings\nkey book\nterms amount=12.50 currency=USD\n", "----\ncomplete\n", `"booking":"B7"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in it:\n%s", want, text)
		}
	}
	// One number, masked alike in the variable, in what the connector sends, in both
	// answers; digits for digits.
	masked := regexp.MustCompile(`"msisdn":"(\d{11})"`).FindStringSubmatch(text)
	if masked == nil || strings.Count(text, masked[1]) != 4 {
		t.Errorf("the number's mask:\n%s", text)
	}
	// What was written is a vector, and the connector passes it.
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "testdata", "v.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	vectors, err := conformance.Load(dir)
	if err != nil || len(vectors) != 1 {
		t.Fatalf("%v, %d vectors", err, len(vectors))
	}
	if again, err := conformance.Complete(t.Context(), subject, text); err != nil || again != text {
		t.Errorf("run again: %v\n%s", err, again)
	}
}

// In a recorded frame the value of a token was not written down. What takes its place is
// what takes the place of the token's value elsewhere, of the same length: the connector
// finds in the frame the number that it asked for.
func TestARecordedFrameHasDigitsForATokensValue(t *testing.T) {
	token := "tok_pan_" + base64.RawURLEncoding.EncodeToString(make([]byte, 1+4+16+15))
	detokenize := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: token}}}
	frame := &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: []byte("\x01{{token-packed:" + token + "+f}}{{token:" + token + "}}")}}}
	v := new(vectorOf)
	answers, _, err := v.answers([]*enginev1.Event{
		{Job: 1, Attempt: 1, Ordinal: 2, Kind: enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED, Answer: bytesOf(t, frame)},
		{Job: 1, Attempt: 1, History: []*enginev1.HistoryEntry{{Ordinal: 1, Answered: true, Withheld: true, Request: bytesOf(t, detokenize)}}},
	}, &enginev1.Event{Job: 1, Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	number := answers[0].Answer.GetText().GetText()
	packed, err := hex.DecodeString(number + "f")
	if err != nil || len(number) != 15 {
		t.Fatalf("%q, %v", number, err)
	}
	if got := string(answers[1].Answer.GetBytes().GetData()); got != "\x01"+string(packed)+number {
		t.Errorf("the frame is %q, the number %s", got, number)
	}
}

func TestVectorsThatCannotBe(t *testing.T) {
	l := held(t)
	if _, err := (&vectorOf{life: l, job: 99}).text(t.Context()); err == nil || !strings.Contains(err.Error(), "book, attempt 1") {
		t.Errorf("an unknown job: %v", err)
	}
	events, err := l.events()
	if err != nil {
		t.Fatal(err)
	}
	// A timeline of before they kept answers.
	l.Events = nil
	for _, ev := range events {
		ev.History = nil
		l.Events = append(l.Events, bytesOf(t, ev))
	}
	if _, err := (&vectorOf{life: l}).text(t.Context()); err == nil || !strings.Contains(err.Error(), "ordinal 1 is not on the timeline") {
		t.Errorf("a missing answer: %v", err)
	}
}
