package leader

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/replica"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TestEffectsOfAJob goes through what a job may ask for beside calls, with a
// checkpoint in between, and loses its leader after every command.
func TestEffectsOfAJob(t *testing.T) {
	around, token := cardKeys(t)
	run := func(g *guest) *sdkv1.Outcome {
		if len(g.request.State) == 0 {
			tag := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: "mac", Algorithm: "HS256", Data: []byte("x")}}})
			seq := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}})
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: "authenticated", Json: []byte(`{}`)}}})
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{
				State: fmt.Appendf(nil, `{"tag":"%x","stan":%d}`, tag.GetBytes().GetData()[:4], seq.GetSequence().GetValue())}}})
		}
		number := detokenize(g, token)
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "note", Key: "k", MessageId: "m"}}})
		again := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: "pan", Value: number}}}).GetText().GetText()
		await := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_AwaitResult{AwaitResult: &sdkv1.AwaitResult{Payment: g.job().Payment}}})
		unbound := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sign{Sign: &sdkv1.Sign{KeyRef: "jws", Algorithm: "PS256"}}})
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1000}}})
		return complete("state", string(g.request.State), "token", fmt.Sprintf("%q", again),
			"await", fmt.Sprintf("%q", await.GetFailure().GetCode()), "unbound", fmt.Sprintf("%q", unbound.GetFailure().GetCode()))
	}
	c := newClusterWith(t, setup{url: "http://127.0.0.1:1", mode: "ask", keys: around, more: cardMore, tokens: cardTokens}, run)
	cut := make(chan chan struct{}, 1)
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		switch cmd.Verb.(type) {
		case *enginev1.Command_FireTimers, *enginev1.Command_Expire, *enginev1.Command_LeaderStarted, *enginev1.Command_StartPayment:
			return true, nil
		}
		select {
		case done := <-cut:
			close(done)
			return true, replica.ErrUnknown
		default:
			return true, nil
		}
	})
	c.start("a")
	for terms := 0; len(c.log.told(enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED)) == 0; terms++ {
		if failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED); terms > 40 || len(failed) > 0 {
			t.Fatalf("%v after %d terms", failed, terms)
		}
		done := make(chan struct{})
		cut <- done
		c.elect()
		until(t, "a command", func() bool {
			select {
			case <-done:
				return true
			default:
			}
			c.clock.Advance(time.Minute)
			return false
		})
		c.resign()
	}
	vars := map[string]string{}
	finished := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)[0]
	for _, v := range finished.Variables {
		vars[v.Name] = string(v.Json)
	}
	// HMAC-SHA256 of "x" under 32 bytes of 0b, by any other tool.
	if vars["state"] != `{"tag":"`+macOfX+`","stan":1}` || vars["token"] != `"`+token+`"` {
		t.Errorf("%v", vars)
	}
	if vars["await"] != `"`+abi.FailureUnsupported+`"` || vars["unbound"] != `"`+abi.FailureNotFound+`"` {
		t.Errorf("%v", vars)
	}
	if n := len(c.log.told(enginev1.EventKind_EVENT_KIND_EMITTED)); n != 1 {
		t.Errorf("%d events of the connector's", n)
	}
	checkHistory(t, c.log.told(enginev1.EventKind_EVENT_KIND_CHECKPOINTED)[0], 0, 1, 2, 3)
	checkHistory(t, finished, 4, 5, 6, 7, 8, 9, 10)
	for _, e := range finished.History {
		if request := new(sdkv1.Effect); e.Ordinal == 5 {
			if len(e.Answer) != 0 || !e.Withheld || request.UnmarshalVT(e.Request) != nil || request.GetDetokenize().GetToken() != token {
				t.Errorf("what Detokenize answered: %v", e)
			}
		}
	}
}

const macOfX = "5d3c3c93"

// checkHistory looks for the ordinals that an event should tell of.
func checkHistory(t *testing.T, ev *enginev1.Event, ordinals ...uint32) {
	t.Helper()
	var got []uint32
	for _, e := range ev.History {
		got = append(got, e.Ordinal)
		if e.Digest != 0 {
			t.Errorf("ordinal %d has its digest", e.Ordinal)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(ordinals) {
		t.Errorf("%s tells of %v, want %v", ev.Kind, got, ordinals)
	}
}

// TestWhatAJobHeardIsOnItsTimeline: also what nothing but the outcome follows. A job
// that asked for nothing has nothing to tell.
func TestWhatAJobHeardIsOnItsTimeline(t *testing.T) {
	bank := newLedger(t)
	var asks atomic.Bool
	c := newCluster(t, bank.URL, "ask", func(g *guest) *sdkv1.Outcome {
		if asks.Load() {
			g.http("enquiry", "/enquiry", "")
		}
		return complete()
	})
	c.elect()
	c.receipt(c.start("a"))
	asks.Store(true)
	c.receipt(c.start("b"))
	done := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)
	checkHistory(t, done[0])
	checkHistory(t, done[1], 0, 1)
	if answer := new(sdkv1.Answer); answer.UnmarshalVT(done[1].History[1].Answer) != nil || string(answer.GetHttp().GetBody()) != `{"booked":false}` {
		t.Errorf("%v", answer)
	}
}

// TestASchedule: a connector's schedule comes to it as a trigger of its own, and its
// failure is an incident like any other.
func TestASchedule(t *testing.T) {
	var runs atomic.Int32
	c := newClusterWith(t, setup{url: "http://127.0.0.1:1", mode: "ask", manifest: func(m *sdkv1.Manifest) {
		m.Schedules = []*sdkv1.Cycle{{Name: "rates", Cycle: "R/PT1H"}}
	}}, func(g *guest) *sdkv1.Outcome {
		s := g.request.Trigger.GetSchedule()
		if s.GetName() != "rates" || s.GetJob().GetAttempt() == 0 || s.GetJob().GetPayment() == "" {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "no schedule"}}}
		}
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "runs"}}})
		if runs.Add(1) == 2 {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "the rates are closed", Code: "CLOSED"}}}
		}
		return complete("rate", "7")
	})
	c.elect()
	c.clock.Advance(time.Hour)
	until(t, "the first run", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED)) == 1 })
	if ended := c.log.told(enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED)[0]; ended.Result != enginev1.Result_RESULT_COMPLETED {
		t.Errorf("%v", ended)
	}
	c.clock.Advance(time.Hour)
	until(t, "the incident of the second", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED)) == 1 })
}
