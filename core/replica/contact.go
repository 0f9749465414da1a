package replica

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// contact is what a leader knows of its majority without asking: when it last
// listened. Followers that have heard of a leader elect nobody for an election
// timeout, unless the leader itself hands over.
type contact struct {
	begun   time.Time
	last    atomic.Int64 // nanoseconds since begun
	handing atomic.Int32 // hand-overs under way
	handed  atomic.Int64 // when the last one ended, nanoseconds since begun
}

func newContact() *contact {
	c := &contact{begun: time.Now()}
	c.last.Store(-int64(time.Hour)) // never
	c.handed.Store(-int64(time.Hour))
	return c
}

// note says that something was proposed at that time or later which a majority has
// in its log by now.
func (c *contact) note(at time.Time) {
	for now := int64(at.Sub(c.begun)); ; {
		last := c.last.Load()
		if now <= last || c.last.CompareAndSwap(last, now) {
			return
		}
	}
}

// heard is when a majority last listened, as far as is known.
func (c *contact) heard() time.Time { return c.begun.Add(time.Duration(c.last.Load())) }

// alone reports whether nobody else can have been elected since a majority
// listened at the time heard.
func (c *contact) alone(heard time.Time, electionTimeout time.Duration) bool {
	return c.handing.Load() == 0 && int64(heard.Sub(c.begun)) > c.handed.Load() &&
		time.Since(heard) <= electionTimeout/2
}

// handOver is a hand-over under way.
type handOver struct {
	raft.Future
	contact *contact
}

func (c *contact) handOver(begin func() raft.Future) raft.Future {
	c.handing.Add(1)
	return &handOver{begin(), c}
}

// Error implements raft.Future; it is called once.
func (h *handOver) Error() error {
	err := h.Future.Error()
	h.contact.handed.Store(int64(time.Since(h.contact.begun)))
	h.contact.handing.Add(-1)
	return err
}

// Confirm says whether this node may still act as the leader of the term epoch,
// to which a majority has listened at the time heard or later. As long as nobody
// else can have been elected since then it says so at once; otherwise a majority
// has to take an entry first. A process that was stopped for a while does not know
// of its successor, and finds out here before it does what that one has taken over.
//
// Raft's VerifyLeader would not do: it counts an answer that had been given before
// it was called, and lay unread in a process that was stopped.
func (r *Replica) Confirm(ctx context.Context, epoch uint64, heard time.Time) error {
	for !r.contact.alone(heard, r.cfg.ElectionTimeout) {
		heard = time.Now()
		if err := r.Barrier(ctx); err != nil {
			return err
		}
		if r.raft.CurrentTerm() != epoch {
			return ErrNotLeader
		}
		r.contact.note(heard)
	}
	return nil
}

// ReadIndex returns an index whose rows show everything that any leader had
// acknowledged before the call. It is the leader's to say, and fails with
// ErrNotLeader on another node, also on one that does not know of its successor.
// While entries are committed it costs nothing, and else at most one entry for
// every half of an election timeout.
func (r *Replica) ReadIndex(ctx context.Context) (uint64, error) {
	epoch := r.leading.Load()
	if epoch == 0 {
		return 0, ErrNotLeader
	}
	index := r.store.index() // before the question: later ones are none of the caller's
	if err := r.Confirm(ctx, epoch, r.contact.heard()); err != nil {
		return 0, err
	}
	return index, nil
}
