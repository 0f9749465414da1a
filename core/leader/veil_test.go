package leader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const pan = "4111111111111111"

// cardKeys are a node's secrets with a token key and a MAC key, and the token of pan.
func cardKeys(t *testing.T) (around keys.Surroundings, token string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "greenbank"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"tokens.key": strings.Repeat("5a", 64), "mac.key": strings.Repeat("0b", 32)} {
		if err := os.WriteFile(filepath.Join(dir, "greenbank", name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	around = keys.Surroundings{Dir: dir}
	ring := keys.New(keys.Bindings{
		Tenant: "greenbank", Tokens: &keys.TokensConfig{Source: keys.Source{File: "tokens.key"}},
		Use: keys.TokensUse{Tokenize: true},
	}, around)
	token, err := ring.Tokenize("pan", pan)
	if err != nil {
		t.Fatal(err)
	}
	return around, token
}

const (
	cardTokens = `"tokens":{"file":"tokens.key"},`
	cardMore   = `"keys":{"mac":{"file":"mac.key","algorithms":["HS256"],"uses":["mac"]}},"tokens":{"tokenize":true,"detokenize":true},`
)

func detokenize(g *guest, token string) string {
	return g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: token}}}).GetText().GetText()
}

// written is everything that a cluster writes to a disk or sends to Kafka.
type written struct {
	mu       sync.Mutex
	commands [][]byte
	cut      chan chan struct{} // closes what it is given, and loses the leader
}

func (w *written) note(cmd *enginev1.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands = append(w.commands, encode(cmd))
}

// holds looks for text in the log, the events and the rows.
func (c *cluster) holds(w *written, what []byte) (where string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cmd := range w.commands {
		if bytes.Contains(cmd, what) {
			return "the log"
		}
	}
	_ = c.log.View(func(tx engine.Tx) error {
		for table := engine.Table(1); table < 64; table++ {
			tx.Ascend(engine.Key{Table: table}, func(_ engine.Key, row engine.Row) bool {
				b := make([]byte, row.SizeVT())
				if n, err := row.MarshalToSizedBufferVTStrict(b); err == nil && bytes.Contains(b[len(b)-n:], what) {
					where = fmt.Sprintf("table %d", table)
				}
				return where == ""
			})
		}
		return nil
	})
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	for _, ev := range c.log.events {
		if bytes.Contains(encode(ev), what) {
			return "event " + ev.Kind.String()
		}
	}
	return where
}

// loseEveryLeader notes what is written, and has the leader lose sight of a command
// whenever it is told to.
func (c *cluster) loseEveryLeader() *written {
	w := &written{cut: make(chan chan struct{}, 1)}
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		w.note(cmd)
		switch cmd.Verb.(type) {
		case *enginev1.Command_FireTimers, *enginev1.Command_Expire, *enginev1.Command_LeaderStarted, *enginev1.Command_StartPayment:
			return true, nil
		}
		select {
		case done := <-w.cut:
			close(done)
			return true, replica.ErrUnknown
		default:
			return true, nil
		}
	})
	return w
}

// endedAfterAll starts a payment and elects a leader for each of its commands.
func (c *cluster) endedAfterAll(w *written) uint64 {
	t := c.t
	t.Helper()
	payment := c.start("a")
	for terms := 0; len(c.log.told(enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED)) == 0; terms++ {
		if terms > 40 || len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)) > 0 {
			t.Fatalf("%v after %d terms", c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED), terms)
		}
		done := make(chan struct{})
		w.cut <- done
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
	return payment
}

// TestACardNumberStaysInMemory follows a card number through a job that gets it from
// a token, has it authenticated, sends it to the bank and hears it back, while the
// leader is lost after every command. The bank must get it, and nothing else.
func TestACardNumberStaysInMemory(t *testing.T) {
	around, token := cardKeys(t)
	var mu sync.Mutex
	var bodies []string
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies = append(bodies, r.Header.Get("Idempotency-Key")+" "+string(body))
		mu.Unlock()
		w.Header().Set("X-Card", pan)
		fmt.Fprintf(w, `{"echo":%q}`, body)
	}))
	defer bank.Close()
	var mac []byte
	var digests []uint64
	run := func(g *guest) *sdkv1.Outcome {
		do := func(e *sdkv1.Effect) *sdkv1.Answer {
			answer := g.do(e)
			mu.Lock()
			digests = append(digests, abi.EffectDigest(e))
			mu.Unlock()
			return answer
		}
		number := detokenize(g, token)
		if number != pan {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "what was revealed is wrong"}}}
		}
		tag := do(&sdkv1.Effect{Kind: &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: "mac", Algorithm: "HS256", Data: []byte(number)}}}).GetBytes().GetData()
		mu.Lock()
		mac = tag
		mu.Unlock()
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}})
		again := do(&sdkv1.Effect{Kind: &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: "pan", Value: number}}}).GetText().GetText()
		echo := do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
			Endpoint: "ledger", Method: "POST", Path: "/authorise/" + number, Body: []byte(number), Key: "auth",
			Terms: &sdkv1.Terms{Amount: "1.00", Currency: "USD", Debtor: token},
		}}}).GetHttp()
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 60_000}}})
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
			Endpoint: "ledger", Method: "POST", Path: "/plain", Body: []byte("card={{token:" + token + "}}")}}})
		if again != token || string(echo.GetBody()) != fmt.Sprintf(`{"echo":%q}`, token) {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "another token, or an echo with the number: " + string(echo.GetBody())}}}
		}
		return complete("card", fmt.Sprintf("%q", again))
	}
	c := newClusterWith(t, setup{url: bank.URL, mode: "keyed", keys: around, more: cardMore, tokens: cardTokens}, run)
	w := c.loseEveryLeader()
	payment := c.endedAfterAll(w)
	if r := c.receipt(payment); r.Result != enginev1.Result_RESULT_COMPLETED {
		t.Fatalf("%v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	unique := map[string]bool{}
	for _, b := range bodies {
		unique[b] = true
		if !strings.HasSuffix(b, " "+pan) && !strings.HasSuffix(b, " card="+pan) {
			t.Errorf("the bank got %q", b)
		}
	}
	if len(unique) != 2 || len(mac) != 32 {
		t.Errorf("%d different calls, MAC %x", len(unique), mac)
	}
	if where := c.holds(w, []byte(pan)); where != "" {
		t.Errorf("the card number is in %s", where)
	}
	if where := c.holds(w, []byte(token)); where == "" {
		t.Error("the token is nowhere, so this test finds nothing")
	}
	for _, d := range digests {
		if where := c.holds(w, binary.LittleEndian.AppendUint64(nil, d)); where != "" {
			t.Errorf("the digest of an effect with the card number is in %s", where)
		}
	}
}

// A connector that would write a value into the log is stopped before it does.
func TestAValueIsNotWrittenDown(t *testing.T) {
	around, token := cardKeys(t)
	for name, last := range map[string]func(*guest, string) *sdkv1.Outcome{
		"a variable": func(_ *guest, value string) *sdkv1.Outcome { return complete("card", `"`+value+`"`) },
		"an error's variable": func(_ *guest, value string) *sdkv1.Outcome {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_BpmnError{BpmnError: &sdkv1.BpmnError{
				Code: "x", Variables: []*sdkv1.Variable{{Name: "card", Json: []byte(`"` + value + `"`)}}}}}
		},
		"an event": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: "x", Json: []byte(`"` + value + `"`)}}})
			return complete()
		},
		"a checkpoint": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{State: []byte(value)}}})
			return complete()
		},
		"a message": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "x", Key: value}}})
			return complete()
		},
		"a checkpoint with packed digits": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{State: packed("", value, "")}}})
			return complete()
		},
		"a forwarded frame": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Forward{Forward: &sdkv1.Forward{Link: "network", Key: "1", Data: packed("3", value, "f")}}})
			return complete()
		},
		"a match key": func(g *guest, value string) *sdkv1.Outcome {
			g.roundTrip("card 1", value, "")
			return complete()
		},
		"terms": func(g *guest, value string) *sdkv1.Outcome {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
				Endpoint: "ledger", Method: "POST", Path: "/", Key: "book", Terms: &sdkv1.Terms{Amount: "1", Currency: "USD", Debtor: value}}}})
			return complete()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, setup{url: "http://127.0.0.1:1", mode: "ask", keys: around, more: cardMore, tokens: cardTokens}, func(g *guest) *sdkv1.Outcome {
				return last(g, detokenize(g, token))
			})
			var w written
			c.log.onPropose(func(cmd *enginev1.Command) (bool, error) { w.note(cmd); return true, nil })
			c.elect()
			c.start("a")
			until(t, "an incident", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED)) == 1 })
			if failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED); failed[0].Code != codeRevealed {
				t.Errorf("%s: %s", failed[0].Code, failed[0].Text)
			}
			if where := c.holds(&w, []byte(pan)); where != "" {
				t.Errorf("the card number is in %s", where)
			}
		})
	}
	t.Run("a reason gets the token", func(t *testing.T) {
		c := newClusterWith(t, setup{url: "http://127.0.0.1:1", mode: "ask", keys: around, more: cardMore, tokens: cardTokens}, func(g *guest) *sdkv1.Outcome {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "card " + detokenize(g, token) + " is blocked"}}}
		})
		c.elect()
		c.start("a")
		until(t, "an incident", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED)) == 1 })
		if failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED); failed[0].Text != "card "+token+" is blocked" {
			t.Errorf("%s", failed[0].Text)
		}
	})
}
