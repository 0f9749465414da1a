package leader

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// packed are a number's digits, two to a byte, between what is given in hexadecimal.
func packed(before, number, after string) []byte {
	b, err := hex.DecodeString(before + number + after)
	if err != nil {
		panic(err)
	}
	return b
}

// forms are pan in all ways in which a frame may hold it.
func cardForms() string {
	return pan + " " + string(packed("", pan, "")) + " " + string(packed("3", pan, "d"))
}

// holdsCard looks for pan in all of its forms.
func (c *cluster) holdsCard(w *written) string {
	for _, form := range [][]byte{[]byte(pan), packed("", pan, ""), packed("3", pan, "d")} {
		if where := c.holds(w, form); where != "" {
			return fmt.Sprintf("%s, as %q", where, form)
		}
	}
	return ""
}

// TestACardNumberInFrames follows a card number over a link and back, while the leader
// is lost after every command. The counterparty gets the number, and the connector is
// shown what came, to the last bit; nothing else has it.
func TestACardNumberInFrames(t *testing.T) {
	around, token := cardKeys(t)
	run := func(g *guest) *sdkv1.Outcome {
		detokenize(g, token)
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}})
		for i, key := range []string{"pay", ""} {
			frame := fmt.Sprintf("card %d {{token:%s}} {{token-text}} %s", i, token, cardForms())
			if back := string(g.roundTrip(frame, fmt.Sprint(i), key).GetBytes().GetData()); back != frame {
				return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: fmt.Sprintf("%q came back", back)}}}
			}
		}
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Send{Send: &sdkv1.Send{Link: "network", Data: []byte("note " + cardForms())}}})
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 60_000}}})
		return settled(complete("card", fmt.Sprintf("%q", token)), true)
	}
	c, s := newLinkedClusterWith(t, setup{mode: "keyed", keys: around, more: cardMore, tokens: cardTokens}, run)
	w := c.loseEveryLeader()
	if r := c.receipt(c.endedAfterAll(w)); r.Result != enginev1.Result_RESULT_COMPLETED {
		t.Fatal(r)
	}
	for _, line := range s.heard("") {
		if !strings.HasSuffix(line, cardForms()) || strings.HasPrefix(line, "card") && !strings.Contains(line, "{{token:"+token+"}} {{token-text}} ") {
			t.Errorf("the counterparty got %q", line)
		}
	}
	if len(s.heard("card 0")) == 0 || len(s.heard("card 1")) == 0 {
		t.Errorf("the counterparty got %q", s.heard(""))
	}
	if where := c.holdsCard(w); where != "" {
		t.Errorf("the card number is in %s", where)
	}
	if where := c.holds(w, []byte("{{token-packed:3+"+token+"+d}}")); where == "" {
		t.Error("no reference is anywhere, so this test finds nothing")
	}
}

// Whoever asks again for a money effect is shown the frame that answered it, though he
// has not asked for the value.
func TestACardNumberInAnAnswerThatIsKept(t *testing.T) {
	around, token := cardKeys(t)
	shown := make(chan string, 10)
	c, _ := newLinkedClusterWith(t, setup{mode: "ask", keys: around, more: cardMore, tokens: cardTokens}, func(g *guest) *sdkv1.Outcome {
		if g.job().Attempt == 1 {
			detokenize(g, token)
			g.roundTrip("card 1 "+cardForms(), "1", "pay")
			return settled(failed("something else went wrong"), true)
		}
		answer := g.roundTrip("card 1 again", "1", "pay")
		shown <- string(answer.GetBytes().GetData())
		if g.next == 1 {
			return complete("answer", fmt.Sprintf("%q", answer.GetBytes().GetData()[:20]))
		}
		return complete()
	})
	w := new(written)
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) { w.note(cmd); return true, nil })
	c.elect()
	c.start("a")
	until(t, "an answer", func() bool { return len(shown) > 0 })
	if got := <-shown; got != "card 1 "+cardForms() {
		t.Errorf("%q", got)
	}
	until(t, "an end of the second attempt", func() bool {
		return len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED))+len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)) > 1
	})
	if where := c.holdsCard(w); where != "" {
		t.Errorf("the card number is in %s", where)
	}
}

// A counterparty that answers with card numbers and nothing else makes an answer that is
// in doubt, and not one that the log never takes.
func TestAnAnswerThatGrowsTooLarge(t *testing.T) {
	around, token := cardKeys(t)
	c, _ := newLinkedClusterWith(t, setup{mode: "ask", frameMax: 1 << 20, keys: around, more: cardMore, tokens: cardTokens}, func(g *guest) *sdkv1.Outcome {
		detokenize(g, token)
		some := strings.Repeat(string(packed("", pan, "")), 10)
		if g.roundTrip("many 1 "+some, "1", "pay").GetInDoubt() == nil {
			return complete()
		}
		return settled(complete("doubted", "true"), true)
	})
	c.elect()
	c.receipt(c.start("a"))
	if done := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED); len(done[0].Variables) != 1 {
		t.Fatal(done)
	}
}
