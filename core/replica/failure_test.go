package replica

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childLimit names, to a child, the size in bytes beyond which it cannot write a
// file, and childPadding how long its commands are.
const (
	childLimit   = "RAILHEAD_REPLICA_CHILD_LIMIT"
	childPadding = "RAILHEAD_REPLICA_CHILD_PADDING"
	exitFailed   = 3 // of a child that was told of the failure and closed the replica
)

// limit makes every write beyond childLimit fail, as on a disk that is full, and
// ends the child when the replica says so.
func limit(r *Replica) {
	size, err := strconv.ParseUint(os.Getenv(childLimit), 10, 64)
	if err != nil {
		return // none is set
	}
	signal.Ignore(syscall.SIGXFSZ) // so that the write fails instead
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		fmt.Fprintln(os.Stderr, <-r.Failed())
		_ = r.Close() // it says the same again
		os.Exit(exitFailed)
	}()
}

// TestDiskFull fills the disk of a working process, at its log or at its
// checkpoint, and demands that the node stops, says why, has lost nothing that
// it acknowledged, and starts again once there is room.
func TestDiskFull(t *testing.T) {
	for _, at := range []struct {
		name          string
		size, padding int
	}{
		{"checkpoint", 200_000, 100},
		{"log", 17 << 20, 10_000}, // the empty checkpoint's file takes 16 MiB
	} {
		t.Run(at.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childLimit, at.size), fmt.Sprintf("%s=%d", childPadding, at.padding))
			var faults strings.Builder
			cmd.Stderr = &faults
			// A node that goes on regardless is ended, and that is told from its exit.
			timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			out, err := cmd.Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(faults.String(), "file too large") {
				t.Fatalf("the child ended with %v and said %q", err, faults.String())
			}
			var told uint64
			for line := range strings.Lines(string(out)) {
				if n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64); err == nil {
					told = max(told, n)
				}
			}
			r := open(t, killConfig(dir))
			leads(t, r)
			m := meta(t, r)
			if told == 0 || m.Counted < told {
				t.Fatalf("%d commands were acknowledged and %d are left", told, m.Counted)
			}
			checkHash(t, r)
			checkEvents(t, r, m.Counted)
		})
	}
}

// TestNothingIsWrittenAfterAFailedWrite lets one write fail and demands that the
// replica leads no more, acknowledges nothing, and does not write again.
func TestNothingIsWrittenAfterAFailedWrite(t *testing.T) {
	r := open(t, testConfig(t, t.TempDir()))
	leads(t, r)
	propose(t, r, count())
	broken := errors.New("input/output error")
	if err := r.failure.note(broken); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err := <-r.Failed(); !errors.Is(err, broken) {
		t.Fatalf("the replica failed because of %v", err)
	}
	if _, err := r.Propose(t.Context(), count()); !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a proposal after the failure ended with %v", err)
	}
	if err := r.Checkpoint(); !errors.Is(err, broken) {
		t.Fatalf("a checkpoint after the failure ended with %v", err)
	}
	eventually(t, func() error {
		if r.IsLeader() {
			return errors.New("it still leads")
		}
		return nil
	})
	before := r.store.disk.index
	if err := r.Close(); err != nil {
		t.Fatalf("closing after the failure: %v", err)
	}
	if r.store.disk.index != before {
		t.Fatal("closing wrote a checkpoint after the failure")
	}
}
