package replica

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func noSync() error { return nil }

// restless is a store whose state moves between memory and disk while it is
// used: between operations it is frozen, checkpointed, or closed and opened.
type restless struct {
	t     testing.TB
	path  string
	store *store
	moves func() int // what to do next: see move

	resident int   // rows of a table that stay in memory
	bytes    int64 // of larger tables that may
}

func openRestless(t testing.TB, moves func() int) *restless {
	r := &restless{t: t, path: filepath.Join(t.TempDir(), "checkpoint"), moves: moves, resident: 2}
	r.open()
	t.Cleanup(func() { r.store.close() })
	return r
}

func (r *restless) open() {
	s, err := openStore(r.path, 1<<20, r.resident, r.bytes, prometheus.NewHistogram(prometheus.HistogramOpts{}))
	if err != nil {
		r.t.Fatal(err)
	}
	s.disk.db.NoSync = true
	r.store = s
}

func (r *restless) use(f func(*tx)) {
	r.move(r.moves())
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.at.index++
	f(&r.store.writer)
	r.store.writer.end()
}

func (r *restless) freeze() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.freeze()
}

func (r *restless) write() {
	if _, err := r.store.write(noSync); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restless) move(what int) {
	switch what {
	case 1:
		r.freeze()
	case 2:
		r.freeze()
		r.write()
	case 3: // a checkpoint that fails leaves everything as it was
		r.freeze()
		full := errors.New("disk full")
		if _, err := r.store.write(func() error { return full }); err != nil && !errors.Is(err, full) {
			r.t.Fatal(err)
		}
	case 4:
		r.freeze()
		r.write()
		if err := r.store.close(); err != nil {
			r.t.Fatal(err)
		}
		r.open()
	case 5:
		r.store.mu.Lock()
		r.store.rehash(nil)
		r.store.mu.Unlock()
	}
}

func (r *restless) Get(k engine.Key) (row engine.Row, found bool) {
	r.use(func(x *tx) { row, found = x.Get(k) })
	return row, found
}
func (r *restless) Put(k engine.Key, row engine.Row) (old engine.Row) {
	r.use(func(x *tx) { old = x.Put(k, row) })
	return old
}
func (r *restless) Delete(k engine.Key) (old engine.Row) {
	r.use(func(x *tx) { old = x.Delete(k) })
	return old
}
func (r *restless) Ascend(from engine.Key, visit func(engine.Key, engine.Row) bool) {
	r.use(func(x *tx) { x.Ascend(from, visit) })
}

func (r *restless) hash() uint64 {
	hash := make(chan uint64, 1)
	r.store.mu.Lock()
	r.store.rehash(func(h uint64) { hash <- h })
	r.store.mu.Unlock()
	return <-hash
}

// hashOf computes the state hash the slow way.
func hashOf(tx engine.Tx) (hash uint64) {
	for id := range engine.Layouts {
		tx.Ascend(engine.Key{Table: id}, func(k engine.Key, row engine.Row) bool {
			hash += xxhash.Sum64(encodeRow(k.Append(nil), row))
			return true
		})
	}
	return hash
}

func TestStoreIsATx(t *testing.T) {
	enginetest.TestTx(t, func(t *testing.T) engine.Tx {
		return openRestless(t, func() int { return 0 })
	})
}

func TestStoreIsATxWhileItMovesToDisk(t *testing.T) {
	for every := 1; every <= 5; every++ {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			n := 0
			enginetest.TestTx(t, func(t *testing.T) engine.Tx {
				return openRestless(t, func() int { n++; return n % (every + 1) })
			})
		})
	}
}

// TestStoreAgainstModel drives a store and the in-memory key space side by side,
// with checkpoints, failed checkpoints and restarts in between, and compares
// rows, indexes, readers' views and the state hash.
func TestStoreAgainstModel(t *testing.T) {
	tables := []engine.Table{engine.TableMeta, engine.TableTimer, engine.TableStartID, engine.TableMessageID, engine.TableReceipt, engine.TableJob, engine.TableCorrelation}
	rapid.Check(t, func(rt *rapid.T) {
		s := openRestless(t, func() int { return 0 })
		model := enginetest.NewMemTx()
		var unique uint64
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			s.move(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}).Draw(rt, "move"))
			k := engine.Key{Table: rapid.SampledFrom(tables).Draw(rt, "table"), A: rapid.Uint64Range(0, 5).Draw(rt, "a")}
			if k.Table == engine.TableCorrelation {
				k.S = rapid.SampledFrom([]string{"", "a", "a\x00b"}).Draw(rt, "s")
			}
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0, 1:
				s.Delete(k)
				model.Delete(k)
			case 2:
				got, found := s.Get(k)
				want, wanted := model.Get(k)
				if found != wanted || found && !slices.Equal(encodeRow(nil, got), encodeRow(nil, want)) {
					rt.Fatalf("Get(%v) = %v, %v, want %v, %v", k, got, found, want, wanted)
				}
			default:
				unique++
				row := rowFor(k.Table, unique)
				s.Put(k, row)
				model.Put(k, row)
			}
		}
		if got, want := enginetest.Dump(s), enginetest.Dump(model); !slices.Equal(got, want) {
			rt.Fatalf("the store differs from the model:\n%x\n%x", got, want)
		}
		if err := s.store.view(func(x engine.Tx) error {
			if got, want := enginetest.Dump(x), enginetest.Dump(model); !slices.Equal(got, want) {
				rt.Fatalf("a view differs from the model:\n%x\n%x", got, want)
			}
			for n := uint64(1); n <= unique; n++ {
				for _, id := range []engine.Table{engine.TableStartIndex, engine.TableMessageIndex} {
					by := engine.Key{Table: id, A: n, B: n}
					_, found := x.Get(by)
					if _, wanted := model.Get(by); found != wanted {
						rt.Fatalf("index %v found: %v, want %v", by, found, wanted)
					}
				}
			}
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		if got, want := s.hash(), hashOf(model); got != want {
			rt.Fatalf("the state hash is %x, want %x", got, want)
		}
		s.move(4)
		if got, want := s.hash(), hashOf(model); got != want {
			rt.Fatalf("after a restart the state hash is %x, want %x", got, want)
		}
		if err := s.store.close(); err != nil {
			rt.Fatal(err)
		}
		s.open()
	})
}

func rowFor(table engine.Table, n uint64) engine.Row {
	switch table {
	case engine.TableMeta:
		return &enginev1.Meta{Counted: n}
	case engine.TableTimer:
		return &enginev1.Timer{Due: []*enginev1.Due{{N: uint32(n)}}}
	case engine.TableStartID:
		return &enginev1.StartID{HashHigh: n, HashLow: n}
	case engine.TableMessageID:
		return &enginev1.MessageID{HashHigh: n, HashLow: n}
	case engine.TableReceipt:
		return &enginev1.Receipt{Payment: n}
	case engine.TableJob:
		return &enginev1.Job{Payment: n, Type: "t"}
	}
	return &enginev1.Correlation{Subscriptions: []*enginev1.Subscription{{Payment: n}}}
}

// TestFrozenRowsStay shows that what a checkpoint is about to encode does not
// change under it.
func TestFrozenRowsStay(t *testing.T) {
	s := openRestless(t, func() int { return 0 })
	k := engine.Key{Table: engine.TableJob, A: 1}
	s.Put(k, rowFor(engine.TableJob, 1))
	s.freeze()
	s.Put(k, rowFor(engine.TableJob, 2))
	s.Delete(k)
	s.Put(k, rowFor(engine.TableJob, 3))
	changes := s.store.frozen[0].changes[engine.TableJob]
	if len(changes) != 1 || changes[0].row.(*enginev1.Job).Payment != 1 {
		t.Fatalf("the frozen generation holds %v", changes)
	}
	s.write()
	if row, _ := s.Get(k); row.(*enginev1.Job).Payment != 3 {
		t.Fatalf("got %v, want the last row", row)
	}
}

// TestADeletedRowStaysDeleted: a row on the disk is deleted, and while no checkpoint
// has seen that, its key comes and goes once more. What the disk still holds must
// not show through.
func TestADeletedRowStaysDeleted(t *testing.T) {
	for id := range engine.Layouts {
		t.Run(engine.Layouts[id].Name, func(t *testing.T) {
			s := openRestless(t, func() int { return 0 })
			s.resident = 0
			row := func() engine.Row { return engine.Layouts[id].New() }
			gone, other := engine.Key{Table: id, A: 1}, engine.Key{Table: id, A: 2}
			s.Put(gone, row())
			s.Put(other, row())
			s.move(4) // both are on the disk only
			s.Delete(gone)
			s.freeze()
			s.Put(gone, row())
			s.Delete(gone)
			check := func() {
				t.Helper()
				if _, found := s.Get(gone); found {
					t.Error("Get finds it")
				}
				s.Ascend(engine.Key{Table: id}, func(k engine.Key, _ engine.Row) bool {
					if k == gone {
						t.Error("Ascend finds it")
					}
					return true
				})
			}
			check()
			s.write()
			check()
			s.move(4)
			check()
		})
	}
}

// TestShortLivesCostNothing shows that rows which come and go within a
// generation reach neither the checkpoint nor, for long, memory.
func TestShortLivesCostNothing(t *testing.T) {
	s := openRestless(t, func() int { return 0 })
	for n := range uint64(50_000) {
		k := engine.Key{Table: engine.TableJob, A: n}
		s.Put(k, rowFor(engine.TableJob, n))
		s.Delete(k)
	}
	jobs := s.store.tables[engine.TableJob]
	if len(jobs.dirty) > 10_000 || jobs.len() != 0 {
		t.Fatalf("%d changes and %d rows are kept of payments that are over", len(jobs.dirty), jobs.len())
	}
	s.freeze()
	done, err := s.store.write(noSync)
	if err != nil || done.rows != 0 {
		t.Fatalf("the checkpoint wrote %d rows (%v)", done.rows, err)
	}
}

// TestRowsAtRestLeaveMemory shows that payments which wait for long need no
// memory, and are found when something happens to them.
func TestRowsAtRestLeaveMemory(t *testing.T) {
	for _, table := range []engine.Table{engine.TableJob, engine.TableTimer} {
		t.Run(engine.Layouts[table].Name, func(t *testing.T) {
			s := openRestless(t, func() int { return 0 })
			for n := range uint64(3000) {
				s.Put(engine.Key{Table: table, A: n + 1}, rowFor(table, n+1))
			}
			before := s.hash()
			s.move(2)
			rows := s.store.tables[table]
			if rows.len() != 0 || rows.absent != 3000 || s.store.resting.bytes != 0 {
				t.Fatalf("%d rows are in memory and %d on the disk; %d bytes rest", rows.len(), rows.absent, s.store.resting.bytes)
			}
			k := engine.Key{Table: table, A: 1234}
			want := encodeRow(nil, rowFor(table, 1234))
			if row, found := s.Get(k); !found || !bytes.Equal(encodeRow(nil, row), want) {
				t.Fatalf("a row at rest is %v, %v", row, found)
			}
			if row, found := s.Get(engine.Key{Table: table, A: 4000}); found {
				t.Fatalf("a row that never was is %v", row)
			}
			s.Put(k, rowFor(table, 1))
			s.Put(k, rowFor(table, 1234))
			if after := s.hash(); after != before {
				t.Fatalf("the hash went from %x to %x", before, after)
			}
			n := 0
			s.Ascend(engine.Key{Table: table}, func(engine.Key, engine.Row) bool { n++; return true })
			if n != 3000 {
				t.Fatalf("%d rows are found", n)
			}
			s.move(2)
			s.move(4)
			if after := s.hash(); after != before || rows.len() != 0 {
				t.Fatalf("after a restart %d rows are in memory and the hash went from %x to %x", rows.len(), before, after)
			}
		})
	}
}

// TestTheLatestRowsAtRestStay shows that memory is used up to its bound.
func TestTheLatestRowsAtRestStay(t *testing.T) {
	s := openRestless(t, func() int { return 0 })
	put := func(n uint64) { s.Put(engine.Key{Table: engine.TableJob, A: n}, rowFor(engine.TableJob, n)) }
	put(1)
	put(2)
	put(3)
	s.move(2) // nothing may rest: how long is one?
	jobs := s.store.tables[engine.TableJob]
	s.Get(engine.Key{Table: engine.TableJob, A: 1})
	one := s.store.resting.bytes
	s.store.residentBytes = 10*one + one/2
	for n := range uint64(20) {
		put(100 + n)
		s.move(2)
	}
	if jobs.len() != 10 || jobs.absent != 13 {
		t.Fatalf("%d rows are in memory and %d on the disk, of 23; 10 may be", jobs.len(), jobs.absent)
	}
	for n := range uint64(10) {
		if jobs.find(engine.Key{Table: engine.TableJob, A: 110 + n}) == nil {
			t.Errorf("row %d has left", 110+n)
		}
	}
}

// TestFiredTimersAreNotWalkedThrough shows that the first live row of an ordered
// table is found at once, however many before it were deleted since the last
// checkpoint, and whatever is put below it later.
func TestFiredTimersAreNotWalkedThrough(t *testing.T) {
	const rows = 3000
	key := func(n uint64) engine.Key { return engine.Key{Table: engine.TableTimer, A: n} }
	s := openRestless(t, func() int { return 0 })
	for n := range uint64(rows) {
		s.Put(key(n+10), rowFor(engine.TableTimer, n+10))
	}
	s.move(2)
	first := func() (a uint64) {
		s.Ascend(engine.Key{Table: engine.TableTimer}, func(k engine.Key, _ engine.Row) bool { a = k.A; return false })
		return a
	}
	for n := range uint64(rows) {
		if got := first(); got != n+10 {
			t.Fatalf("the first row is %d, want %d", got, n+10)
		}
		if n == 1500 {
			s.Put(key(5), rowFor(engine.TableTimer, 5))
			if got := first(); got != 5 {
				t.Fatalf("the first row is %d, want 5", got)
			}
			s.Delete(key(5))
			s.move(1)
		}
		s.Delete(key(n + 10))
	}
	if got := first(); got != 0 {
		t.Fatalf("there is a row %d", got)
	}
	table := s.store.tables[engine.TableTimer]
	if table.floor.Table == table.id {
		t.Fatalf("the floor is %v of a table without rows", table.floor)
	}
	s.Put(key(7), rowFor(engine.TableTimer, 7))
	if got := first(); got != 7 {
		t.Fatalf("the first row is %d, want 7", got)
	}
}

// TestColdRowsLeaveMemory shows that receipts and ids live on the disk only.
func TestColdRowsLeaveMemory(t *testing.T) {
	s := openRestless(t, func() int { return 0 })
	for n := range uint64(5000) {
		s.Put(engine.Key{Table: engine.TableStartID, A: n + 1}, rowFor(engine.TableStartID, n+1))
	}
	s.move(2)
	if n := s.store.tables[engine.TableStartID].len(); n != 0 {
		t.Fatalf("%d rows are still in memory", n)
	}
	row, found := s.Get(engine.Key{Table: engine.TableStartIndex, A: 77, B: 77})
	if !found || row.(*enginev1.StartID).HashHigh != 77 {
		t.Fatalf("the index finds %v, %v", row, found)
	}
}
