package control

import (
	"context"
	"sync"
	"time"
)

// round puts one question to the leader, how far it is, for all who wait for the
// answer. An answer is good only for those who were waiting when it was asked for.
type round struct {
	ask func(context.Context) (index uint64, err error)

	mu   sync.Mutex
	next *lap // nil: nobody waits
	busy bool // a question is on its way
}

// lap is one question and its answer.
type lap struct {
	done  chan struct{}
	index uint64
	err   error
}

// lapTimeout bounds one question; who waits has a limit of his own.
const lapTimeout = 2 * time.Second

// index is the answer to a question that is asked after the call.
func (r *round) index(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	if r.next == nil {
		r.next = &lap{done: make(chan struct{})}
	}
	mine := r.next
	if !r.busy {
		r.busy = true
		go r.run() //nolint:gosec // one asks for many: it outlives the request that began it
	}
	r.mu.Unlock()
	select {
	case <-mine.done:
		return mine.index, mine.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// run asks until nobody waits.
func (r *round) run() {
	for {
		r.mu.Lock()
		l := r.next
		r.next = nil
		r.busy = l != nil
		r.mu.Unlock()
		if l == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), lapTimeout)
		l.index, l.err = r.ask(ctx)
		cancel()
		close(l.done)
	}
}
