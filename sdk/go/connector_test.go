package connector_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// probe does what the variable "do" says, so that one served connector is
// enough for every test of this file.
func probe(c *connector.Context, job *connector.Job) connector.Outcome {
	switch job.String("do") {
	case "clock":
		before := c.Now()
		if err := c.Sleep(time.Second); err != nil {
			return connector.Fail("SLEEP", err.Error())
		}
		return connector.Complete(connector.Vars{"before": before.UnixMilli(), "after": c.Now().UnixMilli()})
	case "random":
		first := c.UUID()
		if _, err := c.Sequence("n"); err != nil {
			return connector.Fail("SEQUENCE", err.Error())
		}
		return connector.Complete(connector.Vars{"first": first, "second": c.UUID()})
	case "errors":
		_, err := c.HTTP(connector.HTTP{Endpoint: "bank", Method: "GET", Path: "/"})
		var doubt *connector.InDoubt
		var failure *connector.Failure
		switch {
		case errors.As(err, &doubt):
			return connector.Doubtful("k", doubt.IdempotencyKey+" "+doubt.Reason)
		case errors.As(err, &failure):
			return connector.BpmnError(failure.Code, failure.Text).With(connector.Vars{"x": 1})
		}
		return connector.Complete(nil)
	case "checkpoint":
		if c.State() == nil {
			err := c.Checkpoint([]byte("half way"))
			return connector.Fail("CHECKPOINT", err.Error())
		}
		n, err := c.Sequence("n")
		if err != nil {
			return connector.Fail("SEQUENCE", err.Error())
		}
		return connector.Complete(connector.Vars{"state": string(c.State()), "n": n})
	case "settle":
		c.Settle("hold", true)
		return connector.Complete(nil)
	case "panic":
		var nothing *connector.Response
		return connector.Complete(connector.Vars{"x": nothing.Status}) //nolint:govet // the mistake is the test
	case "recover":
		defer func() { _ = recover() }()
		_, err := c.Sequence("n")
		return connector.Fail("SEQUENCE", err.Error())
	case "struct":
		return connector.Complete(connector.Vars{"bad": struct{ A int }{1}})
	case "zero":
		return connector.Outcome{}
	}
	return connector.Complete(nil)
}

func echo(c *connector.Context, r *connector.Request) connector.Reply {
	return connector.JSON(200, connector.Vars{
		"id": r.Param("id"), "q": r.Query("q"), "h": r.Header("X-Id"), "tenant": c.Tenant(),
	})
}

func doing(what string, history ...*sdkv1.Entry) *sdkv1.StepRequest {
	return &sdkv1.StepRequest{
		Trigger: &sdkv1.Trigger{TimeMs: 1000, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type:      "probe",
			Variables: []*sdkv1.Variable{{Name: "do", Json: []byte(`"` + what + `"`)}},
		}}},
		Seed:    []byte(strings.Repeat("s", abi.SeedBytes)),
		History: history,
	}
}

// answered steps once to learn the effect, then answers it.
func answered(t *testing.T, request *sdkv1.StepRequest, timeMs int64, answer *sdkv1.Answer) *sdkv1.StepRequest {
	t.Helper()
	reply := runStep(request)
	if len(reply.Effects) != 1 {
		t.Fatalf("got %+v, want one effect", reply)
	}
	request.History = append(request.History, &sdkv1.Entry{
		Ordinal: reply.Effects[0].Ordinal,
		Digest:  abi.EffectDigest(reply.Effects[0]),
		TimeMs:  timeMs,
		Answer:  answer,
	})
	return request
}

func done() *sdkv1.Answer { return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}} }

func sequence(n uint64) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: n}}}
}

func variables(t *testing.T, reply *sdkv1.StepReply) map[string]string {
	t.Helper()
	complete := reply.GetOutcome().GetComplete()
	if complete == nil {
		t.Fatalf("got %+v, want a Complete", reply)
	}
	out := map[string]string{}
	for _, v := range complete.Variables {
		out[v.Name] = string(v.Json)
	}
	return out
}

func TestNowIsTheTimeOfTheLastConsumedEntry(t *testing.T) {
	got := variables(t, runStep(answered(t, doing("clock"), 2500, done())))
	if got["before"] != "1000" || got["after"] != "2500" {
		t.Fatalf("got %v", got)
	}
}

func TestRandomnessIsTheSameInEveryRun(t *testing.T) {
	request := answered(t, doing("random"), 0, sequence(1))
	first, second := variables(t, runStep(request)), variables(t, runStep(request))
	if first["first"] != second["first"] || first["second"] != second["second"] {
		t.Fatalf("%v and %v differ", first, second)
	}
	if first["first"] == first["second"] {
		t.Fatal("two draws are equal")
	}
	if u := first["first"]; len(u) != 38 || u[15] != '4' || !strings.ContainsRune("89ab", rune(u[20])) {
		t.Fatalf("%s is not a version 4 UUID", u)
	}
	request = answered(t, doing("random"), 0, sequence(1))
	request.Seed = []byte(strings.Repeat("t", abi.SeedBytes))
	if other := variables(t, runStep(request)); other["first"] == first["first"] {
		t.Fatal("another seed draws the same numbers")
	}
}

func TestMismatch(t *testing.T) {
	request := answered(t, doing("random"), 0, sequence(1))
	want := request.History[0].Digest
	request.History[0].Digest++
	reply := runStep(request)
	m := reply.Mismatch
	if m == nil || m.Ordinal != 1 || m.Want != want+1 || m.Got != want || m.Effect.GetSequence().GetName() != "n" {
		t.Fatalf("got %+v", reply)
	}
	if len(reply.Effects) != 0 || reply.Outcome != nil {
		t.Fatalf("a mismatch comes with something else: %+v", reply)
	}
}

// A handler that recovers from the unwinding does no harm.
func TestRecoverDoesNotHideAnEffect(t *testing.T) {
	reply := runStep(doing("recover"))
	if len(reply.Effects) != 1 || reply.Effects[0].GetSequence() == nil || reply.Outcome != nil {
		t.Fatalf("got %+v", reply)
	}
}

func TestHistoryLeftOverIsAMismatch(t *testing.T) {
	request := answered(t, doing("clock"), 0, done())
	request.History = append(request.History, &sdkv1.Entry{Ordinal: 2, Digest: 7, Answer: done()})
	reply := runStep(request)
	if m := reply.Mismatch; m == nil || m.Ordinal != 2 || m.Want != 7 || m.Got != 0 || m.Effect != nil {
		t.Fatalf("got %+v", reply)
	}
}

func TestErrorsOfEffects(t *testing.T) {
	reply := runStep(answered(t, doing("errors"), 0, &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{
		InDoubt: &sdkv1.InDoubt{IdempotencyKey: "id", Reason: "silence"}}}))
	if d := reply.GetOutcome().GetDoubt(); d == nil || d.Reason != "id silence" {
		t.Fatalf("got %+v", reply)
	}
	reply = runStep(answered(t, doing("errors"), 0, &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{
		Failure: &sdkv1.Failure{Code: "BUSY", Text: "later"}}}))
	if e := reply.GetOutcome().GetBpmnError(); e == nil || e.Code != "BUSY" || len(e.Variables) != 1 {
		t.Fatalf("got %+v", reply)
	}
	// An answer of another kind is no answer.
	reply = runStep(answered(t, doing("errors"), 0, done()))
	if e := reply.GetOutcome().GetBpmnError(); e == nil || e.Code != "INVALID" {
		t.Fatalf("got %+v", reply)
	}
}

// An HTTP effect that was settled as done by enquiry has no answer to give. It is
// no failure: that would say that it certainly was not done.
func TestDoneWithoutAnAnswerIsInDoubt(t *testing.T) {
	for what, answer := range map[string]*sdkv1.Answer{"empty": {}, "none": nil} {
		d := runStep(answered(t, doing("errors"), 0, answer)).GetOutcome().GetDoubt()
		if d == nil || !strings.Contains(d.Reason, "it was done") || !strings.Contains(d.Reason, "lost") {
			t.Errorf("%s: got %+v", what, d)
		}
	}
	// Of an answer of a kind that this SDK does not know it cannot say that.
	reply := runStep(answered(t, doing("errors"), 0, sequence(7)))
	if e := reply.GetOutcome().GetBpmnError(); e == nil || e.Code != "INVALID" {
		t.Errorf("got %+v", reply)
	}
}

func TestCheckpointBeginsAnew(t *testing.T) {
	request := answered(t, doing("checkpoint"), 5, done())
	request.State = []byte("half way")
	reply := runStep(request)
	if len(reply.Effects) != 1 || reply.Effects[0].Ordinal != 2 {
		t.Fatalf("got %+v, want the effect after the checkpoint", reply)
	}
	got := variables(t, runStep(answered(t, request, 6, sequence(9))))
	if got["state"] != `"half way"` || got["n"] != "9" {
		t.Fatalf("got %v", got)
	}
}

func TestSettlementsGoWithTheOutcome(t *testing.T) {
	s := runStep(doing("settle")).GetOutcome().Settlements
	if len(s) != 1 || s[0].Key != "hold" || !s[0].Done {
		t.Fatalf("got %+v", s)
	}
}

func TestTheConnectorsOwnMistakes(t *testing.T) {
	for what, want := range map[string]string{
		"panic":  "nil pointer",
		"struct": `"bad"`,
	} {
		if reply := runStep(doing(what)); !strings.Contains(reply.Error, want) || reply.Outcome != nil {
			t.Errorf("%s: got %+v", what, reply)
		}
	}
	if f := runStep(doing("zero")).GetOutcome().GetFail(); f.GetCode() != "NO_OUTCOME" {
		t.Errorf("the zero Outcome gave %+v", f)
	}
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(connector.Step([]byte{0xff})); err != nil || reply.Error == "" {
		t.Errorf("an undecodable request gave %+v, %v", reply, err)
	}
}

func TestUnknownTriggers(t *testing.T) {
	job := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{Type: "nobody"}}}}
	if f := runStep(job).GetOutcome().GetFail(); f.GetCode() != "UNKNOWN_JOB" || f.GetRetryable() {
		t.Errorf("an unknown job gave %+v", f)
	}
	http := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{Route: "nowhere"}}}}
	if r := runStep(http).GetOutcome().GetReply(); r.GetStatus() != 404 {
		t.Errorf("an unknown route gave %+v", r)
	}
	if f := runStep(&sdkv1.StepRequest{}).GetOutcome().GetFail(); f.GetCode() != "UNKNOWN_TRIGGER" {
		t.Errorf("no trigger gave %+v", f)
	}
}

func TestRoute(t *testing.T) {
	reply := runStep(&sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Tenant: "greenbank", Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
		Route:      "echo",
		PathParams: []*sdkv1.Header{{Key: "id", Value: "7"}},
		Query:      []*sdkv1.Header{{Key: "q", Value: "a b"}},
		Headers:    []*sdkv1.Header{{Key: "x-id", Value: "h"}},
	}}}})
	got := reply.GetOutcome().GetReply()
	if got.GetStatus() != 200 || string(got.GetBody()) != `{"h":"h","id":"7","q":"a b","tenant":"greenbank"}` {
		t.Fatalf("got %+v", reply)
	}
}
