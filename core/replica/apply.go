package replica

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// applier carries out log entries. Raft calls it from one goroutine, the apply
// loop; nothing here waits for a disk.
type applier struct {
	dir     string // the replica's
	machine Machine
	store   *store
	outbox  *outbox.Log
	metrics *metrics
	failure *failure
	onHints func([]engine.Hint)
	ended   endings
	leading *atomic.Uint64 // the epoch in which this node leads, or 0
	full    func()         // called when enough log has gathered for a checkpoint
	fullAt  int64
	trail   ring

	delta    atomic.Int64 // as the store's, for those who do not hold its lock
	logBytes atomic.Int64 // of entries applied since the log was last cut
	entries  atomic.Int64
}

// applied is what Raft hands to the one who proposed the entry.
type applied struct {
	term    uint64
	replies []*enginev1.Event // one for each command
}

// ApplyBatch implements raft.BatchingFSM.
func (a *applier) ApplyBatch(logs []*raft.Log) []any {
	results := make([]any, len(logs))
	var hints []engine.Hint
	for i, log := range logs {
		a.store.chores.enter()
		if log.Index > a.store.at.index {
			switch log.Type {
			case raft.LogCommand:
				results[i] = a.entry(log, &hints)
			case raft.LogConfiguration:
				a.crossed(log.Index)
				a.store.at.configuration = append([]byte(nil), log.Data...)
				a.store.at.configurationIndex = log.Index
			}
			a.store.at.index, a.store.at.term = log.Index, log.Term
			a.store.at.outbox = a.outbox.Position()
			switch {
			case log.Index%hashEvery == 0:
				a.note(log.Index)
			case len(a.store.touched) > touchedMax:
				a.store.rehash(nil)
			}
			a.store.chores.comeBy()
		}
		delta := a.store.delta
		a.store.mu.Unlock()
		a.delta.Store(delta)
		if delta >= a.fullAt {
			a.full()
		}
	}
	// What could not be written stays in the outbox's memory; the replica stops.
	_ = a.failure.note(a.outbox.Flush())
	a.metrics.index.Set(float64(logs[len(logs)-1].Index))
	if len(hints) > 0 && a.leading.Load() != 0 {
		a.onHints(hints)
	}
	return results
}

// Apply implements raft.FSM; Raft uses ApplyBatch.
func (a *applier) Apply(log *raft.Log) any { return a.ApplyBatch([]*raft.Log{log})[0] }

// entry applies the commands of one log entry under one stamp.
func (a *applier) entry(log *raft.Log, hints *[]engine.Hint) *applied {
	s := a.store
	a.crossed(log.Index)
	var entry enginev1.Entry
	if err := entry.UnmarshalVT(log.Data); err != nil {
		panic(fmt.Sprintf("replica: log entry %d cannot be decoded: %v", log.Index, err))
	}
	s.at.timeMS = max(s.at.timeMS, entry.TimeMs)
	stamp := engine.Stamp{Index: log.Index, TimeMS: s.at.timeMS}
	result := &applied{term: log.Term, replies: make([]*enginev1.Event, len(entry.Commands))}
	for i, cmd := range entry.Commands {
		mustKnow(log.Index, cmd)
		r := a.machine.Apply(&s.writer, stamp, cmd)
		result.replies[i] = r.Reply
		a.outbox.Append(log.Index, stamp.N, r.Events...)
		stamp.N += uint32(len(r.Events))
		for _, ev := range r.Events {
			if ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED {
				a.ended.tell(ev.Payment)
			}
		}
		*hints = append(*hints, r.Hints...)
	}
	s.writer.end()
	size := int64(len(log.Data))
	s.delta += size
	a.logBytes.Add(size)
	a.entries.Add(1)
	a.metrics.entryCommands.Observe(float64(len(entry.Commands)))
	return result
}

// crossed notes the hash at a point that no entry of ours fell on: Raft does not
// show its own entries to the state machine.
func (a *applier) crossed(index uint64) {
	if at := (index - 1) / hashEvery * hashEvery; at > a.store.at.index {
		a.note(at)
	}
}

func (a *applier) note(index uint64) {
	a.store.rehash(func(hash uint64) { a.trail.add(Point{Index: index, Hash: hash}) })
}

// Point is the state hash at one log index.
type Point struct {
	Index, Hash uint64
}

// ring keeps the last points.
type ring struct {
	mu     sync.Mutex
	points []Point
}

const ringPoints = 64

func (r *ring) add(p Point) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.points) == ringPoints {
		r.points = append(r.points[:0], r.points[1:]...)
	}
	r.points = append(r.points, p)
}

func (r *ring) list() []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Point(nil), r.points...)
}

// endings are the callers that wait until a payment has ended.
type endings struct {
	waiting atomic.Int64
	mu      sync.Mutex
	byID    map[uint64][]chan struct{}
}

// tell is called on the apply loop; it costs nothing while nobody waits.
func (e *endings) tell(payment uint64) {
	if e.waiting.Load() == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close(payment)
}

// tellWhere is tell for every payment somebody waits for and that has ended.
func (e *endings) tellWhere(ended func(payment uint64) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for payment := range e.byID {
		if ended(payment) {
			e.close(payment)
		}
	}
}

func (e *endings) close(payment uint64) {
	for _, ch := range e.byID[payment] {
		close(ch)
		e.waiting.Add(-1)
	}
	delete(e.byID, payment)
}

// await returns a channel that tell closes, and how to stop waiting.
func (e *endings) await(payment uint64) (ch chan struct{}, cancel func()) {
	ch = make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID == nil {
		e.byID = make(map[uint64][]chan struct{})
	}
	e.byID[payment] = append(e.byID[payment], ch)
	e.waiting.Add(1)
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		list := e.byID[payment]
		for i, c := range list {
			if c != ch {
				continue
			}
			e.waiting.Add(-1)
			if len(list) == 1 {
				delete(e.byID, payment)
				return
			}
			e.byID[payment] = append(append([]chan struct{}(nil), list[:i]...), list[i+1:]...)
			return
		}
	}
}
