package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// over is a hand-over that has ended.
type over struct{}

func (over) Error() error { return nil }

// TestHandOver: the followers' promise to elect nobody does not bind the one whom
// the leader asks to take over.
func TestHandOver(t *testing.T) {
	c := newContact()
	if c.alone(c.heard(), time.Minute) {
		t.Error("a majority counts as having listened before it ever did")
	}
	heard := time.Now()
	c.note(heard)
	if !c.alone(c.heard(), time.Minute) {
		t.Error("a majority that has just listened must be asked again")
	}
	handing := c.handOver(func() raft.Future { return over{} })
	if c.alone(heard, time.Minute) || c.alone(time.Now(), time.Minute) {
		t.Error("a leader that hands over takes itself for the only one")
	}
	_ = handing.Error()
	if c.alone(heard, time.Minute) {
		t.Error("what a majority heard before a hand-over counts after it")
	}
	c.note(time.Now())
	if !c.alone(c.heard(), time.Minute) {
		t.Error("the hand-over is not forgotten")
	}
}

// TestReadIndex: a leader that is cut off from the others tells nobody how far the
// cluster is, since it cannot know.
func TestReadIndex(t *testing.T) {
	c := openTrio(t, nil)
	leader := c.leader()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c.propose(10, 0)
	acknowledged := leader.Index()
	for range 2 {
		index, err := leader.ReadIndex(ctx)
		if err != nil || index < acknowledged {
			t.Fatalf("%d was acknowledged, the leader is at %d (%v)", acknowledged, index, err)
		}
		leader.contact.last.Store(-int64(time.Hour)) // it is long since a majority listened
	}
	if _, err := c.follower().ReadIndex(ctx); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a follower says how far the leader is: %v", err)
	}
	for id, r := range c.members {
		if r != leader {
			c.stop(id)
		}
	}
	leader.contact.last.Store(-int64(time.Hour))
	if index, err := leader.ReadIndex(ctx); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a leader without followers says that it is at %d: %v", index, err)
	}
}
