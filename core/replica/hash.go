package replica

import (
	"github.com/cespare/xxhash/v2"

	"github.com/railhead-hub/railhead/engine"
)

// The state hash is the sum modulo 2^64 of the XXH64 of every row's encoded key
// and bytes. It depends on the rows alone and not on how they came to be, so it
// may be brought up to date late, and a row that comes and goes in between costs
// nothing: the apply loop only remembers which keys it touched, and every
// hashEvery entries, or sooner, hands the rows, which are immutable, to one goroutine.

// hashEvery is the distance, in log indexes, of the points at which every node
// notes its hash. They are the same on all nodes.
const hashEvery = 256

// touchedMax bounds the keys that are handed over at a time: the apply loop stands
// still while it looks through them.
const touchedMax = 16_384

// digest is what the hash counts for one key. It stays with the key when a new
// entry takes the place of a frozen one.
type digest struct {
	sum  uint64 // the hasher's
	live bool   // the apply loop's: the last row handed over exists
}

// hashed is a change handed to the hasher; row is nil when the key is gone.
type hashed struct {
	entry  *entry // of which only the key may be read
	digest *digest
	row    engine.Row
}

type hashJob struct {
	changes []hashed
	done    func(hash uint64)
}

// hasher keeps the hash in a goroutine of its own.
type hasher struct {
	jobs    chan hashJob
	stopped chan struct{}
}

func startHasher(hash uint64) *hasher {
	h := &hasher{jobs: make(chan hashJob, 16), stopped: make(chan struct{})}
	go h.run(hash)
	return h
}

func (h *hasher) run(hash uint64) {
	defer close(h.stopped)
	var buf []byte
	for job := range h.jobs {
		for _, c := range job.changes {
			hash -= c.digest.sum
			c.digest.sum = 0
			if c.row != nil {
				buf = encodeRow(c.entry.key.Append(buf[:0]), c.row)
				c.digest.sum = xxhash.Sum64(buf)
				hash += c.digest.sum
			}
		}
		if job.done != nil {
			job.done(hash)
		}
	}
}

func (h *hasher) stop() {
	close(h.jobs)
	<-h.stopped
}

// rehash hands what was touched to the hasher, which calls done with the hash of
// the state as it is now. The caller holds mu.
func (s *store) rehash(done func(uint64)) {
	changes := make([]hashed, 0, len(s.touched))
	for _, e := range s.touched {
		e.touched = false
		if e.digest == nil {
			if e.row == nil {
				continue
			}
			e.digest = new(digest)
		}
		if e.row == nil && !e.digest.live {
			continue
		}
		e.digest.live = e.row != nil
		changes = append(changes, hashed{e, e.digest, e.row})
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	s.hasher.jobs <- hashJob{changes, done}
}
