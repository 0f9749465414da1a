package replica

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestDamagedSnapshotsAreRefused changes and cuts a snapshot stream at many
// places; none is installed, and the state stays as it was.
func TestDamagedSnapshotsAreRefused(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.SegmentBytes = 500
	r := open(t, cfg)
	leads(t, r)
	for range 20 {
		propose(t, r, count())
	}
	if err := r.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	meta0, stream, err := r.applier.stream()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(stream)
	stream.Close()
	if err != nil || int64(len(whole)) != meta0.Size {
		t.Fatalf("the stream has %d bytes, announced were %d (%v)", len(whole), meta0.Size, err)
	}
	before := status(t, r)
	for at := 0; at < len(whole); at += len(whole)/40 + 1 {
		changed := bytes.Clone(whole)
		changed[at] ^= 0x40
		if err := r.applier.Restore(io.NopCloser(bytes.NewReader(changed))); err == nil {
			t.Fatalf("a snapshot with byte %d of %d changed was installed", at, len(whole))
		}
		if err := r.applier.Restore(io.NopCloser(bytes.NewReader(whole[:at]))); !errors.Is(err, errSnapshot) {
			t.Fatalf("a snapshot cut after %d of %d bytes: %v", at, len(whole), err)
		}
	}
	if after := status(t, r); after.Index != before.Index || after.Hash != before.Hash {
		t.Fatalf("a refused snapshot changed the state from %v to %v", before, after)
	}
	if err := r.applier.Restore(io.NopCloser(bytes.NewReader(whole))); err != nil {
		t.Fatal(err)
	}
	checkHash(t, r)
	if n := len(events(t, r)); n != 21 {
		t.Fatalf("%d events are left, want 21", n)
	}
}

// TestSnapshotNamesNoOtherFile refuses a stream that would write outside its
// folder.
func TestSnapshotNamesNoOtherFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"../evil.seg", "/evil.seg", "evil", "a/b.seg"} {
		var stream bytes.Buffer
		stream.WriteString(snapshotMagic)
		if err := writeFileHead(&stream, name, 1); err != nil {
			t.Fatal(err)
		}
		stream.WriteString("x")
		if err := unpack(&stream, filepath.Join(dir, "state")); !errors.Is(err, errSnapshot) {
			t.Errorf("%q: %v", name, err)
		}
		os.RemoveAll(filepath.Join(dir, "state"))
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 0 {
		t.Fatalf("files were written: %q", names)
	}
}

func TestCheckpointOfAnotherFormatIsRefused(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	r := open(t, cfg)
	leads(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(cfg.Dir, stateName, checkpointName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(btx *bbolt.Tx) error {
		return btx.Bucket(bucketMeta).Put(metaFormat, []byte{0, 0, 0, 0, 0, 0, 0, 99})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "99") {
		t.Fatalf("a checkpoint of format 99: %v", err)
	}
}

func TestADirectoryServesOneReplica(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	r := open(t, cfg)
	leads(t, r)
	if other, err := Open(cfg); err == nil {
		other.Close()
		t.Fatal("two replicas run in one directory")
	} else if !strings.Contains(err.Error(), "another process") {
		t.Fatalf("the refusal does not say why: %v", err)
	}
	propose(t, r, count())
}

// TestAwaitAcrossASnapshot: who waits on a follower for a payment is told, also
// when the log entry that ended it reaches the follower only within a snapshot.
func TestAwaitAcrossASnapshot(t *testing.T) {
	ahead, behind := open(t, testConfig(t, t.TempDir())), open(t, testConfig(t, t.TempDir()))
	leads(t, ahead)
	leads(t, behind)
	ended, cancel := behind.Await(7)
	defer cancel()
	running, cancelRunning := behind.Await(8)
	defer cancelRunning()
	propose(t, ahead, &enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{Payment: 7}}})
	if err := ahead.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	_, stream, err := ahead.applier.stream()
	if err != nil {
		t.Fatal(err)
	}
	if err := behind.applier.Restore(stream); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	default:
		t.Error("nobody was told that the payment has ended")
	}
	select {
	case <-running:
		t.Error("somebody was told of a payment that has not ended")
	default:
	}
}
