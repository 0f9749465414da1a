package enginetest

import (
	"crypto/sha256"
	"fmt"

	"github.com/railhead-hub/railhead/engine"
)

// Frozen is a Tx that finds rows changed after they were put: it keeps a digest of
// every row's bytes, and Changed compares. Such a change would escape undo, which is
// a list of old pointers, and would race with a checkpoint that encodes the row.
type Frozen struct {
	*MemTx
	digests map[engine.Key]frozenRow
	err     error
}

type frozenRow struct {
	row    engine.Row
	digest [sha256.Size]byte
}

// NewFrozen returns an empty key space.
func NewFrozen() *Frozen {
	return &Frozen{MemTx: NewMemTx(), digests: make(map[engine.Key]frozenRow)}
}

// Put implements engine.Tx. A row that is replaced is looked at a last time: undo
// may put it back.
func (f *Frozen) Put(k engine.Key, row engine.Row) engine.Row {
	f.look(k)
	f.digests[k] = frozenRow{row, digestOf(row)}
	return f.MemTx.Put(k, row)
}

// Delete implements engine.Tx.
func (f *Frozen) Delete(k engine.Key) engine.Row {
	f.look(k)
	delete(f.digests, k)
	return f.MemTx.Delete(k)
}

// Changed names a row that differs from what was put; nil: none does.
func (f *Frozen) Changed() error {
	for k := range f.digests {
		f.look(k)
	}
	return f.err
}

func (f *Frozen) look(k engine.Key) {
	if was, found := f.digests[k]; found && f.err == nil && digestOf(was.row) != was.digest {
		f.err = fmt.Errorf("the row %s %q %d %d was changed after it was put: %v", engine.Layouts[k.Table].Name, k.S, k.A, k.B, was.row)
	}
}

func digestOf(row engine.Row) [sha256.Size]byte {
	body := make([]byte, row.SizeVT())
	if _, err := row.MarshalToSizedBufferVTStrict(body); err != nil {
		panic(err)
	}
	return sha256.Sum256(body)
}
