package replica

import (
	"hash/maphash"

	"github.com/railhead-hub/railhead/engine"
)

// A row that the checkpoint holds and that nothing changes is at rest. Memory
// keeps the latest of them, up to a number of bytes; a payment that waits for
// long lives on the disk until something happens to it. What memory keeps of a
// row on the disk is a fingerprint of its key, so that a key which is nowhere is
// known to be so without a look at the disk.

// resting is the rows at rest of tables that memory need not hold as a whole,
// in the order in which they came to rest.
type resting struct {
	lists [][]*entry // the first is let go of first
	next  int        // in it
	fresh []*entry   // read from the checkpoint since the last one was written
	bytes int64      // of their keys and encoded rows
}

// add takes over the list.
func (r *resting) add(list []*entry) {
	if len(list) > 0 {
		r.lists = append(r.lists, list)
	}
}

// pop returns the row that has rested longest, or nil.
func (r *resting) pop() *entry {
	for len(r.lists) > 0 {
		first := r.lists[0]
		if r.next < len(first) {
			e := first[r.next]
			first[r.next] = nil
			r.next++
			r.bytes -= int64(e.size)
			return e
		}
		r.lists[0] = nil
		r.lists, r.next = r.lists[1:], 0
	}
	return nil
}

// park lets go of at most so many rows at rest, and reports whether the rest is
// within bounds. The caller holds mu.
func (s *store) park(most int) bool {
	s.resting.add(s.resting.fresh)
	s.resting.fresh = nil
	for range most {
		if s.resting.bytes <= s.residentBytes {
			return true
		}
		e := s.resting.pop()
		if e == nil {
			return true
		}
		t := s.tables[e.key.Table]
		// A row that has changed since is another entry, and not at rest.
		if t.find(e.key) == e && e.generation == 0 {
			t.remove(e.key)
			t.away.add(e.key)
			t.absent++
		}
	}
	return false
}

// rest says that the checkpoint holds the entry's row. The caller holds mu.
func (s *store) rest(t *table, e *entry, list []*entry) []*entry {
	e.generation, e.stored = 0, true
	if t.len()+t.absent <= s.residentRows {
		return list
	}
	s.resting.bytes += int64(e.size)
	return append(list, e)
}

// away is a fingerprint of each key that is on the disk only. Several keys may
// have the same, so they are counted.
type away struct {
	seed   maphash.Seed
	counts map[uint32]uint8
}

// full is a count that is not to be trusted any more: it may stand for more.
const full = 255

func newAway() away { return away{maphash.MakeSeed(), make(map[uint32]uint8)} }

func (a *away) add(key engine.Key) {
	f := uint32(maphash.Comparable(a.seed, key))
	if n := a.counts[f]; n < full {
		a.counts[f] = n + 1
	}
}

func (a *away) remove(key engine.Key) {
	f := uint32(maphash.Comparable(a.seed, key))
	switch n := a.counts[f]; n {
	case full:
	case 1:
		delete(a.counts, f)
	default:
		a.counts[f] = n - 1
	}
}

// maybe is false when the key is certainly not away.
func (a *away) maybe(key engine.Key) bool {
	if len(a.counts) == 0 {
		return false
	}
	_, found := a.counts[uint32(maphash.Comparable(a.seed, key))]
	return found
}
