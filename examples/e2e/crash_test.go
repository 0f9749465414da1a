//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestKilledAtEachWait kills the node where a payment waits for the scheme or for
// the payer. What it waits for happens while the node is down.
func TestKilledAtEachWait(t *testing.T) {
	h := startHub(t, options{confirm: true})
	confirm := func(payment string) {
		h.railhead("payment", "publish", tenant, "accept-quote", payment, "--var", "payerConfirmed=true", "--ttl", "1m")
	}
	for i, wait := range []struct{ element, resource string }{
		{"lookup-answer", "parties"},
		{"quote-answer", "quotes"},
		{"confirm-answer", ""},
		{"transfer-answer", "transfers"},
	} {
		t.Run(wait.element, func(t *testing.T) {
			h := h.in(t)
			if wait.resource != "" {
				h.schemeFault(wait.resource, "delay", time.Second)
			}
			payment := h.transfer(unique(t, i))
			if wait.element == "transfer-answer" {
				h.reaches(payment, "confirm-answer")
				confirm(payment)
			}
			h.reaches(payment, wait.element)
			h.nodes[0].kill()
			h.restart(h.nodes[0])
			if wait.element != "transfer-answer" {
				confirm(payment)
			}
			h.completed(payment)
			h.shown(payment)
		})
	}
	h.balanced()
}

// TestKilledBetweenIntendAndAnswer kills the node while a call that moves money
// is under way: the bank or the scheme has the request, and its answer finds
// nobody.
func TestKilledBetweenIntendAndAnswer(t *testing.T) {
	for _, keys := range []string{"honoured", "ignored"} {
		t.Run("keys "+keys, func(t *testing.T) {
			h := startHub(t, options{keysIgnored: keys == "ignored"})
			for i, key := range []string{"hold", "transfer", "book"} {
				t.Run(key, func(t *testing.T) {
					h := h.in(t)
					// The counterpart has the request and takes its time over it.
					answer := func() {}
					switch key {
					case "hold":
						h.bankFault("POST /holds", "delay-ms", 2*time.Second)
					case "book":
						h.bankFault("POST /bookings", "delay-ms", 2*time.Second)
					case "transfer":
						// The scheme stops before the transfer is asked for: the quote
						// is on its way when the payer's bank holds the money.
						h.bankFault("POST /holds", "delay-ms", 500*time.Millisecond)
						answer = func() { h.scheme.signal(syscall.SIGCONT) }
					}
					payment := h.transfer(unique(t, i))
					if key == "transfer" {
						h.intends(payment, "hold")
						h.scheme.signal(syscall.SIGSTOP)
					}
					h.intends(payment, key)
					h.nodes[0].kill()
					answer()
					h.restart(h.nodes[0])
					h.completed(payment)
					h.shown(payment)
				})
			}
			h.balanced()
		})
	}
}

// TestAnswerLost lets the bank do what it is asked and then cut the line: the
// node lives, and must find out what happened.
func TestAnswerLost(t *testing.T) {
	for _, keys := range []string{"honoured", "ignored"} {
		t.Run("keys "+keys, func(t *testing.T) {
			h := startHub(t, options{keysIgnored: keys == "ignored"})
			for i, match := range []string{"POST /holds", "POST /bookings"} {
				for j, kind := range []string{"drop-response", "drop-request"} {
					t.Run(match[len("POST /"):]+" "+kind, func(t *testing.T) {
						h := h.in(t)
						h.bankFault(match, kind, 0)
						h.completed(h.transfer(unique(t, 10*i+j)))
					})
				}
			}
			h.balanced()
		})
	}
}

// TestKilledAgainAndAgain kills the node at moments nobody chose, while payments
// come in. None is lost and none is doubled.
func TestKilledAgainAndAgain(t *testing.T) {
	h := startHub(t, options{})
	const payments, kills = 40, 6
	ids := make(chan string, payments)
	go func() {
		defer close(ids)
		for i := range payments {
			id, err := h.ask(unique(t, i))
			if err != nil {
				t.Errorf("transfer %d: %v", i, err)
				return
			}
			ids <- id
		}
	}()
	var seen []string
	for i := range kills {
		for range payments / (kills + 1) {
			if id, open := <-ids; open {
				seen = append(seen, id)
			}
		}
		// Another moment each time, from the middle of a burst to its end.
		time.Sleep(time.Duration(i) * 7 * time.Millisecond)
		h.nodes[0].kill()
		h.restart(h.nodes[0])
	}
	for id := range ids {
		seen = append(seen, id)
	}
	for _, id := range seen {
		h.completed(id)
		h.shown(id)
	}
	if len(seen) != payments {
		t.Errorf("%d payments were answered, want %d", len(seen), payments)
	}
	h.balanced()
	status, err := h.nodes[0].control.Status(t.Context(), &corev1.StatusRequest{})
	if err != nil || !strings.HasPrefix(status.GetRole(), "leader") {
		t.Errorf("after all that the node is %q, %v", status.GetRole(), err)
	}
}

// in is the hub as a subtest uses it.
func (h *hub) in(t *testing.T) *hub {
	c := *h
	c.t = t
	return &c
}
