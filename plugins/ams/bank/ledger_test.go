package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// bankProgram builds the example bank once. The tests run it as a process of its
// own, as anyone else's bank would be.
var bankProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "railhead-bank-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "bank")
	out, err := exec.Command("go", "build", "-o", program, "../../../examples/bank/cmd/bank").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := bankProgram(); err == nil {
		os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// startBank runs a bank with the demo's accounts and returns its address.
func startBank(t *testing.T, args ...string) string {
	t.Helper()
	program, err := bankProgram()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--addr=127.0.0.1:0", "--db=" + filepath.Join(t.TempDir(), "bank.db"), "--seed=demo", "--faults"}, args...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "BANK_TOKEN=secret")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(io.Discard, stderr); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the bank did not stop gracefully: %v", err)
		}
	})
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the bank did not start: %s", line)
		}
		var entry struct{ Msg, Addr string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "the bank is open" {
			return "http://" + entry.Addr
		}
	}
}

// hub performs the connector's effects as a node does: it keeps one row for each
// money key, repeats a request under its key at a keyed endpoint, and answers
// InDoubt at one that may only be asked.
type hub struct {
	t       *testing.T
	bank    string
	mode    string // keyed, ask
	client  *http.Client
	payment string
	vars    map[string][]byte
	rows    map[string]*row
	// late says that the bank may still be at work on a request whose answer was
	// given up, so that a sleep has to be a real one. Otherwise it moves skipped.
	late    bool
	skipped time.Duration
}

func (h *hub) now() int64 { return time.Now().Add(h.skipped).UnixMilli() }

type row struct {
	number int
	state  string // open, done, refused
	answer *sdkv1.Answer
	call   *sdkv1.Http
}

func newHub(t *testing.T, bank, mode, payment string) *hub {
	h := &hub{
		t: t, bank: bank, mode: mode, payment: payment,
		client: &http.Client{Timeout: 500 * time.Millisecond, Transport: &http.Transport{}},
		vars:   map[string][]byte{}, rows: map[string]*row{},
	}
	t.Cleanup(h.client.CloseIdleConnections)
	h.vars["channelRequest"] = connector.Vars{"channelRequest": string(connector.RawJSON(
		`{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}},` +
			`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101001"}},"amount":{"amount":"100","currency":"EUR"}}`))}.JSON()
	h.vars["channelRequest"] = h.vars["channelRequest"][len(`{"channelRequest":`) : len(h.vars["channelRequest"])-1]
	return h
}

// run runs a job to its end: complete, an incident or a doubt.
func (h *hub) run(jobType string) string {
	h.t.Helper()
	for attempt := uint32(1); ; attempt++ {
		outcome := h.attempt(jobType, attempt)
		for _, s := range outcome.Settlements {
			r := h.rows[s.Key]
			if r.state != "open" {
				continue
			}
			r.state = "refused"
			if s.Done {
				r.state = "done"
			}
		}
		switch kind := outcome.Kind.(type) {
		case *sdkv1.Outcome_Complete:
			for _, v := range kind.Complete.Variables {
				h.vars[v.Name] = v.Json
			}
			return "complete"
		case *sdkv1.Outcome_Doubt:
			return "doubt " + kind.Doubt.Key
		case *sdkv1.Outcome_Fail:
			if !kind.Fail.Retryable || attempt == 4 {
				return "fail " + kind.Fail.Code
			}
		default:
			h.t.Fatalf("%s ended with %T", jobType, kind)
		}
	}
}

func (h *hub) attempt(jobType string, attempt uint32) *sdkv1.Outcome {
	h.t.Helper()
	request := &sdkv1.StepRequest{
		Config: []byte(`{"settle_ms":1200}`),
		Seed:   bytes.Repeat([]byte{1}, abi.SeedBytes),
		Trigger: &sdkv1.Trigger{TimeMs: h.now(), Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type: jobType, Payment: h.payment, Attempt: attempt, Retries: 4 - attempt,
		}}},
	}
	for _, name := range slices.Sorted(maps.Keys(h.vars)) {
		job := request.Trigger.GetJob()
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: name, Json: h.vars[name]})
	}
	for {
		encoded, err := request.MarshalVTStrict()
		if err != nil {
			h.t.Fatal(err)
		}
		reply := new(sdkv1.StepReply)
		if err := reply.UnmarshalVT(connector.Step(encoded)); err != nil {
			h.t.Fatal(err)
		}
		if reply.Outcome != nil {
			return reply.Outcome
		}
		if len(reply.Effects) != 1 {
			h.t.Fatalf("%s: neither an effect nor an outcome: %s %v", jobType, reply.Error, reply.Mismatch)
		}
		effect := reply.Effects[0]
		var answer *sdkv1.Answer
		switch kind := effect.Kind.(type) {
		case *sdkv1.Effect_Http:
			answer = h.call(kind.Http)
		case *sdkv1.Effect_Sleep:
			if wait := time.Duration(kind.Sleep.DurationMs) * time.Millisecond; h.late {
				<-time.After(wait)
			} else {
				h.skipped += wait
			}
			answer = &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}
		default:
			h.t.Fatalf("unexpected effect %T", kind)
		}
		request.History = append(request.History, &sdkv1.Entry{
			Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: h.now(), Answer: answer,
		})
	}
}

// call performs an HTTP effect; a money effect by its row.
func (h *hub) call(call *sdkv1.Http) *sdkv1.Answer {
	if call.Key == "" {
		answer, _ := h.send(call, "")
		return answer
	}
	r, begun := h.rows[call.Key]
	if !begun {
		r = &row{number: 0, state: "refused"}
		h.rows[call.Key] = r
	}
	again := false
	switch {
	case r.state == "done" && r.answer != nil:
		return r.answer
	case r.state == "done":
		return &sdkv1.Answer{}
	case r.state == "refused":
		r.number, r.state, r.call = r.number+1, "open", call
	case h.mode == "ask":
		return doubt(h.key(call.Key), "no answer came before")
	default:
		again = true
	}
	for try := 0; ; try++ {
		answer, state := h.send(r.call, h.key(call.Key))
		if state == "refused" && again {
			state = "open"
		}
		if state != "open" {
			r.state, r.answer = state, answer
			return answer
		}
		if h.mode == "ask" || try == 2 {
			return doubt(h.key(call.Key), "no answer")
		}
		again = true
	}
}

func (h *hub) key(money string) string {
	return fmt.Sprintf("%s:%s:%d", h.payment, money, h.rows[money].number)
}

func doubt(key, reason string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{IdempotencyKey: key, Reason: reason}}}
}

// send sends a request once and says what became of it: done, refused or open.
func (h *hub) send(call *sdkv1.Http, key string) (*sdkv1.Answer, string) {
	r, err := http.NewRequest(call.Method, h.bank+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.GetBody = nil // or net/http repeats what bears an idempotency key by itself
	for _, header := range call.Headers {
		r.Header.Set(header.Key, header.Value)
	}
	r.Header.Set("Authorization", "Bearer secret")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return doubt(key, err.Error()), "open"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 500 {
		return doubt(key, fmt.Sprint("HTTP ", resp.StatusCode)), "open"
	}
	state := "refused"
	if resp.StatusCode < 300 {
		state = "done"
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: uint32(resp.StatusCode), Body: body}}}, state
}

// ask reads a path of the bank, or posts a fault.
func (h *hub) ask(method, path, body string) map[string]any {
	h.t.Helper()
	answer, state := h.send(&sdkv1.Http{
		Method: method, Path: path, Body: []byte(body), Headers: []*sdkv1.Header{{Key: "content-type", Value: "application/json"}},
	}, "")
	out := map[string]any{}
	if state != "done" || json.Unmarshal(answer.GetHttp().GetBody(), &out) != nil {
		h.t.Fatalf("%s %s: %v", method, path, answer)
	}
	return out
}

// moved is what the ledger says about the payment: "account amount" of each
// entry, in order. It also proves the ledger.
func (h *hub) moved() string {
	h.t.Helper()
	if check := h.ask("GET", "/ledger/check", ""); check["ok"] != true {
		h.t.Fatalf("the ledger is not sound: %v", check)
	}
	var out []string
	for _, e := range h.ask("GET", "/entries?reference="+h.payment, "")["entries"].([]any) {
		entry := e.(map[string]any)
		out = append(out, fmt.Sprint(entry["account"], " ", entry["amount"]))
	}
	return strings.Join(out, ", ")
}

func (h *hub) lay(match, kind string, delayMS int) {
	h.t.Helper()
	fault := connector.Vars{"match": match, "kind": kind}
	if delayMS > 0 {
		fault["delay_ms"] = delayMS
	}
	h.ask("POST", "/faults", string(connector.Vars{"next": []connector.Vars{fault}}.JSON()))
}

const once = "greenbank-27710101999-eur -100.10, greenbank-fees-eur 0.10, greenbank-settlement-eur 100.00"

// TestLedger pays at the real bank while answers and requests are lost, at banks
// that honour idempotency keys and at one that does not, through an endpoint that
// is asked again and through one that may only be asked what it did. Whatever is
// lost: one hold, one booking, and the flow is told so.
func TestLedger(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct{ keys, mode string }{{"honoured", "keyed"}, {"honoured", "ask"}, {"ignored", "ask"}} {
		t.Run("keys "+kind.keys+", mode "+kind.mode, func(t *testing.T) {
			t.Parallel()
			bank := startBank(t, "--keys="+kind.keys, "--request-timeout=1s")
			payments := 0
			pay := func(t *testing.T) *hub {
				payments++
				h := newHub(t, bank, kind.mode, fmt.Sprintf("00000000-0000-4000-8000-%012d", payments))
				if got := h.run("payer-local-quote-{tenant}"); got != "complete" || string(h.vars["localQuoteFailed"]) != "false" {
					t.Fatalf("quote: %s %s", got, h.vars["errorInformation"])
				}
				return h
			}
			step := func(h *hub, jobType, flag, want string) {
				h.t.Helper()
				if got := h.run(jobType); got != "complete" || string(h.vars[flag]) != want {
					h.t.Fatalf("%s: %s, %s is %s: %s", jobType, got, flag, h.vars[flag], h.vars["errorInformation"])
				}
			}
			holds := func(h *hub, want int) {
				h.t.Helper()
				if got := h.ask("GET", "/holds?reference="+h.payment, "")["holds"].([]any); len(got) != want {
					h.t.Fatalf("%d holds, want %d: %v", len(got), want, got)
				}
			}

			for _, fault := range []struct {
				kind    string
				delayMS int
			}{{"", 0}, {"drop-response", 0}, {"drop-request", 0}, {"error-503", 0}, {"delay-ms", 800}} {
				t.Run("book "+fault.kind, func(t *testing.T) {
					h := pay(t)
					if fault.kind != "" {
						h.late = fault.delayMS > 0
						h.lay("POST /holds", fault.kind, fault.delayMS)
						h.lay("POST /bookings", fault.kind, fault.delayMS)
					}
					step(h, "block-funds", "transferPrepareFailed", "false")
					step(h, "book-funds", "transferCreateFailed", "false")
					if got := h.moved(); got != once {
						t.Fatalf("the ledger says %s", got)
					}
					holds(h, 1)
					// A flow that books again finds the booking.
					step(h, "book-funds", "transferCreateFailed", "false")
					step(h, "release-block", "transferReleaseFailed", "true")
					if got := h.moved(); got != once {
						t.Fatalf("after a second booking the ledger says %s", got)
					}
				})
				if fault.delayMS > 0 {
					continue // it takes real time, and the deeds do not differ in it
				}
				t.Run("release "+fault.kind, func(t *testing.T) {
					h := pay(t)
					step(h, "block-funds", "transferPrepareFailed", "false")
					if fault.kind != "" {
						h.lay("POST /holds/*/release", fault.kind, fault.delayMS)
					}
					step(h, "release-block", "transferReleaseFailed", "false")
					if got := h.moved(); got != "" {
						t.Fatalf("the ledger says %s", got)
					}
					step(h, "book-funds", "transferCreateFailed", "true")
					if got := h.moved(); got != "" {
						t.Fatalf("after booking a released hold the ledger says %s", got)
					}
				})
				t.Run("credit "+fault.kind, func(t *testing.T) {
					h := pay(t)
					if fault.kind != "" {
						h.lay("POST /deposits", fault.kind, fault.delayMS)
					}
					delete(h.vars, "externalAccountId")
					step(h, "payee-deposit-transfer-{tenant}", "transferCreateFailed", "false")
					if got := h.moved(); got != "greenbank-27710101001-eur 100.00, greenbank-settlement-eur -100.00" {
						t.Fatalf("the ledger says %s", got)
					}
				})
			}

			t.Run("refused", func(t *testing.T) {
				h := pay(t)
				h.vars["amount"], h.vars["currency"] = []byte(`"99999999"`), []byte(`"EUR"`)
				step(h, "block-funds", "transferPrepareFailed", "true")
				if got := string(h.vars["errorCode"]); got != `"INSUFFICIENT_FUNDS"` {
					t.Fatalf("error code %s", got)
				}
				holds(h, 0)
				// The refusal does not stand in the way of another try.
				delete(h.vars, "amount")
				step(h, "block-funds", "transferPrepareFailed", "false")
				h.lay("POST /bookings", "refuse", 0)
				step(h, "book-funds", "transferCreateFailed", "true")
				step(h, "book-funds", "transferCreateFailed", "false")
				if got := h.moved(); got != once {
					t.Fatalf("the ledger says %s", got)
				}
			})
			t.Run("internal transfer, drop-response", func(t *testing.T) {
				h := pay(t)
				h.lay("POST /transfers", "drop-response", 0)
				step(h, "internal-transfer-{tenant}", "internalTransferFailed", "false")
				if got := h.moved(); got != "greenbank-27710101001-eur 100.00, greenbank-27710101999-eur -100.10, greenbank-fees-eur 0.10" {
					t.Fatalf("the ledger says %s", got)
				}
			})
			t.Run("accounts", func(t *testing.T) {
				h := pay(t)
				h.vars["partyIdType"], h.vars["partyId"] = []byte(`"MSISDN"`), []byte(`"27710101999"`)
				step(h, "party-lookup-local-{tenant}", "partyLookupFailed", "false")
				step(h, "account-status-{tenant}", "accountStatusFailed", "false")
				step(h, "account-balance-{tenant}", "accountBalanceFailed", "false")
				step(h, "account-statement-{tenant}", "accountStatementFailed", "false")
				if !strings.Contains(string(h.vars["payeePartyResponse"]), "Asha Mwangi") || !strings.Contains(string(h.vars["accountStatement"]), "opening") {
					t.Fatalf("party %s, statement %s", h.vars["payeePartyResponse"], h.vars["accountStatement"])
				}
			})
		})
	}
}
