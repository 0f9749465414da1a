package replica

import (
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// failure is the first write to this node's disk that failed. After it nobody
// knows what the disk holds: a kernel that has told of a lost page once calls
// the next sync of the file a success. So nothing more is written or
// acknowledged, the node stops, and its next start goes by what is really there.
type failure struct {
	mu       sync.Mutex
	err      error
	happened chan struct{} // closed by the first
}

func newFailure() *failure { return &failure{happened: make(chan struct{})} }

// note remembers the error if it is the first, and returns it as it is.
func (f *failure) note(err error) error {
	if err == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.happened)
	}
	return err
}

// before returns an error once a write has failed.
func (f *failure) before() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return nil
	}
	return fmt.Errorf("replica: nothing is written after this failure: %w", f.err)
}

// first is the failure itself, or nil.
func (f *failure) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// safeLog is the log, which takes nothing more once a write has failed.
type safeLog struct {
	*wal.WAL
	failure *failure
}

// StoreLog implements raft.LogStore.
func (l *safeLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (l *safeLog) StoreLogs(logs []*raft.Log) error {
	if err := l.failure.before(); err != nil {
		return err
	}
	return l.failure.note(l.WAL.StoreLogs(logs))
}

// DeleteRange implements raft.LogStore.
func (l *safeLog) DeleteRange(first, last uint64) error {
	if err := l.failure.before(); err != nil {
		return err
	}
	return l.failure.note(l.WAL.DeleteRange(first, last))
}

// Set implements raft.StableStore. Raft panics when it cannot write its term, so
// that an earlier failure is left to what stops Raft.
func (l *safeLog) Set(key, value []byte) error { return l.failure.note(l.WAL.Set(key, value)) }

// SetUint64 implements raft.StableStore.
func (l *safeLog) SetUint64(key []byte, value uint64) error {
	return l.failure.note(l.WAL.SetUint64(key, value))
}

// stopOnFailure ends Raft after a failed write: a node that cannot write must
// neither lead nor vote nor stand in the way of those who can.
func (r *Replica) stopOnFailure() {
	defer r.done.Done()
	select {
	case <-r.failure.happened:
	case <-r.stop:
		return
	}
	err := r.failure.first()
	r.log.Error("the disk failed: this node stops; what it acknowledged is on the disk", "error", err)
	_ = r.shutdown() // Close tells of it
	r.failed <- err
}

// Failed yields the reason once, when the replica can do nothing more because a
// write to its disk failed. Its owner then closes it.
func (r *Replica) Failed() <-chan error { return r.failed }
