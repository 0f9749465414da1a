// Package memtx keeps the engine's rows in maps: what scripts, simulations and replays
// run on, and the measure for every other engine.Tx. It forgets everything with the
// process, and it is not for concurrent use.
package memtx

import (
	"slices"

	"github.com/railhead-hub/railhead/engine"
)

// Tx is an ordered key space in memory.
type Tx struct {
	rows  map[engine.Table]map[engine.Key]engine.Row
	index map[engine.Key]engine.Key
}

// New returns an empty key space.
func New() *Tx {
	return &Tx{rows: make(map[engine.Table]map[engine.Key]engine.Row), index: make(map[engine.Key]engine.Key)}
}

// Get implements engine.Tx.
func (m *Tx) Get(k engine.Key) (engine.Row, bool) {
	if _, indexed := engine.Indexed[k.Table]; indexed {
		primary, found := m.index[k]
		if !found {
			return nil, false
		}
		k = primary
	}
	row, found := m.rows[k.Table][k]
	return row, found
}

// Put implements engine.Tx.
func (m *Tx) Put(k engine.Key, row engine.Row) engine.Row {
	table := m.rows[k.Table]
	if table == nil {
		table = make(map[engine.Key]engine.Row)
		m.rows[k.Table] = table
	}
	old := table[k]
	table[k] = row
	if index := engine.Layouts[k.Table].Index; index != nil {
		if old != nil {
			delete(m.index, index(old))
		}
		m.index[index(row)] = k
	}
	return old
}

// Delete implements engine.Tx.
func (m *Tx) Delete(k engine.Key) engine.Row {
	row, found := m.rows[k.Table][k]
	if !found {
		return nil
	}
	if index := engine.Layouts[k.Table].Index; index != nil {
		delete(m.index, index(row))
	}
	delete(m.rows[k.Table], k)
	return row
}

// Ascend implements engine.Tx.
func (m *Tx) Ascend(from engine.Key, visit func(engine.Key, engine.Row) bool) {
	var keys []engine.Key
	for k := range m.rows[from.Table] {
		if k.Compare(from) >= 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, engine.Key.Compare)
	for _, k := range keys {
		if !visit(k, m.rows[k.Table][k]) {
			return
		}
	}
}
