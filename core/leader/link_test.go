package leader

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/railhead-hub/railhead/core/link"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// linkLog is what links need of a log.
type linkLog struct{ *memoryLog }

func (linkLog) CatchUp(context.Context) error { return nil }

func (linkLog) Await(uint64) (<-chan struct{}, func()) { return nil, func() {} }

// switchboard is a counterparty whose frames are lines: "pay 1 …" is carried out and
// answered "paid 1", "ask 1" is answered "asked 1 true" or "asked 1 false", and "card 1 …"
// comes back as it is, "many 1 …" many times.
type switchboard struct {
	mu    sync.Mutex
	lines []string
	says  string // in place of paid, of the first
}

func (s *switchboard) heard(verb string) (heard []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.HasPrefix(line, verb) {
			heard = append(heard, line)
		}
	}
	return heard
}

func (s *switchboard) take(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	paid := slices.ContainsFunc(s.lines, func(l string) bool { return strings.HasPrefix(l, "pay") })
	s.lines = append(s.lines, line)
	words := strings.Fields(line)
	switch words[0] {
	case "pay":
		if words[1] == "1" {
			return s.says + " 1"
		}
		return "paid " + words[1]
	case "ask":
		return fmt.Sprintf("asked %s %t", words[1], paid)
	case "card":
		return line
	case "many":
		return "many 1 " + strings.Repeat(words[2], 10_000)
	}
	return ""
}

// newLinkedCluster is a cluster whose connector has a link to a switchboard.
func newLinkedCluster(t *testing.T, mode string, run func(*guest) *sdkv1.Outcome) (*cluster, *switchboard) {
	t.Helper()
	return newLinkedClusterWith(t, setup{mode: mode}, run)
}

func newLinkedClusterWith(t *testing.T, with setup, run func(*guest) *sdkv1.Outcome) (*cluster, *switchboard) {
	t.Helper()
	s := &switchboard{says: "paid"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				lines.Buffer(nil, 1<<20)
				for lines.Scan() {
					if answer := s.take(lines.Text()); answer != "" {
						_, _ = fmt.Fprintln(conn, answer)
					}
				}
			}()
		}
	}()
	with.url = "http://127.0.0.1:1"
	with.more += fmt.Sprintf(`"links":{"network":{"connect":%q,"allow":["127.0.0.1"],"timeout_ms":2000}},`, listener.Addr())
	with.manifest = func(m *sdkv1.Manifest) {
		m.Links = []*sdkv1.Link{{Name: "network", Mode: with.mode, FrameMax: cmp.Or(with.frameMax, 1000), Framing: &sdkv1.Framing{
			Kind: "delimiter", Delimiter: []byte("\n"),
		}}}
	}
	c := newClusterWith(t, with, func(g *guest) *sdkv1.Outcome {
		if key := g.request.Trigger.GetFrameKey(); key != nil {
			words := strings.Fields(string(key.Data))
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_MatchKey{MatchKey: &sdkv1.MatchKey{Key: words[1]}}}
		}
		if g.request.Trigger.GetFrame() != nil {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Frames{Frames: &sdkv1.Frames{}}}
		}
		return run(g)
	})
	c.links = link.New(link.Config{
		Log: linkLog{c.log}, Connectors: c.registry, Now: c.clock.NowMS, Logger: slog.New(slog.DiscardHandler),
	})
	return c, s
}

func (g *guest) roundTrip(text, match, key string) *sdkv1.Answer {
	call := &sdkv1.RoundTrip{Link: "network", Data: []byte(text), MatchKey: match, Key: key}
	if key != "" {
		call.Terms = &sdkv1.Terms{Amount: "100.00", Currency: "USD"}
	}
	return g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_RoundTrip{RoundTrip: call}})
}

func settled(out *sdkv1.Outcome, done bool) *sdkv1.Outcome {
	out.Settlements = []*sdkv1.Settlement{{Key: "pay", Done: done}}
	return out
}

func failed(reason string) *sdkv1.Outcome {
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Retryable: true, Reason: reason}}}
}

// pay pays, and asks when it is left in doubt.
func pay(g *guest) *sdkv1.Outcome {
	answer := g.roundTrip(fmt.Sprintf("pay 1 at %d", g.nowMS), "1", "pay")
	if answer.GetInDoubt() != nil {
		answer = g.roundTrip("ask 2", "2", "")
		switch string(answer.GetBytes().GetData()) {
		case "asked 2 true":
			return settled(complete("paid", "true"), true)
		case "asked 2 false":
			return settled(failed("not seen"), false)
		}
		return failed("nobody answers the enquiry")
	}
	if answer.GetFailure() != nil {
		return failed(answer.GetFailure().Text)
	}
	return settled(complete("answer", fmt.Sprintf("%q", answer.GetBytes().GetData())), true)
}

func TestARoundTripIsIntendedAndSettled(t *testing.T) {
	c, s := newLinkedCluster(t, "ask", pay)
	c.elect()
	r := c.receipt(c.start("a"))
	if r.Result != enginev1.Result_RESULT_COMPLETED || len(r.Effects) != 1 || r.Effects[0].State != enginev1.EffectState_EFFECT_STATE_DONE {
		t.Fatal(r)
	}
	answer := new(sdkv1.Answer)
	if err := answer.UnmarshalVT(r.Effects[0].Answer); err != nil || string(answer.GetBytes().GetData()) != "paid 1" {
		t.Fatalf("the effect keeps %v, %v", answer, err)
	}
	intended := c.log.told(enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED)
	if len(s.heard("pay")) != 1 || len(intended) != 1 || intended[0].Endpoint != "network" {
		t.Fatal(s.heard(""), intended)
	}
}

func TestCrashWhileARoundTripIsOut(t *testing.T) {
	for _, test := range []struct {
		mode      string
		pays, ask int
	}{{"keyed", 2, 0}, {"ask", 1, 1}, {"never", 1, 1}} {
		t.Run(test.mode, func(t *testing.T) {
			c, s := newLinkedCluster(t, test.mode, pay)
			crashed := c.crashBeforeAnswer()
			c.elect()
			payment := c.start("a")
			<-crashed
			c.resign()
			c.elect()
			r := c.receipt(payment)
			if r.Result != enginev1.Result_RESULT_COMPLETED || r.Effects[0].State != enginev1.EffectState_EFFECT_STATE_DONE {
				t.Fatal(r)
			}
			pays := s.heard("pay")
			// Under keyed it is sent again, the very same, as often as it takes.
			if len(pays) < test.pays || test.ask > 0 && len(pays) > 1 || len(s.heard("ask")) != test.ask || len(slices.Compact(pays)) != 1 {
				for _, ev := range c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED) {
					t.Log(ev.Code, ev.Text)
				}
				t.Fatal(s.heard(""))
			}
		})
	}
}

func TestAnAnswerIsKeptForWhoeverAsksAgain(t *testing.T) {
	c, s := newLinkedCluster(t, "ask", func(g *guest) *sdkv1.Outcome {
		answer := g.roundTrip("pay 1", "1", "pay")
		if g.job().Attempt == 1 {
			return settled(failed("something else went wrong"), true)
		}
		return complete("answer", fmt.Sprintf("%q", answer.GetBytes().GetData()))
	})
	c.elect()
	c.receipt(c.start("a"))
	if paid := s.heard("pay"); len(paid) != 1 {
		t.Fatal(paid)
	}
	done := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)
	if len(done) != 1 || string(done[0].Variables[0].Json) != `"paid 1"` {
		t.Fatal(done)
	}
}

func TestWhatWasDeclinedMayBeAskedAgain(t *testing.T) {
	c, s := newLinkedCluster(t, "ask", func(g *guest) *sdkv1.Outcome {
		// What was settled as not done is not in doubt.
		if len(g.job().Prior) > 0 {
			panic("a prior effect")
		}
		answer := g.roundTrip(fmt.Sprintf("pay %d", g.job().Attempt), fmt.Sprint(g.job().Attempt), "pay")
		if strings.HasPrefix(string(answer.GetBytes().GetData()), "declined") {
			return settled(failed("declined"), false)
		}
		return settled(complete(), true)
	})
	s.says = "declined"
	c.elect()
	if r := c.receipt(c.start("a")); r.Effects[0].Number != 2 || r.Effects[0].State != enginev1.EffectState_EFFECT_STATE_DONE {
		t.Fatal(r)
	}
}

func TestOtherEffectsOfLinks(t *testing.T) {
	var answers []string
	c, s := newLinkedCluster(t, "ask", func(g *guest) *sdkv1.Outcome {
		var got []string
		say := func(answer *sdkv1.Answer) {
			switch k := answer.Kind.(type) {
			case *sdkv1.Answer_Done:
				got = append(got, "done")
			case *sdkv1.Answer_Failure:
				got = append(got, k.Failure.Code)
			default:
				got = append(got, fmt.Sprint(k))
			}
		}
		send := func(link, text string) {
			say(g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Send{Send: &sdkv1.Send{Link: link, Data: []byte(text)}}}))
		}
		forward := func(link, key, text string) {
			say(g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Forward{Forward: &sdkv1.Forward{Link: link, Key: key, Data: []byte(text)}}}))
		}
		send("network", "hello")
		send("nowhere", "hello")
		send("network", "two\nlines")
		forward("network", "9", "pay 9 later")
		forward("network", "", "no key")
		forward("nowhere", "9", "x")
		forward("network", "9", strings.Repeat("x", 1001))
		say(g.roundTrip("no match key", "", ""))
		answers = got
		return complete()
	})
	c.elect()
	c.receipt(c.start("a"))
	want := []string{
		"done", abi.FailureEndpoint, abi.FailureInvalid, "done",
		abi.FailureInvalid, abi.FailureEndpoint, abi.FailureTooLarge, abi.FailureInvalid,
	}
	if !slices.Equal(answers, want) {
		t.Fatalf("%q, want %q", answers, want)
	}
	until(t, "the forwarded frame", func() bool {
		return len(c.log.told(enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED)) == 1
	})
	if hello := s.heard("hello"); len(hello) != 1 {
		t.Fatal(hello)
	}
}
