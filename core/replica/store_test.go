package replica

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
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

	resident int // rows of a table that may rest in memory
}

func openRestless(t testing.TB, moves func() int) *restless {
	r := &restless{t: t, path: filepath.Join(t.TempDir(), "checkpoint"), moves: moves, resident: 2}
	r.open()
	t.Cleanup(func() { r.store.close() })
	return r
}

func (r *restless) open() {
	s, err := openStore(r.path, 1<<20, r.resident)
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
func (r *restless) Put(k engine.Key, row engine.Row) { r.use(func(x *tx) { x.Put(k, row) }) }
func (r *restless) Delete(k engine.Key)              { r.use(func(x *tx) { x.Delete(k) }) }
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
	s := openRestless(t, func() int { return 0 })
	for n := range uint64(3000) {
		s.Put(engine.Key{Table: engine.TableJob, A: n + 1}, rowFor(engine.TableJob, n+1))
	}
	before := s.hash()
	for range parkAfter + 2 {
		s.Put(engine.Key{Table: engine.TableMeta}, rowFor(engine.TableMeta, 1))
		s.move(2)
	}
	jobs := s.store.tables[engine.TableJob]
	if jobs.len() != 0 || jobs.absent != 3000 {
		t.Fatalf("%d rows are in memory and %d on the disk", jobs.len(), jobs.absent)
	}
	k := engine.Key{Table: engine.TableJob, A: 1234}
	if row, found := s.Get(k); !found || row.(*enginev1.Job).Payment != 1234 {
		t.Fatalf("a row at rest is %v, %v", row, found)
	}
	s.Put(k, rowFor(engine.TableJob, 1))
	s.Put(k, rowFor(engine.TableJob, 1234))
	s.Delete(engine.Key{Table: engine.TableMeta})
	if after := s.hash(); after != before {
		t.Fatalf("the hash went from %x to %x", before, after)
	}
	n := 0
	s.Ascend(engine.Key{Table: engine.TableJob}, func(engine.Key, engine.Row) bool { n++; return true })
	if n != 3000 {
		t.Fatalf("%d rows are found", n)
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
