//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// TestLeaderKilled kills the leader of three nodes in the middle of 200 payments.
// All of them finish, none twice; opsd has everything; the nodes agree on every
// bit of state.
func TestLeaderKilled(t *testing.T) {
	h := startHub(t, options{nodes: 3})
	const payments, customers = 200, 8
	var mu sync.Mutex
	var ids []string
	work := make(chan int)
	var senders sync.WaitGroup
	for range customers {
		senders.Go(func() {
			for i := range work {
				id, err := h.ask(unique(t, i))
				if err != nil {
					t.Errorf("transfer %d: %v", i, err)
					continue
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	for i := range payments {
		if i == payments/3 {
			killed := h.leader()
			killed.kill()
			defer func() { h.agree() }()
			defer h.restart(killed)
		}
		work <- i
	}
	close(work)
	senders.Wait()

	if len(ids) != payments {
		t.Fatalf("%d transfers were answered, want %d", len(ids), payments)
	}
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
		h.completed(id)
	}
	if len(distinct) != payments {
		t.Errorf("%d different payments, want %d", len(distinct), payments)
	}
	h.balanced()
	for _, id := range ids {
		h.shown(id)
	}
	var count int
	for token := ""; ; {
		list, err := h.ops.ListPayments(t.Context(), &opsv1.ListPaymentsRequest{PageSize: 1000, PageToken: token,
			Filter: &opsv1.PaymentFilter{Tenant: tenant, Result: opsv1.PaymentResult_PAYMENT_RESULT_COMPLETED}})
		if err != nil {
			t.Fatal(err)
		}
		count += len(list.GetPayments())
		if token = list.GetNextPageToken(); token == "" {
			break
		}
	}
	if count != payments {
		t.Errorf("opsd shows %d completed payments, want %d", count, payments)
	}
}

// agree waits until all nodes have applied the same index and demands that they
// have the same state there. Hashes at every index they both remember must be
// equal too.
func (h *hub) agree() {
	h.t.Helper()
	until(h.t, patience, func() error {
		type at struct{ index, hash uint64 }
		known := map[uint64]at{}
		var last []at
		for _, n := range h.nodes {
			ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Second)
			s, err := n.control.Status(ctx, &corev1.StatusRequest{})
			cancel()
			if err != nil {
				return err
			}
			last = append(last, at{s.GetAppliedIndex(), s.GetStateHash()})
			for _, e := range s.GetHashes() {
				if other, ok := known[e.GetIndex()]; ok && other.hash != e.GetHash() {
					return stop{fmt.Errorf("at index %d the nodes' states differ", e.GetIndex())}
				}
				known[e.GetIndex()] = at{e.GetIndex(), e.GetHash()}
			}
		}
		for _, other := range last[1:] {
			switch {
			case other.index != last[0].index:
				return fmt.Errorf("the nodes have applied %v", last)
			case other.hash != last[0].hash:
				return stop{fmt.Errorf("at index %d the nodes' states differ: %v", other.index, last)}
			}
		}
		return nil
	})
}
