package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A checkpoint has things to do to the rows in memory: to freeze a generation, and
// to let go of what the disk holds, key by key. A goroutine that took the store's
// lock for them would have the apply loop wait for itself and, on a busy machine,
// for whatever the system runs in its place. So they are chores of the apply
// loop: it does a little of them after each entry. Only while no entry comes does
// the one who wants them done see to it.

// chores hands work to the holder of the store's lock.
type chores struct {
	lock  *sync.RWMutex // the store's
	pause prometheus.Observer

	one  sync.Mutex // there is one chore at a time
	next atomic.Pointer[chore]
	// steps counts how often the apply loop came by.
	steps atomic.Uint64
	// held says that a chore is being done elsewhere than on the apply loop.
	held atomic.Bool
}

type chore struct {
	step func() (done bool) // does a little; the caller holds the lock
	done chan struct{}
}

// patience is how long the apply loop may stay away before somebody else does its
// chores.
const patience = 5 * time.Millisecond

// do returns when the chore is done.
func (c *chores) do(step func() (done bool)) {
	c.one.Lock()
	defer c.one.Unlock()
	w := &chore{step, make(chan struct{})}
	c.next.Store(w)
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		came := c.steps.Load()
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
		for c.idle(came) {
		}
	}
}

// idle does a step unless the apply loop has come by since, or holds the lock. It
// reports whether it did.
func (c *chores) idle(since uint64) bool {
	if !c.lock.TryLock() {
		return false
	}
	defer c.lock.Unlock()
	c.held.Store(true)
	defer c.held.Store(false)
	return c.steps.Load() == since && c.step()
}

// comeBy is the apply loop after an entry. It holds the lock.
func (c *chores) comeBy() {
	c.steps.Add(1)
	if c.next.Load() == nil {
		return
	}
	since := time.Now()
	c.step()
	c.pause.Observe(time.Since(since).Seconds())
}

// step does a step of the chore, if there is one.
func (c *chores) step() bool {
	w := c.next.Load()
	if w == nil {
		return false
	}
	if w.step() {
		c.next.Store(nil)
		close(w.done)
	}
	return true
}

// enter takes the lock for the apply loop and notes how long a chore was in the
// way.
func (c *chores) enter() {
	if c.lock.TryLock() {
		return
	}
	held, since := c.held.Load(), time.Now()
	c.lock.Lock()
	if held {
		c.pause.Observe(time.Since(since).Seconds())
	}
}
