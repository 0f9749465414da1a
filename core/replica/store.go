package replica

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
)

// store is the state of the node: a working set in memory over a checkpoint.
// Memory holds every row that changed since the checkpoint and whatever else was
// worth keeping; what it does not hold is read from the checkpoint.
//
// mu is held for writing while an entry is applied and for reading by views. What
// a checkpoint wants done to the rows in memory is a chore.
type store struct {
	mu     sync.RWMutex
	chores chores
	tables [64]*table
	hasher *hasher

	mapBytes      int   // of the checkpoint file
	residentRows  int   // a table that has no more of them stays in memory
	residentBytes int64 // of rows at rest, of larger tables
	resting       resting

	closed     bool
	at         mark   // what the rows reflect
	generation uint64 // current; from 1
	frozen     []*generation
	delta      int64 // log bytes applied that no checkpoint holds

	touched []*entry // since the state hash last looked
	writer  tx       // the apply loop's

	// checkpointing excludes one another: writing a checkpoint, streaming the
	// decision what to write, and replacing the file by a snapshot.
	checkpointing sync.Mutex
	disk          *disk
}

// mark says what a state reflects and where it continues.
type mark struct {
	index, term uint64 // of the last entry applied
	timeMS      int64  // the last stamp's
	outbox      outbox.Position
	// configuration is Raft's, as of the entry configurationIndex.
	configuration      []byte
	configurationIndex uint64
}

// generation is the changes between two freezes. It is immutable.
type generation struct {
	at      mark
	delta   int64
	changes [64][]*entry
	hash    <-chan uint64 // yields the state hash at the freeze
}

// openStore opens the checkpoint at the path, or makes an empty one, and loads
// what the layouts want in memory.
func openStore(path string, mapBytes, residentRows int, residentBytes int64, pause prometheus.Observer) (*store, error) {
	s := &store{generation: 1, mapBytes: mapBytes, residentRows: residentRows, residentBytes: residentBytes}
	s.chores.lock, s.chores.pause = &s.mu, pause
	for id, layout := range engine.Layouts {
		s.tables[id] = newTable(id, layout)
	}
	s.writer = tx{store: s, write: true}
	d, err := openDisk(path, mapBytes)
	if err != nil {
		return nil, err
	}
	s.disk = d
	if err := s.load(); err != nil {
		_ = d.close() // what led here is the error to tell
		return nil, err
	}
	return s, nil
}

// load fills memory from the checkpoint: small tables whole; of the others their
// index and what tells which keys there are. Rows of an engine that this program does
// not know are an error.
func (s *store) load() error {
	if err := s.loadTables(); err != nil {
		return err
	}
	return s.checkVersion()
}

func (s *store) loadTables() error {
	state, err := s.disk.state()
	if err != nil {
		return err
	}
	s.at, s.disk.index = state.at, state.at.index
	s.hasher = startHasher(state.hash)
	return s.disk.db.View(func(btx *bbolt.Tx) error {
		for _, t := range s.tables {
			if t == nil {
				continue
			}
			t.absent = int(state.rows[t.id])
			bucket := btx.Bucket(t.bucket)
			if bucket == nil || t.absent == 0 {
				continue
			}
			cursor := bucket.Cursor()
			if last, _ := cursor.Last(); last != nil {
				if t.last, err = engine.ParseKey(last); err != nil {
					return fmt.Errorf("replica: read the checkpoint: %w", err)
				}
			}
			whole := !t.layout.Cold && t.absent <= s.residentRows
			if t.layout.Cold && t.index == nil {
				continue
			}
			for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
				key, err := engine.ParseKey(k)
				if err != nil {
					return fmt.Errorf("replica: read the checkpoint: %w", err)
				}
				if !whole && t.index == nil {
					t.away.add(key)
					continue
				}
				row, sum := decodeRow(t, k, v)
				t.reindex(key, nil, row)
				if whole {
					t.set(&entry{key: key, row: row, size: uint32(len(k) + len(v)), stored: true, digest: &digest{sum: sum, live: true}})
					t.absent--
				}
			}
		}
		return nil
	})
}

// tx is the engine's view of the store: the apply loop's, which may write and
// keeps what it reads from the checkpoint, or a reader's, which leaves no trace.
type tx struct {
	store   *store
	write   bool
	btx     *bbolt.Tx // opened at the first look into the checkpoint
	buckets [64]*bbolt.Bucket
	missed  engine.Key // the last key that was in neither place
}

// end lets go of the checkpoint. It must be called before mu is released.
func (x *tx) end() {
	if x.btx != nil {
		if err := x.btx.Rollback(); err != nil {
			panic(fmt.Sprintf("replica: end a read of the checkpoint: %v", err))
		}
		x.btx, x.buckets = nil, [64]*bbolt.Bucket{}
	}
	x.missed = engine.Key{}
}

func (x *tx) bucket(t *table) *bbolt.Bucket {
	if x.btx == nil {
		btx, err := x.store.disk.db.Begin(false)
		if err != nil {
			panic(fmt.Sprintf("replica: read the checkpoint: %v", err))
		}
		x.btx = btx
	}
	if x.buckets[t.id] == nil {
		x.buckets[t.id] = x.btx.Bucket(t.bucket)
	}
	return x.buckets[t.id]
}

// stored looks the key up in the checkpoint and returns a clean entry, or nil.
func (x *tx) stored(t *table, key engine.Key) *entry {
	if !t.mayBeStored(key) || key == x.missed {
		return nil
	}
	b := x.bucket(t)
	if b == nil {
		return nil
	}
	var scratch [128]byte
	k := key.Append(scratch[:0])
	v := b.Get(k)
	if v == nil {
		x.missed = key
		return nil
	}
	row, sum := decodeRow(t, k, v)
	return &entry{key: key, row: row, size: uint32(len(k) + len(v)), stored: true, digest: &digest{sum: sum, live: true}}
}

func (s *store) table(id engine.Table) *table {
	if int(id) < len(s.tables) && s.tables[id] != nil {
		return s.tables[id]
	}
	panic(fmt.Sprintf("replica: there is no table %d", id))
}

// Get implements engine.Tx.
func (x *tx) Get(key engine.Key) (engine.Row, bool) {
	if of, ok := engine.Indexed[key.Table]; ok {
		at, found := x.store.table(of).index[pair{key.A, key.B}]
		if !found {
			return nil, false
		}
		key = engine.Key{Table: of, A: at.a, B: at.b}
	}
	t := x.store.table(key.Table)
	if e := t.find(key); e != nil {
		return e.row, e.row != nil
	}
	e := x.stored(t, key)
	if e == nil {
		return nil, false
	}
	if x.write && !t.layout.Cold {
		t.set(e)
		t.returned(key)
		x.store.resting.fresh = x.store.rest(t, e, x.store.resting.fresh)
	}
	return e.row, true
}

// Put implements engine.Tx.
func (x *tx) Put(key engine.Key, row engine.Row) engine.Row {
	if row == nil {
		panic("replica: Put of no row")
	}
	return x.change(key, row)
}

// Delete implements engine.Tx.
func (x *tx) Delete(key engine.Key) engine.Row { return x.change(key, nil) }

// change replaces the key's row, which it returns; nil deletes it.
func (x *tx) change(key engine.Key, row engine.Row) (old engine.Row) {
	if !x.write {
		panic("replica: a view cannot write")
	}
	s := x.store
	t := s.table(key.Table)
	if t.index != nil && key.S != "" {
		panic("replica: a row that has an index cannot have a key with text")
	}
	e := t.find(key)
	switch {
	case e == nil:
		if e = x.stored(t, key); e != nil {
			old = e.row
			t.returned(key)
		} else if row == nil {
			return nil
		} else {
			e = &entry{key: key}
		}
		e.generation = s.generation
		t.set(e)
		t.dirty = append(t.dirty, e)
	case e.generation == s.generation:
		old = e.row
	default:
		// The entry is in the checkpoint or in a frozen generation on its way there.
		old = e.row
		if old == nil && row == nil {
			return nil
		}
		// A row that was deleted there stays covered: until that is written, the disk
		// holds what it was.
		e = &entry{key: key, generation: s.generation, stored: true, digest: e.digest}
		t.set(e)
		t.dirty = append(t.dirty, e)
	}
	e.row = row
	t.reindex(key, old, row)
	if row != nil && key.Compare(t.floor) < 0 {
		t.floor = key
	}
	if row == nil && !e.stored {
		t.remove(key)
		t.dead++
		t.compactDirty()
	}
	if !e.touched {
		e.touched = true
		s.touched = append(s.touched, e)
	}
	return old
}

// Ascend implements engine.Tx.
func (x *tx) Ascend(from engine.Key, visit func(engine.Key, engine.Row) bool) {
	t := x.store.table(from.Table)
	lowest := from.Compare(t.floor) <= 0
	if lowest {
		from = t.floor
	}
	if from.Table != t.id {
		return // there is no row
	}
	if lowest && x.write && t.tree != nil {
		show := visit
		visit = func(key engine.Key, row engine.Row) bool {
			if lowest {
				t.floor, lowest = key, false
			}
			return show(key, row)
		}
		defer func() {
			if lowest {
				t.floor = engine.Key{Table: t.id + 1}
			}
		}()
	}
	below := storedRows{tx: x, table: t}
	if t.absent > 0 || t.rows != nil {
		below.seek(from)
	}
	more := true
	step := func(e *entry) bool {
		for more && below.valid && below.key.Compare(e.key) < 0 {
			more = below.visit(visit)
		}
		if below.valid && below.key == e.key {
			below.next()
		}
		if more && e.row != nil {
			more = visit(e.key, e.row)
		}
		return more
	}
	if t.tree != nil {
		t.tree.AscendGreaterOrEqual(item{key: from}, func(i item) bool { return step(i.entry) })
	} else {
		for _, e := range x.store.unwritten(t, from) {
			if !step(e) {
				break
			}
		}
	}
	for more && below.valid {
		more = below.visit(visit)
	}
}

// unwritten is the table's entries from the key on that the checkpoint does not
// hold, in key order. A table that is not ordered is read as these merged into
// the checkpoint, which is in order, so that the cost does not grow with the
// rows in memory.
func (s *store) unwritten(t *table, from engine.Key) []*entry {
	var found []*entry
	add := func(changes []*entry) {
		for _, e := range changes {
			if e.key.Compare(from) >= 0 && t.rows[e.key] == e {
				found = append(found, e)
			}
		}
	}
	for _, g := range s.frozen {
		add(g.changes[t.id])
	}
	add(t.dirty)
	slices.SortFunc(found, func(a, b *entry) int { return a.key.Compare(b.key) })
	return found
}

// storedRows walks a table in the checkpoint.
type storedRows struct {
	tx     *tx
	table  *table
	cursor *bbolt.Cursor
	valid  bool
	key    engine.Key
	k, v   []byte
}

func (r *storedRows) seek(from engine.Key) {
	b := r.tx.bucket(r.table)
	if b == nil {
		return
	}
	r.cursor = b.Cursor()
	r.set(r.cursor.Seek(from.Append(nil)))
}

func (r *storedRows) next() { r.set(r.cursor.Next()) }

func (r *storedRows) set(k, v []byte) {
	r.valid, r.k, r.v = k != nil, k, v
	if !r.valid {
		return
	}
	key, err := engine.ParseKey(k)
	if err != nil {
		panic(fmt.Sprintf("replica: read the checkpoint: %v", err))
	}
	r.key = key
}

// visit shows the current row and moves on. Where memory holds the key, its row
// is shown, which spares decoding; one that was deleted is passed over.
func (r *storedRows) visit(visit func(engine.Key, engine.Row) bool) bool {
	key := r.key
	var row engine.Row
	if e := r.table.find(key); e != nil {
		row = e.row
	} else {
		row, _ = decodeRow(r.table, r.k, r.v)
	}
	r.next()
	return row == nil || visit(key, row)
}

// ErrClosed: the replica has been closed.
var ErrClosed = errors.New("replica: closed")

// view runs read over the state as of the last applied entry.
func (s *store) view(read func(engine.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	x := tx{store: s}
	defer x.end()
	return read(&x)
}

// index is of the last entry applied.
func (s *store) index() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.at.index
}

// file is the checkpoint as it is now; a snapshot being installed replaces it.
func (s *store) file() *disk {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.disk
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.hasher.stop()
	return s.disk.close()
}
