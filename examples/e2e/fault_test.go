//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// payerFlow is a payer's flow: where it waits, and what its ends are called.
type payerFlow struct {
	name                   string // the process
	file, ends             string // of a flow that is not ours
	transfer               string // waits for the outcome of the transfer
	unknown, book, release string // waits for the operator, because of …
	// What the operator says who knows that the transfer was made, or was not.
	made, notMade string
	// The codes of its ends, and the result of a payment closed by hand.
	lookupFailed, quoteFailed, holdFailed string
	closed                                corev1.Result
}

// payerFlows are our own and Payment Hub EE's, which runs byte for byte if the
// shared test data are there.
func payerFlows(t *testing.T, test func(t *testing.T, f payerFlow)) {
	t.Run("ours", func(t *testing.T) {
		test(t, payerFlow{
			name: ourFlow, transfer: "transfer-answer",
			unknown: "operator-or-answer", book: "book-decision", release: "release-decision",
			made: "operatorDecision=book", notMade: "operatorDecision=release",
			closed:       corev1.Result_RESULT_FAILED,
			lookupFailed: "PARTY_LOOKUP_FAILED", quoteFailed: "QUOTE_FAILED", holdFailed: "HOLD_FAILED",
		})
	})
	t.Run("Payment Hub EE's", func(t *testing.T) {
		test(t, payerFlow{
			name: phEEFlow, file: shared(t, "flows/paymenthub/ph-ee-env-labs__PayerFundTransfer-DFSPID.bpmn"),
			ends: "testdata/PayerFundTransfer.ends.yaml", transfer: "ReceiveTask_1cosqwx",
			unknown: "ReceiveTask_0gecnyd", book: "ReceiveTask_0nax9ah", release: "ReceiveTask_024aden",
			made: "transferState=COMMITTED", notMade: "transferState=ABORTED",
			closed:       corev1.Result_RESULT_UNKNOWN,
			lookupFailed: "ABORTED", quoteFailed: "ABORTED", holdFailed: "HOLD_FAILED",
		})
	})
}

// start starts a hub whose channel starts this flow.
func (f payerFlow) start(t *testing.T) *hub {
	t.Helper()
	h := startHub(t, options{testClock: true, flow: f.name})
	if f.file != "" {
		h.railhead("flow", "deploy", f.file, "--ends", f.ends, "--tenant", tenant)
	}
	return h
}

// fault is a mishap of one of the counterparts.
type fault struct {
	match, kind    string // the bank's
	resource, does string // the scheme's
}

func (h *hub) suffer(faults ...fault) {
	h.t.Helper()
	for _, f := range faults {
		if f.match != "" {
			h.bankFault(f.match, f.kind, 0)
		} else {
			h.schemeFault(f.resource, f.does, 0)
		}
	}
}

// passes lets the minutes pass that a payment waits for the scheme, until it has
// ended or waits for its operator; it returns where.
func (h *hub) passes(payment string, f payerFlow) string {
	h.t.Helper()
	at := ""
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		switch p.GetPayment().GetState() {
		case "ended":
			at = "end"
			return nil
		case "incident":
			return stop{fmt.Errorf("payment %s stands still: %v", payment, p.GetIncidents())}
		}
		for _, at = range places(p) {
			switch at {
			case f.unknown, f.book, f.release:
				return nil
			case f.transfer:
				h.advance(61 * time.Second)
			}
		}
		return fmt.Errorf("payment %s is at %v", payment, places(p))
	})
	return at
}

// decides is the operator's word, by the command line.
func (h *hub) decides(payment string, variables ...string) {
	h.t.Helper()
	args := []string{
		"payment", "publish", tenant, "operator-manual-recovery", payment, "--ttl", "1m", "--actor", "ada", "--reason", "by telephone",
	}
	for _, v := range variables {
		args = append(args, "--var", v)
	}
	h.railhead(args...)
}

// acted waits until opsd's audit shows an act on a payment.
func (h *hub) acted(payment, method, actor, reason string) {
	h.t.Helper()
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		list, err := h.ops.ListAudit(h.t.Context(), &opsv1.ListAuditRequest{PageSize: 100})
		if err != nil {
			return err
		}
		for _, e := range list.GetEntries() {
			if e.GetMethod() == method && e.GetActor() == actor && e.GetReason() == reason &&
				strings.HasPrefix(e.GetTarget(), fmt.Sprintf("payment %d ", p.GetPayment().GetKey())) {
				return nil
			}
		}
		return fmt.Errorf("the audit does not show %s of payment %s", method, payment)
	})
}

// ends demands a payment's result and what the ledgers show.
func (h *hub) ends(payment string, result corev1.Result, code string, want books) {
	h.t.Helper()
	info := h.ended(payment)
	if info.GetResult() != result || info.GetCode() != code {
		h.t.Errorf("payment %s is %s %s, want %s %s", payment, info.GetResult(), info.GetCode(), result, code)
	}
	if got := h.books(payment); got != want {
		h.t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, want)
	}
}

// TestBankMisbehaves lets the bank do to each deed what banks do: the money moves
// once or not at all, in our flow and in Payment Hub EE's.
func TestBankMisbehaves(t *testing.T) {
	payerFlows(t, func(t *testing.T, f payerFlow) {
		h := f.start(t)
		refused := fault{resource: "transfers", does: "error"}
		n := 0
		for _, deed := range []struct {
			name, match string
			before      []fault
			code        string
			books       books
		}{
			{"hold", "POST /holds", nil, "COMPLETED", paid},
			{"book", "POST /bookings", nil, "COMPLETED", paid},
			{"release", "POST /holds/*/release", []fault{refused}, "TRANSFER_FAILED", unpaid},
		} {
			for _, kind := range []string{"drop-response", "drop-request", "error-503"} {
				n++
				t.Run(deed.name+" "+kind, func(t *testing.T) {
					h := h.in(t)
					h.suffer(append(deed.before, fault{match: deed.match, kind: kind})...)
					payment := h.transfer(unique(t, n))
					result := corev1.Result_RESULT_COMPLETED
					if deed.code != "COMPLETED" {
						result = corev1.Result_RESULT_FAILED
					}
					h.ends(payment, result, deed.code, deed.books)
				})
			}
		}

		// A refusal is the bank's word: before the transfer it ends the payment;
		// afterwards only the operator can go on, and the hold is as it was.
		t.Run("hold refused", func(t *testing.T) {
			h := h.in(t)
			h.suffer(fault{match: "POST /holds", kind: "refuse"})
			h.ends(h.transfer(unique(t, 100)), corev1.Result_RESULT_FAILED, f.holdFailed, unpaid)
		})
		t.Run("book refused", func(t *testing.T) {
			h := h.in(t)
			h.suffer(fault{match: "POST /bookings", kind: "refuse"}, fault{match: "POST /bookings", kind: "refuse"})
			payment := h.transfer(unique(t, 101))
			for range 2 {
				h.reaches(payment, f.book)
				if got, want := h.books(payment), (books{HoldsOpen: 1, Credits: 1}); got != want {
					t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, want)
				}
				h.decides(payment, "operatorManualOverride=false")
			}
			h.ends(payment, corev1.Result_RESULT_COMPLETED, "COMPLETED", paid)
		})
		t.Run("release refused", func(t *testing.T) {
			h := h.in(t)
			h.suffer(refused, fault{match: "POST /holds/*/release", kind: "refuse"})
			payment := h.transfer(unique(t, 102))
			h.reaches(payment, f.release)
			if got := h.books(payment); got != inDoubt {
				t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, inDoubt)
			}
			h.decides(payment, "operatorManualOverride=false")
			h.ends(payment, corev1.Result_RESULT_FAILED, "TRANSFER_FAILED", unpaid)
		})

		t.Run("no cover", func(t *testing.T) {
			h := h.in(t)
			h.ends(h.sends(unique(t, 103), request("99999999.99")), corev1.Result_RESULT_FAILED, f.holdFailed, unpaid)
		})
		t.Run("payee unknown", func(t *testing.T) {
			h := h.in(t)
			body := request(amount)
			body["payee"] = map[string]any{"partyIdInfo": map[string]string{"partyIdType": "MSISDN", "partyIdentifier": "27710999999"}}
			h.ends(h.sends(unique(t, 104), body), corev1.Result_RESULT_FAILED, f.lookupFailed, unpaid)
		})
		t.Run("terms changed", func(t *testing.T) {
			h := h.in(t)
			h.suffer(fault{resource: "quotes", does: "wrong-terms"})
			h.ends(h.transfer(unique(t, 105)), corev1.Result_RESULT_FAILED, f.quoteFailed, unpaid)
		})
		h.balanced()
	})
}

// TestBankWithoutKeys cuts the line to a bank that would do every request again: it
// is asked by reference, and only what it has not done is done again.
func TestBankWithoutKeys(t *testing.T) {
	h := startHub(t, options{keysIgnored: true})
	n := 0
	for _, kind := range []string{"drop-response", "drop-request"} {
		for _, deed := range []struct {
			name, match string
			refused     bool
		}{
			{"hold", "POST /holds", false},
			{"book", "POST /bookings", false},
			{"release", "POST /holds/*/release", true},
		} {
			n++
			t.Run(deed.name+" "+kind, func(t *testing.T) {
				h := h.in(t)
				h.suffer(fault{match: deed.match, kind: kind})
				if deed.refused {
					h.suffer(fault{resource: "transfers", does: "error"})
				}
				payment := h.transfer(unique(t, n))
				if deed.refused {
					h.ends(payment, corev1.Result_RESULT_FAILED, "TRANSFER_FAILED", unpaid)
				} else {
					h.completed(payment)
				}
				if holds := h.holds(payment); holds != 1 {
					t.Errorf("payment %s: the bank placed %d holds", payment, holds)
				}
			})
		}
	}
	h.balanced()
}

// TestBankAway takes the bank away at a deed for longer than the job tries. The
// payment stands still with an incident, nothing has moved, and goes on when the
// bank is back and the operator says so.
func TestBankAway(t *testing.T) {
	h := startHub(t, options{testClock: true, confirm: true})
	confirm := func(payment string) {
		h.railhead("payment", "publish", tenant, "accept-quote", payment, "--var", "payerConfirmed=true", "--ttl", "1m")
	}
	for i, c := range []struct {
		deed  string
		books books
	}{
		{"hold", unpaid},
		{"book", books{HoldsOpen: 1, Credits: 1}},
	} {
		t.Run(c.deed, func(t *testing.T) {
			h := h.in(t)
			if c.deed == "book" {
				h.schemeFault("transfers", "delay", time.Second)
			}
			payment := h.transfer(unique(t, i))
			h.reaches(payment, "confirm-answer")
			if c.deed == "book" {
				confirm(payment)
				h.reaches(payment, "transfer-answer")
			}
			h.bank.kill()
			if c.deed == "hold" {
				confirm(payment)
			}
			var incident uint32
			until(t, patience, func() error {
				p, err := h.look(payment)
				if err != nil {
					return err
				}
				if len(p.GetIncidents()) == 0 {
					h.advance(10 * time.Second)
					return fmt.Errorf("payment %s is %s at %v", payment, p.GetPayment().GetState(), places(p))
				}
				incident = p.GetIncidents()[0].GetN()
				return nil
			})
			if err := h.bank.start(); err != nil {
				t.Fatal(err)
			}
			h.awaitHTTP(h.bank.process, h.bank.url+"/livez")
			if got := h.books(payment); got != c.books {
				t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, c.books)
			}
			h.railhead("payment", "resolve", payment, fmt.Sprint(incident), "--reason", "the bank is back")
			h.completed(payment)
			h.shown(payment)
		})
	}
	h.balanced()
}

// TestDoubtKeepsTheHold holds that nothing but proof moves the money: not the
// scheme's silence or its faults, not callbacks that somebody made up.
func TestDoubtKeepsTheHold(t *testing.T) {
	payerFlows(t, func(t *testing.T, f payerFlow) {
		h := f.start(t)
		for i, c := range []struct {
			name  string
			fault fault
			at    string
			books books
		}{
			{"answered 503", fault{resource: "transfers", does: "http-503"}, "end", paid},
			{"answered 400", fault{resource: "transfers", does: "http-400"}, "end", unpaid},
			{"lost", fault{resource: "transfers", does: "lost"}, "end", unpaid},
			{"the connection breaks", fault{resource: "transfers", does: "reset"}, "end", paid},
			{"silence", fault{resource: "transfers", does: "silence"}, "end", paid},
			{"fulfilment wrong", fault{resource: "transfers", does: "wrong-fulfilment"}, f.unknown, books{HoldsOpen: 1, Credits: 1}},
		} {
			t.Run(c.name, func(t *testing.T) {
				h := h.in(t)
				h.suffer(c.fault)
				payment := h.transfer(unique(t, i))
				if at := h.passes(payment, f); at != c.at {
					t.Fatalf("payment %s is at %s, want %s", payment, at, c.at)
				}
				if got := h.books(payment); got != c.books {
					t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, c.books)
				}
			})
		}

		// The operator has the proof by telephone, or settles it outside.
		for i, c := range []struct {
			says   string
			result corev1.Result
			code   string
			books  books
		}{
			{f.made, corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
			{f.notMade, corev1.Result_RESULT_FAILED, "TRANSFER_FAILED", books{Credits: 1}}, // that was a lie
			{"operatorManualOverride=true", f.closed, "CLOSED_BY_OPERATOR", books{HoldsOpen: 1, Credits: 1}},
		} {
			t.Run("operator says "+c.says, func(t *testing.T) {
				h := h.in(t)
				h.suffer(fault{resource: "transfers", does: "wrong-fulfilment"})
				payment := h.transfer(unique(t, 100+i))
				if at := h.passes(payment, f); at != f.unknown {
					t.Fatalf("payment %s is at %s, want %s", payment, at, f.unknown)
				}
				h.decides(payment, c.says)
				h.ends(payment, c.result, c.code, c.books)
				h.acted(payment, "publish-message", "ada", "by telephone")
			})
		}

		t.Run("forged", func(t *testing.T) {
			h := h.in(t)
			h.suffer(fault{resource: "transfers", does: "silence"})
			payment := h.transfer(unique(t, 200))
			h.reaches(payment, f.transfer)

			for _, c := range []struct {
				name, source, destination, path, body string
				status                                int
			}{
				{"aborted by a stranger", "mallory", tenant, "/transfers/" + payment, `{"transferState":"ABORTED"}`, 400},
				{"error by a stranger", "mallory", tenant, "/transfers/" + payment + "/error",
					`{"errorInformation":{"errorCode":"5104","errorDescription":"no"}}`, 400},
				{"committed without proof", "hub", tenant, "/transfers/" + payment, `{"transferState":"COMMITTED"}`, 200},
				{"committed with a proof of something else", "hub", tenant, "/transfers/" + payment,
					`{"transferState":"COMMITTED","fulfilment":"` + strings.Repeat("A", 43) + `"}`, 200},
				{"for another institution", "hub", "bluebank", "/transfers/" + payment, `{"transferState":"ABORTED"}`, 404},
				{"a payment nobody made", "hub", tenant, "/transfers/6b29fc40-ca47-4067-b31d-00dd010662da", `{"transferState":"ABORTED"}`, 503},
				{"no id", "hub", tenant, "/transfers/" + strings.ToUpper(payment), `{"transferState":"ABORTED"}`, 400},
				{"no state there is", "hub", tenant, "/transfers/" + payment, `{"transferState":"DONE"}`, 400},
			} {
				status, body := h.callback(c.source, c.destination, c.path, c.body)
				if status != c.status {
					t.Errorf("%s: answered %d %s, want %d", c.name, status, body, c.status)
				}
			}
			if got, want := h.books(payment), (books{HoldsOpen: 1, Credits: 1}); got != want {
				t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, want)
			}
			h.passes(payment, f)
			h.completed(payment)

			// What contradicts the end changes nothing any more.
			if status, body := h.callback("hub", tenant, "/transfers/"+payment, `{"transferState":"ABORTED"}`); status != 200 {
				t.Errorf("late: answered %d %s", status, body)
			}
			h.completed(payment)
		})
		h.balanced()
	})
}

// holds counts a payment's holds at the bank, open or not.
func (h *hub) holds(payment string) int {
	h.t.Helper()
	var list struct {
		Holds []json.RawMessage `json:"holds"`
	}
	h.get(h.bank.url+"/holds?reference="+payment, &list)
	return len(list.Holds)
}

// sends asks for a transfer that is not the usual one.
func (h *hub) sends(correlation string, body map[string]any) string {
	h.t.Helper()
	status, answer, err := send(h.t.Context(), h.nodes[0], correlation, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the channel answers %d %s", status, answer)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	payment, err := transactionID(answer)
	if err != nil {
		h.t.Fatal(err)
	}
	return payment
}

// callback sends the node a callback about a transfer.
func (h *hub) callback(source, destination, path, body string) (status int, answer []byte) {
	h.t.Helper()
	status, answer, err := call(h.t.Context(), http.MethodPut, h.nodes[0].ingress+path, map[string]string{
		"Content-Type":  "application/vnd.interoperability.transfers+json;version=1.1",
		"FSPIOP-Source": source, "FSPIOP-Destination": destination,
	}, json.RawMessage(body))
	if err != nil {
		h.t.Fatal(err)
	}
	return status, answer
}
