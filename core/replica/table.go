package replica

import (
	"github.com/google/btree"

	"github.com/railhead-hub/railhead/engine"
)

// entry is one key of a table in memory. Within the generation that made it, its
// row is replaced in place; once that generation is frozen the entry never
// changes again, and a later change makes a new entry. So a checkpoint can
// encode a frozen generation while commands run.
type entry struct {
	key engine.Key
	row engine.Row // nil: deleted
	// generation is the one that changed the key last; 0 means that the
	// checkpoint holds this very row.
	generation uint64
	// size is how many bytes the key and the row take in the checkpoint, once they
	// are in it.
	size uint32
	// stored says that the checkpoint, or an earlier generation on its way there, may
	// hold a row under this key: memory does not let go of the entry before its own
	// generation is written.
	stored bool
	// touched says that the row changed since the state hash last looked.
	touched bool
	digest  *digest // what the state hash counts for this key; nil: nothing yet
}

// pair is the numeric part of a key: the tables with an index have no S.
type pair struct{ a, b uint64 }

// item is what an ordered table keeps in its tree.
type item struct {
	key engine.Key
	*entry
}

// itemLess is Key.Compare of keys of one table, most of which have no text.
func itemLess(x, y item) bool {
	if x.key.S != y.key.S {
		return x.key.S < y.key.S
	}
	if x.key.A != y.key.A {
		return x.key.A < y.key.A
	}
	return x.key.B < y.key.B
}

// table is the part of one table that is in memory.
type table struct {
	id     engine.Table
	layout engine.Layout
	bucket []byte

	rows map[engine.Key]*entry // tables that are not ordered
	tree *btree.BTreeG[item]   // ordered ones
	// highest is the greatest key the tree ever held. Most keys ascend, and above it
	// there is nothing to find.
	highest engine.Key
	index   map[pair]pair // where the layout has one: of every row, in memory or not

	dirty []*entry // changed in the current generation, each entry once
	dead  int      // of them, born and deleted within it

	// absent counts the rows that only the checkpoint holds. While it is 0, a key
	// that is not in memory does not exist.
	absent int
	// away tells keys that only the checkpoint holds from those that are nowhere.
	// Cold tables have too many for that; their keys mostly ascend, and last is the
	// greatest the checkpoint ever held: above it there is nothing to look up.
	away away
	last engine.Key

	// floor is a key of an ordered table below which no row lives. The lowest rows
	// are those that go first, and what they leave behind until a checkpoint has
	// seen it is not walked through again.
	floor engine.Key
}

func newTable(id engine.Table, layout engine.Layout) *table {
	t := &table{id: id, layout: layout, bucket: []byte{byte(id)}}
	t.clear()
	return t
}

func (t *table) clear() {
	t.rows, t.tree, t.index = nil, nil, nil
	if t.layout.Ordered {
		t.tree = btree.NewG(32, itemLess)
	} else {
		t.rows = make(map[engine.Key]*entry)
	}
	if t.layout.Index != nil {
		t.index = make(map[pair]pair)
	}
	t.dirty, t.dead, t.absent = nil, 0, 0
	t.away, t.last, t.highest, t.floor = newAway(), engine.Key{}, engine.Key{}, engine.Key{Table: t.id}
}

func (t *table) find(key engine.Key) *entry {
	if t.rows != nil {
		return t.rows[key]
	}
	if key.Compare(t.highest) > 0 {
		return nil
	}
	found, _ := t.tree.Get(item{key: key})
	return found.entry
}

func (t *table) set(e *entry) {
	if t.rows != nil {
		t.rows[e.key] = e
		return
	}
	if e.key.Compare(t.highest) > 0 {
		t.highest = e.key
	}
	t.tree.ReplaceOrInsert(item{e.key, e})
}

func (t *table) remove(key engine.Key) {
	if t.rows != nil {
		delete(t.rows, key)
		return
	}
	t.tree.Delete(item{key: key})
}

// drop removes the entry, and reports whether it was there: a newer one of the
// same key stays.
func (t *table) drop(e *entry) bool {
	if t.rows != nil {
		if t.rows[e.key] != e {
			return false
		}
		delete(t.rows, e.key)
		return true
	}
	was, found := t.tree.Delete(item{key: e.key})
	if found && was.entry != e {
		t.tree.ReplaceOrInsert(was)
		return false
	}
	return found
}

// len counts the keys in memory, tombstones included.
func (t *table) len() int {
	if t.rows != nil {
		return len(t.rows)
	}
	return t.tree.Len()
}

// mayBeStored reports whether a key that is not in memory may be in the
// checkpoint.
func (t *table) mayBeStored(key engine.Key) bool {
	if t.layout.Cold {
		return t.absent > 0 && key.Compare(t.last) <= 0
	}
	return t.away.maybe(key)
}

// returned says that memory holds a key again which only the checkpoint held.
func (t *table) returned(key engine.Key) {
	t.absent--
	if !t.layout.Cold {
		t.away.remove(key)
	}
}

// reindex moves the index from the old row of the key to the new one; either
// may be nil.
func (t *table) reindex(key engine.Key, old, now engine.Row) {
	if t.index == nil {
		return
	}
	at := pair{key.A, key.B}
	if old != nil {
		k := t.layout.Index(old)
		if t.index[pair{k.A, k.B}] == at {
			delete(t.index, pair{k.A, k.B})
		}
	}
	if now != nil {
		k := t.layout.Index(now)
		t.index[pair{k.A, k.B}] = at
	}
}

// compactDirty drops entries that were born and deleted within the generation:
// under load they are most of the list.
func (t *table) compactDirty() {
	if t.dead < 4096 || t.dead < len(t.dirty)/2 {
		return
	}
	kept := t.dirty[:0]
	for _, e := range t.dirty {
		if e.row != nil || e.stored {
			kept = append(kept, e)
		}
	}
	clear(t.dirty[len(kept):])
	t.dirty, t.dead = kept, 0
}
