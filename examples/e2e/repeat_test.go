//go:build e2e

package e2e

import (
	"net/http"
	"sync"
	"testing"
)

// TestSameRequestManyTimes sends one request under one correlation id a hundred
// times at once: one payment, one answer, after a restart too. Another body under
// the same id is a conflict.
func TestSameRequestManyTimes(t *testing.T) {
	h := startHub(t, options{})
	const id, times = "order-4711", 100
	again := func() string {
		t.Helper()
		var mu sync.Mutex
		var senders sync.WaitGroup
		answers := map[string]int{}
		for range times {
			senders.Go(func() {
				payment, err := h.ask(id)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				answers[payment]++
			})
		}
		senders.Wait()
		if len(answers) != 1 {
			t.Fatalf("the answers name %d payments: %v", len(answers), answers)
		}
		for payment := range answers {
			return payment
		}
		return ""
	}
	first := again()
	h.completed(first)
	h.nodes[0].kill()
	h.restart(h.nodes[0])
	if second := again(); second != first {
		t.Errorf("after a restart the answer is %s, and was %s", second, first)
	}
	h.completed(first)

	status, body, err := send(t.Context(), h.nodes[0], id, request("26.00"))
	if err != nil || status != http.StatusConflict {
		t.Errorf("another body under the same id is answered %d %s, %v; want 409", status, body, err)
	}
	h.balanced()
}
