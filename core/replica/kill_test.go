package replica

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/outbox"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// childDir names, to a process that runs this test binary, the directory in
// which to write until it is killed.
const childDir = "RAILHEAD_REPLICA_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child counts as fast as it can and prints every number it was told.
func child(dir string) {
	r, err := Open(killConfig(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for !r.IsLeader() {
		time.Sleep(time.Millisecond)
	}
	limit(r)
	padding := 100
	if n, err := strconv.Atoi(os.Getenv(childPadding)); err == nil {
		padding = n
	}
	var mu sync.Mutex
	for range 16 {
		go func() {
			for {
				reply, err := r.Propose(context.Background(), count(make([]byte, padding)...))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					if os.Getenv(childLimit) != "" {
						return // the failure ends the process
					}
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(reply.Payment)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func killConfig(dir string) Config {
	return Config{
		ID: "a", Dir: dir, Bind: "127.0.0.1:0", Machine: tally{}, Logger: quiet(),
		CheckpointEvery: 30 * time.Millisecond, MapBytes: 1 << 24, ElectionTimeout: 50 * time.Millisecond,
		SegmentBytes: 100_000,
	}
}

// TestKill kills a process at random moments of its work and finds, each time,
// everything it had acknowledged; in the end the state is what the log alone
// gives.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var told uint64
	for round := range 6 {
		told = max(told, killOnce(t, dir, 200+rand.IntN(3000)))
		r, err := Open(killConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		leads(t, r)
		if m := meta(t, r); m.Counted < told {
			t.Fatalf("round %d: %d commands were acknowledged and %d are left", round, told, m.Counted)
		}
		checkHash(t, r)
		checkEvents(t, r, meta(t, r).Counted)
		crash(r)
	}

	// The log was never cut: apply all of it to an empty state.
	again := t.TempDir()
	if err := os.CopyFS(filepath.Join(again, "log"), os.DirFS(filepath.Join(dir, "log"))); err != nil {
		t.Fatal(err)
	}
	cfg := killConfig(dir)
	r := open(t, cfg)
	leads(t, r)
	cfg.Dir = again
	fresh := open(t, cfg)
	leads(t, fresh)
	if a, b := meta(t, r).Counted, meta(t, fresh).Counted; a != b {
		t.Fatalf("the node counts %d, a replay from scratch %d", a, b)
	}
	// Both wrote one more LeaderStarted of the same term, at the same index.
	if a, b := status(t, r), status(t, fresh); a.Index != b.Index || a.Hash != b.Hash {
		t.Fatalf("the node is at %d with the hash %x, a replay from scratch at %d with %x", a.Index, a.Hash, b.Index, b.Hash)
	}
}

// killOnce runs a child until it has printed so many numbers, kills it, and
// returns the highest number printed.
func killOnce(t *testing.T, dir string, lines int) (highest uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); n++ {
		number, err := strconv.ParseUint(scanner.Text(), 10, 64)
		if err != nil {
			break // cut off by the kill
		}
		highest = max(highest, number)
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait()
	if highest == 0 {
		t.Fatalf("the child did nothing: %s", errors.String())
	}
	return highest
}

// checkEvents looks for a gap or a repetition in what the outbox holds.
func checkEvents(t *testing.T, r *Replica, counted uint64) {
	t.Helper()
	var next uint64
	for _, rec := range readAfter(t, r, outbox.Cursor{}) {
		var ev enginev1.Event
		if err := ev.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		if ev.Kind != enginev1.EventKind_EVENT_KIND_COUNTED {
			continue
		}
		if next++; ev.Payment != next {
			t.Fatalf("event %d of the outbox is of command %d", next, ev.Payment)
		}
	}
	if next != counted {
		t.Fatalf("the outbox holds %d events of %d commands", next, counted)
	}
}
