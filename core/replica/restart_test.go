package replica

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/railhead-hub/railhead/engine"
)

// TestRestartAtEveryPoint stops a replica after each number of commands, with
// and without checkpoints on the way, and finds the same state and the same
// events after it.
func TestRestartAtEveryPoint(t *testing.T) {
	for _, checkpointEvery := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(checkpointEvery), func(t *testing.T) {
			cfg := testConfig(t, t.TempDir())
			cfg.SegmentBytes = 200 // so that segments begin and end everywhere
			var want []string
			for n := range uint64(12) {
				r := open(t, cfg)
				leads(t, r)
				got := events(t, r)
				if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) {
					t.Fatalf("after restart %d the outbox holds\n%q\nwant this and one more\n%q", n, got, want)
				}
				if m := meta(t, r); m.Counted != n {
					t.Fatalf("after restart %d the count is %d", n, m.Counted)
				}
				propose(t, r, count())
				if checkpointEvery > 0 && int(n)%checkpointEvery == 0 {
					if err := r.Checkpoint(); err != nil {
						t.Fatal(err)
					}
				}
				checkHash(t, r)
				want = events(t, r)
				crash(r)
			}
		})
	}
}

// crash closes a replica as a stopped process would leave it: without a last
// checkpoint.
func crash(r *Replica) {
	r.once.Do(func() {
		close(r.stop)
		r.raft.Shutdown().Error()
		r.done.Wait()
		r.proposer.close()
		r.office.close()
		r.closeParts()
	})
}

func TestLogIsCut(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.LogMaxBytes, cfg.EntryCommands = 100_000, 1
	r := open(t, cfg)
	leads(t, r)
	for range 400 {
		propose(t, r, count(make([]byte, 1000)...))
	}
	if err := r.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	r.cutLog()
	first, err := r.wal.FirstIndex()
	if err != nil || first < 200 {
		t.Fatalf("the log still begins at %d (%v)", first, err)
	}
	crash(r)
	r = open(t, cfg)
	leads(t, r)
	if m := meta(t, r); m.Counted != 400 {
		t.Fatalf("the count is %d", m.Counted)
	}
}

func TestStampsNeverGoBack(t *testing.T) {
	var now atomic.Int64
	now.Store(5000)
	cfg := testConfig(t, t.TempDir())
	cfg.Clock = now.Load
	r := open(t, cfg)
	leads(t, r)
	if got := propose(t, r, count()).TimeMs; got != 5000 {
		t.Fatalf("stamped %d", got)
	}
	now.Store(4000)
	if got := propose(t, r, count()).TimeMs; got != 5000 {
		t.Fatalf("the stamp went back to %d", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, cfg)
	leads(t, r)
	if got := propose(t, r, count()).TimeMs; got != 5000 {
		t.Fatalf("after a restart the stamp went back to %d", got)
	}
}

func TestHintsReachTheLeaderOnly(t *testing.T) {
	var hints atomic.Int64
	cfg := testConfig(t, t.TempDir())
	cfg.OnHints = func(h []engine.Hint) { hints.Add(int64(len(h))) }
	r := open(t, cfg)
	leads(t, r)
	for range 5 {
		propose(t, r, count())
	}
	if n := hints.Load(); n != 5 {
		t.Fatalf("%d hints for 5 commands", n)
	}
	crash(r)
	hints.Store(0)
	r = open(t, cfg)
	leads(t, r)
	if n := hints.Load(); n != 0 {
		t.Fatalf("replay gave %d hints", n)
	}
}
