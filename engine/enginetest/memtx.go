package enginetest

import (
	"slices"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/memtx"
)

// MemTx is the in-memory Tx.
type MemTx = memtx.Tx

// NewMemTx returns an empty key space.
func NewMemTx() *MemTx { return memtx.New() }

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
