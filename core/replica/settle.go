package replica

import "slices"

// settlement is what is left to do after a checkpoint: what it has written must
// leave memory or come to rest there.
type settlement struct {
	store       *store
	generations []*generation
	table, at   int // where in the first of them
}

// settleStep is how many keys are seen to at a time.
const settleStep = 256

// settle tells memory that the disk holds the generations: deleted and cold keys
// leave, the others are at rest, and those that have rested longest leave as
// well. It returns when that is done.
func (s *store) settle(generations []*generation) {
	s.chores.do((&settlement{store: s, generations: generations}).some)
}

// some does a part, and reports whether it was the last.
func (w *settlement) some() (done bool) {
	s := w.store
	for left := settleStep; left > 0; {
		if len(w.generations) == 0 {
			return s.park(left)
		}
		g := w.generations[0]
		if w.table == len(s.tables) {
			s.frozen = slices.DeleteFunc(s.frozen, func(f *generation) bool { return f == g })
			s.delta -= g.delta
			s.disk.index = g.at.index
			w.generations, w.table, w.at = w.generations[1:], 0, 0
			continue
		}
		changes := g.changes[w.table]
		part := changes[w.at:min(w.at+left, len(changes))]
		if w.at += len(part); w.at == len(changes) {
			w.table, w.at = w.table+1, 0
		}
		left -= len(part)
		s.settleRows(part)
	}
	return false
}

// settleRows tells memory that the disk holds the entries of one table.
func (s *store) settleRows(part []*entry) {
	if len(part) == 0 {
		return
	}
	t := s.tables[part[0].key.Table]
	var atRest []*entry
	for _, e := range part {
		switch {
		case e.row == nil:
			t.drop(e)
		case t.layout.Cold:
			if t.drop(e) {
				t.absent++
				if e.key.Compare(t.last) > 0 {
					t.last = e.key
				}
			}
		case t.find(e.key) == e:
			atRest = s.rest(t, e, atRest)
		}
	}
	s.resting.add(atRest)
}
