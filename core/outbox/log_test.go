package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func event(index uint64, n uint32) *enginev1.Event {
	return &enginev1.Event{
		Cluster: 1, Incarnation: 1, Index: index, N: n, Kind: enginev1.EventKind_EVENT_KIND_ELEMENT_ENTERED,
		Tenant: "t", Payment: index % 7, Seq: uint32(index), Text: fmt.Sprintf("event %d-%d", index, n),
	}
}

func openLog(t testing.TB, dir string, at Position, segmentBytes int64) *Log {
	t.Helper()
	l, err := Open(dir, at, segmentBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// fill appends two events for each index from first to last.
func fill(l *Log, first, last uint64) {
	for i := first; i <= last; i++ {
		l.Append(i, 0, event(i, 0))
		l.Append(i, 1, event(i, 1))
	}
}

// files returns what the directory holds, as one byte string.
func files(t testing.TB, dir string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", filepath.Base(name), b)
	}
	return all.Bytes()
}

func read(t testing.TB, l *Log, from Cursor) []Record {
	t.Helper()
	r := l.Reader(from)
	defer r.Close()
	var all []Record
	for {
		rec, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, rec)
	}
}

func TestRecordsComeBackInOrder(t *testing.T) {
	for _, segmentBytes := range []int64{1, 500, 1 << 20} {
		l := openLog(t, t.TempDir(), Position{}, segmentBytes)
		fill(l, 1, 100)
		if got := read(t, l, Cursor{}); segmentBytes > 1000 && len(got) != 0 {
			t.Fatalf("%d records are read that were not flushed", len(got))
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		got := read(t, l, Cursor{Index: 40, N: 0})
		if len(got) != 121 || got[0].Index != 40 || got[0].N != 1 || got[0].Ordinal != 79 {
			t.Fatalf("above the cursor there are %d records, the first %d-%d at %d", len(got), got[0].Index, got[0].N, got[0].Ordinal)
		}
		for i, rec := range got {
			var ev enginev1.Event
			if err := ev.UnmarshalVT(rec.Value); err != nil {
				t.Fatal(err)
			}
			if ev.Index != rec.Index || ev.N != rec.N || rec.Ordinal != uint64(79+i) {
				t.Fatalf("record %d-%d holds event %d-%d", rec.Index, rec.N, ev.Index, ev.N)
			}
		}
	}
}

// TestReplayWritesTheSameBytes stops a log after each record, cuts it back to an
// earlier position and writes the rest again.
func TestReplayWritesTheSameBytes(t *testing.T) {
	whole := t.TempDir()
	l := openLog(t, whole, Position{}, 300)
	fill(l, 1, 30)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	for stop := uint64(1); stop <= 30; stop++ {
		dir := t.TempDir()
		l := openLog(t, dir, Position{}, 300)
		fill(l, 1, stop/2)
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		at := l.Position()
		fill(l, stop/2+1, stop)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		tearTail(t, dir)
		l = openLog(t, dir, at, 300)
		fill(l, stop/2+1, 30)
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir); !bytes.Equal(got, want) {
			t.Fatalf("stopped at %d, the files differ:\n%s\nwant\n%s", stop, got, want)
		}
	}
}

// tearTail leaves half a record at the end of the last segment.
func tearTail(t testing.TB, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		return
	}
	f, err := os.OpenFile(names[len(names)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte{9, 0, 0, 0, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
}

func TestExportedSegmentsAreDeleted(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, Position{}, 300)
	fill(l, 1, 50)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	all := len(l.segments)
	if err := l.Trim(Cursor{Index: 25, N: 1}, Position{}); err != nil || len(l.segments) != all {
		t.Fatalf("segments above the recorded position are gone: %d of %d (%v)", len(l.segments), all, err)
	}
	if err := l.Trim(Cursor{Index: 25, N: 1}, l.Position()); err != nil {
		t.Fatal(err)
	}
	if n := len(l.segments); n < all/3 || n > all*2/3 {
		t.Fatalf("%d of %d segments are left", n, all)
	}
	if got := read(t, l, Cursor{Index: 25, N: 1}); len(got) != 50 {
		t.Fatalf("%d records are left above the cursor, want 50", len(got))
	}
	at := l.Position()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, at, 300)
	if got := read(t, l, Cursor{Index: 25, N: 1}); len(got) != 50 || got[0].Ordinal != 50 {
		t.Fatalf("after a restart %d records are left", len(got))
	}
}

func TestPartsCarryWhatIsNotExported(t *testing.T) {
	l := openLog(t, t.TempDir(), Position{}, 300)
	fill(l, 1, 30)
	at := l.Position()
	fill(l, 31, 60)
	cursor := Cursor{Index: 10, N: 0}
	parts, err := l.Parts(cursor, at)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, p := range parts {
		b, err := io.ReadAll(p)
		if err != nil || int64(len(b)) != p.Size {
			t.Fatalf("part %s has %d bytes, announced were %d (%v)", p.Name, len(b), p.Size, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.Name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	other := openLog(t, dir, at, 300)
	got := read(t, other, cursor)
	if len(got) != 41 || got[0].Index != 10 || got[0].N != 1 {
		t.Fatalf("the copy holds %d records above the cursor", len(got))
	}
	fill(other, 31, 60)
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, other, cursor); len(got) != 101 {
		t.Fatalf("after going on the copy holds %d records", len(got))
	}
}

func TestDamageIsReported(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, Position{}, 1<<20)
	fill(l, 1, 10)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	at := l.Position()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(names[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, at, 1<<20)
	r := l.Reader(Cursor{})
	defer r.Close()
	for err == nil {
		var ok bool
		if _, ok, err = r.Next(); err == nil && !ok {
			t.Fatal("a changed byte went unnoticed")
		}
	}
	if !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	if err := os.Truncate(names[0], int64(at.Offset-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, at, 0); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a missing record went unnoticed: %v", err)
	}
}
