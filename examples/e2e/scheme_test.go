//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestSchemeMisbehaves lets the scheme do to the transfer what schemes do, and
// demands the right end and the right ledgers each time. The flow's minutes pass
// by the test's clock.
func TestSchemeMisbehaves(t *testing.T) {
	h := startHub(t, options{testClock: true})
	for i, c := range []struct {
		name, resource, kind string
		result               corev1.Result
		code                 string
		books                books
	}{
		{"the callback comes twice", "transfers", "duplicate", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the callback comes before the 202", "transfers", "early", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the lookup's callback comes before the 202", "parties", "early", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the quote's callback comes before the 202", "quotes", "early", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the connection breaks", "transfers", "reset", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the transfer is made in silence", "transfers", "silence", corev1.Result_RESULT_COMPLETED, "COMPLETED", paid},
		{"the transfer is refused", "transfers", "error", corev1.Result_RESULT_FAILED, "TRANSFER_FAILED", unpaid},
		{"the payee is not found", "parties", "error", corev1.Result_RESULT_FAILED, "PARTY_LOOKUP_FAILED", unpaid},
		{"the quote is refused", "quotes", "error", corev1.Result_RESULT_FAILED, "QUOTE_FAILED", unpaid},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.in(t)
			h.schemeFault(c.resource, c.kind, 0)
			payment := h.transfer(unique(t, i))
			if c.kind == "silence" {
				h.reaches(payment, "transfer-answer")
				h.advance(61 * time.Second)
			}
			info := h.ended(payment)
			if info.GetResult() != c.result || info.GetCode() != c.code {
				t.Errorf("payment %s is %s %s, want %s %s", payment, info.GetResult(), info.GetCode(), c.result, c.code)
			}
			if got := h.books(payment); got != c.books {
				t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, c.books)
			}
			h.shown(payment)
		})
	}

	// A fulfilment that does not fit its condition proves nothing. The hub asks
	// again, keeps the hold, and ends with the operator.
	t.Run("the fulfilment is wrong", func(t *testing.T) {
		h := h.in(t)
		h.schemeFault("transfers", "wrong-fulfilment", 0)
		payment := h.transfer(unique(t, 100))
		h.reaches(payment, "transfer-answer")
		until(t, patience, func() error {
			p, err := h.look(payment)
			if err != nil {
				return err
			}
			for _, at := range places(p) {
				switch at {
				case "operator-or-answer":
					return nil
				case "transfer-answer":
					h.advance(61 * time.Second)
				}
			}
			return fmt.Errorf("payment %s is at %v, not yet with the operator", payment, places(p))
		})
		got := h.books(payment)
		got.Credits = 0 // the simulated payee has the money, which the hub cannot know
		if got != inDoubt {
			t.Errorf("payment %s: the bank shows %+v, want an open hold and no booking", payment, got)
		}

		// The operator has the proof by telephone.
		h.railhead("payment", "publish", tenant, "operator-manual-recovery", payment, "--var", "operatorDecision=book", "--ttl", "1m")
		h.completed(payment)
	})

	// A scheme that has never heard of the transfer when it can no longer make it
	// has not made it.
	t.Run("the transfer is lost", func(t *testing.T) {
		h := h.in(t)
		h.schemeFault("transfers", "lost", 0)
		payment := h.transfer(unique(t, 101))
		h.reaches(payment, "transfer-answer")
		until(t, patience, func() error {
			p, err := h.look(payment)
			if err != nil {
				return err
			}
			if p.GetPayment().GetState() == "ended" {
				return nil
			}
			for _, at := range places(p) {
				if at == "transfer-answer" {
					h.advance(61 * time.Second)
				}
			}
			return fmt.Errorf("payment %s is at %v", payment, places(p))
		})
		info := h.ended(payment)
		got := h.books(payment)
		switch {
		case info.GetResult() == corev1.Result_RESULT_COMPLETED && got == paid:
		case info.GetResult() == corev1.Result_RESULT_FAILED && got == unpaid:
		default:
			t.Errorf("payment %s is %s %s, and the ledgers show %+v", payment, info.GetResult(), info.GetCode(), got)
		}
	})
	h.balanced()
}
