package replica

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
)

// freeze ends the current generation: from here on its entries are immutable,
// and a change makes a new entry in the next. The caller holds mu; no entry is
// being applied. It returns nil when nothing happened since the last freeze.
func (s *store) freeze() *generation {
	if s.closed {
		return nil
	}
	if len(s.frozen) > 0 {
		if s.frozen[len(s.frozen)-1].at.index == s.at.index {
			return nil
		}
	} else if s.disk.index == s.at.index {
		return nil
	}
	g := &generation{at: s.at, delta: s.delta}
	for _, f := range s.frozen {
		g.delta -= f.delta
	}
	for id, t := range s.tables {
		if t != nil {
			g.changes[id], t.dirty, t.dead = t.dirty, nil, 0
		}
	}
	hash := make(chan uint64, 1)
	g.hash = hash
	s.rehash(func(h uint64) { hash <- h })
	s.generation++
	s.frozen = append(s.frozen, g)
	return g
}

// written is what a checkpoint amounted to.
type written struct {
	at       mark
	exported outbox.Cursor // as the checkpoint has it
	rows     int           // put or deleted
	bytes    int64
}

// write brings every frozen generation to the disk, in one transaction, and lets
// go of what memory need not keep. sync is called first, with the outbox
// position that the checkpoint will record.
func (s *store) write(sync func() error) (written, error) {
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	s.mu.RLock()
	generations := slices.Clone(s.frozen)
	s.mu.RUnlock()
	if len(generations) == 0 {
		return written{}, nil
	}
	if err := sync(); err != nil {
		return written{}, err
	}
	last := generations[len(generations)-1]
	state, err := s.disk.state()
	if err != nil {
		return written{}, err
	}
	done := written{at: last.at}
	state.at, state.hash = last.at, last.wait()
	err = s.disk.db.Update(func(btx *bbolt.Tx) error {
		for id, t := range s.tables {
			if t == nil {
				continue
			}
			changes := surviving(generations, id)
			if len(changes) == 0 {
				continue
			}
			bucket, err := btx.CreateBucketIfNotExists(t.bucket)
			if err != nil {
				return err
			}
			if t.layout.Cold {
				bucket.FillPercent = 0.9 // keys mostly ascend
			}
			if err := put(bucket, changes, len(generations) > 1, &state.rows[id], &done); err != nil {
				return err
			}
		}
		done.exported = storedCursor(btx)
		return writeState(btx, state)
	})
	if err != nil {
		return written{}, fmt.Errorf("replica: write the checkpoint: %w", err)
	}
	s.settle(generations)
	return done, nil
}

// wait returns the state hash at the freeze.
func (g *generation) wait() uint64 {
	hash := <-g.hash
	again := make(chan uint64, 1) // a failed checkpoint asks once more
	again <- hash
	g.hash = again
	return hash
}

// surviving is the table's changes that the disk must see, in key order, each
// key once: of several generations the last one counts.
func surviving(generations []*generation, id int) []*entry {
	if len(generations) == 1 {
		changes := make([]*entry, 0, len(generations[0].changes[id]))
		for _, e := range generations[0].changes[id] {
			if e.row != nil || e.stored {
				changes = append(changes, e)
			}
		}
		slices.SortFunc(changes, func(a, b *entry) int { return a.key.Compare(b.key) })
		return changes
	}
	byKey := make(map[engine.Key]*entry)
	for _, g := range generations {
		for _, e := range g.changes[id] {
			if e.row != nil || e.stored {
				byKey[e.key] = e
			}
		}
	}
	changes := make([]*entry, 0, len(byKey))
	for _, e := range byKey {
		changes = append(changes, e)
	}
	slices.SortFunc(changes, func(a, b *entry) int { return a.key.Compare(b.key) })
	return changes
}

// put writes the changes of one table and keeps its row count. What an entry
// says about the disk holds when its own generation is written; merged means
// that earlier ones come with it, so that the disk must be asked.
func put(bucket *bbolt.Bucket, changes []*entry, merged bool, rows *uint64, done *written) error {
	var slab []byte // keys and values must stay as they are until the commit
	var key []byte
	for _, e := range changes {
		key = e.key.Append(key[:0])
		done.rows++
		if e.row == nil {
			if bucket.Get(key) == nil {
				continue
			}
			if err := bucket.Delete(key); err != nil {
				return err
			}
			*rows--
			continue
		}
		size := len(key) + rowHead + e.row.SizeVT()
		e.size = uint32(size) // nobody else looks before the entry is at rest
		if cap(slab)-len(slab) < size {
			slab = make([]byte, 0, max(size, 1<<20))
		}
		at := len(slab)
		slab = append(slab, key...)
		slab = encodeRow(slab[:len(slab)+rowHead], e.row)
		value := slab[at+len(key):]
		k := slab[at : at+len(key) : at+len(key)]
		var d xxhash.Digest
		d.Reset()
		d.Write(k)
		d.Write(value[rowHead:])
		binary.BigEndian.PutUint64(value, d.Sum64())
		if !merged && !e.stored || bucket.Get(k) == nil {
			*rows++
		}
		if err := bucket.Put(k, slices.Clip(value)); err != nil {
			return err
		}
		done.bytes += int64(size)
	}
	return nil
}
