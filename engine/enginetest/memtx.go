package enginetest

import (
	"slices"

	"github.com/railhead-hub/railhead/engine"
)

// MemTx is the in-memory Tx: what the scripts and the simulation run on, and the
// measure for every other implementation. Its state is lost with it.
type MemTx struct {
	rows  map[engine.Table]map[engine.Key]engine.Row
	index map[engine.Key]engine.Key
}

// NewMemTx returns an empty key space.
func NewMemTx() *MemTx {
	return &MemTx{rows: make(map[engine.Table]map[engine.Key]engine.Row), index: make(map[engine.Key]engine.Key)}
}

// Get implements engine.Tx.
func (m *MemTx) Get(k engine.Key) (engine.Row, bool) {
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
func (m *MemTx) Put(k engine.Key, row engine.Row) {
	m.Delete(k)
	table := m.rows[k.Table]
	if table == nil {
		table = make(map[engine.Key]engine.Row)
		m.rows[k.Table] = table
	}
	table[k] = row
	if index := engine.Layouts[k.Table].Index; index != nil {
		m.index[index(row)] = k
	}
}

// Delete implements engine.Tx.
func (m *MemTx) Delete(k engine.Key) {
	row, found := m.rows[k.Table][k]
	if !found {
		return
	}
	if index := engine.Layouts[k.Table].Index; index != nil {
		delete(m.index, index(row))
	}
	delete(m.rows[k.Table], k)
}

// Ascend implements engine.Tx.
func (m *MemTx) Ascend(from engine.Key, visit func(engine.Key, engine.Row) bool) {
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

// Dump returns every row, encoded, in key order: equal states give equal bytes.
func Dump(tx engine.Tx) []byte {
	var tables []engine.Table
	for t := range engine.Layouts {
		tables = append(tables, t)
	}
	slices.Sort(tables)
	var out []byte
	for _, t := range tables {
		tx.Ascend(engine.Key{Table: t}, func(k engine.Key, row engine.Row) bool {
			out = k.Append(out)
			body := make([]byte, row.SizeVT())
			if _, err := row.MarshalToSizedBufferVTStrict(body); err != nil {
				panic(err)
			}
			out = append(out, body...)
			return true
		})
	}
	return out
}
