package ingress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/keys"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const pan = "4111111111111111"

// TestEffectsOfARequest: what a request may ask for is done, and a card number that
// it made a token of does not get into the log by it.
func TestEffectsOfARequest(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "green"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"tokens.key": strings.Repeat("5a", 64), "mac.key": strings.Repeat("0b", 32)} {
		if err := os.WriteFile(filepath.Join(dir, "green", name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	effects := []*sdkv1.Effect{
		{Kind: &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: "pan", Value: pan}}},
		{Kind: &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: "mac", Algorithm: "HS256", Data: []byte(pan)}}},
		{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}},
		{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: "seen", Json: []byte(`{}`)}}},
		{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "note", Key: "k", MessageId: "m"}}},
		{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "note", Key: "k", MessageId: "m"}}},
		{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: "leaked", Json: []byte(`{"card":"` + pan + `"}`)}}},
		{Kind: &sdkv1.Effect_Query{Query: &sdkv1.Query{ClientKey: "nobody"}}},
		{Kind: &sdkv1.Effect_AwaitResult{AwaitResult: &sdkv1.AwaitResult{Payment: "no payment"}}},
	}
	var answers []*sdkv1.Answer
	step := func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		if n := len(r.History); n < len(effects) {
			effects[n].Ordinal = uint32(n + 1)
			return effect(effects[n])
		}
		for _, e := range r.History {
			answers = append(answers, e.Answer)
		}
		return reply(&sdkv1.Reply{Status: 200})
	}
	h, log := newHandlerOfKeys(t, step, keys.Surroundings{Dir: dir},
		`{"tokens":{"file":"tokens.key"},"connectors":{"ch":{"auth":{"kind":"none"},"tokens":{"tokenize":true},
		  "keys":{"mac":{"file":"mac.key","algorithms":["HS256"],"uses":["mac"]}}}}}`)
	var emitted []string
	log.told = func(ev *enginev1.Event) {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_EMITTED {
			emitted = append(emitted, ev.Name)
		}
	}
	if w, _ := post(h); w.Code != 200 || len(answers) != len(effects) {
		t.Fatalf("%d %s, %d answers", w.Code, w.Body, len(answers))
	}
	if token := answers[0].GetText().GetText(); !keys.Token.MatchString(token) {
		t.Errorf("token %q", token)
	}
	if len(answers[1].GetBytes().GetData()) != 32 || answers[2].GetSequence().GetValue() != 1 || answers[3].GetDone() == nil {
		t.Errorf("%v %v %v", answers[1], answers[2], answers[3])
	}
	if answers[4].GetPublish() == nil || answers[4].GetPublish().Duplicate || !answers[5].GetPublish().GetDuplicate() {
		t.Errorf("%v %v", answers[4], answers[5])
	}
	if answers[6].GetFailure().GetCode() != "FORBIDDEN" || len(emitted) != 1 {
		t.Errorf("%v, emitted %v", answers[6], emitted)
	}
	if answers[7].GetQuery() == nil || answers[7].GetQuery().Found || answers[8].GetQuery() == nil || answers[8].GetQuery().Found {
		t.Errorf("%v %v", answers[7], answers[8])
	}
}

// TestAMismatchOfARequest: nobody is served by a connector that is not deterministic.
func TestAMismatchOfARequest(t *testing.T) {
	asked := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "first"}}}
	h, _ := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		if len(r.History) == 0 {
			return effect(asked)
		}
		other := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "second"}}}
		return &sdkv1.StepReply{Mismatch: &sdkv1.Mismatch{Ordinal: 1, Effect: other}}, nil
	}, nil)
	if w, p := post(h); w.Code != 500 || p.Code != "CONNECTOR_FAILED" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	text := connector.Mismatch(1, asked, &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 5}}})
	if !strings.Contains(text, "asks for sleep 5 ms") || !strings.Contains(text, "asked for sequence first") {
		t.Error(text)
	}
}
