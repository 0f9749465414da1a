package leader

import (
	"context"
	"sync"
	"time"
)

// Clock is the node's clock, from which stamps are made. A test clock runs like
// the real one and can be moved forward, so that a test of a flow's minutes
// waits for none of them.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	moved  chan struct{} // closed and replaced when the clock jumps
}

// NewClock returns a clock that shows the system's time.
func NewClock() *Clock { return &Clock{moved: make(chan struct{})} }

// NowMS is the time in milliseconds since 1970-01-01 UTC.
func (c *Clock) NowMS() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UnixMilli()
}

// Advance moves the clock forward and wakes whoever waits for a time.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += max(by, 0)
	close(c.moved)
	c.moved = make(chan struct{})
}

// Until waits for the time, for wake, or for the end of ctx, whichever is first.
func (c *Clock) Until(ctx context.Context, ms int64, wake <-chan struct{}) {
	c.mu.Lock()
	moved := c.moved
	wait := time.UnixMilli(ms).Sub(time.Now().Add(c.offset))
	c.mu.Unlock()
	t := time.NewTimer(max(wait, 0))
	defer t.Stop()
	select {
	case <-t.C:
	case <-moved:
	case <-wake:
	case <-ctx.Done():
	}
}
