//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// customers order transfers without a pause until they are told to stop.
type customers struct {
	h       *hub
	wg      sync.WaitGroup
	stop    chan struct{}
	orders  atomic.Int64
	answers atomic.Int64
	mu      sync.Mutex
	ids     []string
}

func (h *hub) open(n int) *customers {
	c := &customers{h: h, stop: make(chan struct{})}
	for range n {
		c.wg.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
				}
				order := c.orders.Add(1)
				id, err := c.order(int(order))
				if err != nil {
					h.t.Errorf("transfer %d: %v", order, err)
					return
				}
				c.mu.Lock()
				c.ids = append(c.ids, id)
				c.mu.Unlock()
				c.answers.Add(1)
			}
		})
	}
	return c
}

// order is one transfer, asked of one node after the other until there is an
// answer. A node that is stopped takes connections and says nothing.
func (c *customers) order(n int) (id string, err error) {
	try := n
	err = await(2*patience, func() error {
		try++
		ctx, cancel := context.WithTimeout(c.h.t.Context(), 5*time.Second)
		defer cancel()
		status, body, err := send(ctx, c.h.nodes[try%len(c.h.nodes)], unique(c.h.t, n), request(amount))
		switch {
		case err != nil:
			return err
		case status == http.StatusOK || status == http.StatusAccepted:
			id, err = transactionID(body)
			return err
		case status == http.StatusServiceUnavailable:
			return fmt.Errorf("the channel answers %d %s", status, body)
		}
		return stop{fmt.Errorf("the channel answers %d %s", status, body)}
	})
	return id, err
}

// goOn waits for so many more answers.
func (c *customers) goOn(n int64) {
	c.h.t.Helper()
	enough := c.answers.Load() + n
	until(c.h.t, 2*patience, func() error {
		if got := c.answers.Load(); got < enough {
			return fmt.Errorf("%d transfers were answered, waiting for %d", got, enough)
		}
		return nil
	})
}

// leave lets the customers finish and demands that every transfer of theirs is
// there once: in the core, in every ledger and in opsd.
func (c *customers) leave() {
	c.h.t.Helper()
	close(c.stop)
	c.wg.Wait()
	distinct := map[string]bool{}
	for _, id := range c.ids {
		distinct[id] = true
		c.h.completed(id)
	}
	if int64(len(distinct)) != c.orders.Load() {
		c.h.t.Errorf("%d different payments for %d orders", len(distinct), c.orders.Load())
	}
	c.h.balanced()
	for _, id := range c.ids {
		c.h.shown(id)
	}
}

// TestLeadersFall kills the leader of three nodes again and again while
// customers order transfers, and once lets it hang until the others have gone on
// without it: it then holds calls it was about to make, and must not make them.
// With a bank that ignores idempotency keys, every call made twice would be a
// second booking.
func TestLeadersFall(t *testing.T) {
	for _, bank := range []struct {
		name    string
		ignored bool
	}{{"keys honoured", false}, {"keys ignored", true}} {
		t.Run(bank.name, func(t *testing.T) {
			h := startHub(t, options{nodes: 3, keysIgnored: bank.ignored})
			c := h.open(4)
			c.goOn(10)
			for range 2 {
				leader := h.leader()
				leader.kill()
				h.leader()
				c.goOn(10)
				h.restart(leader)
				c.goOn(10)
			}
			leader := h.leader()
			leader.signal(syscall.SIGSTOP)
			hangs := time.Now()
			until(t, patience, func() error {
				if h.leader() == leader || time.Since(hangs) < 10*time.Second {
					return fmt.Errorf("%s still hangs", leader.id)
				}
				return nil
			})
			c.goOn(10)
			leader.signal(syscall.SIGCONT)
			c.goOn(10)
			c.leave()
			h.agree()
		})
	}
}
