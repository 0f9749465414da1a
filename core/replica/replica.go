package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
)

// Replica is one member of a cluster's Raft group. Its methods may be called
// from any goroutine.
type Replica struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	applier  *applier
	store    *store
	outbox   *outbox.Log
	links    *links
	wal      *wal.WAL
	raft     *raft.Raft
	proposer *proposer
	office   *office
	leading  atomic.Uint64 // the epoch in which this node leads, or 0
	contact  *contact

	failure  *failure
	failed   chan error
	shutdown func() error // of Raft, once

	kick chan struct{} // asks for a checkpoint now
	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
}

// Open starts a replica: it opens its state, joins the cluster and applies the
// log from where the checkpoint ends.
func Open(cfg Config) (_ *Replica, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Replica{
		cfg: cfg, log: cfg.Logger.With("node", cfg.ID),
		contact: newContact(), failure: newFailure(), failed: make(chan error, 1),
		kick: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			_ = r.closeParts() // what led here is the error to tell
		}
	}()
	if r.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	if err := r.openState(); err != nil {
		return nil, err
	}
	if err := r.openRaft(); err != nil {
		return nil, err
	}
	r.proposer = startProposer(&r.cfg, r.raft, &r.leading, r.contact, r.refuse, r.failure.happened, r.metrics)
	r.done.Add(3)
	go r.checkpoints()
	go r.watchPeers()
	go r.stopOnFailure()
	r.office.start(r)
	return r, nil
}

func (r *Replica) openState() error {
	state := filepath.Join(r.cfg.Dir, stateName)
	if err := os.MkdirAll(r.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("replica: create the directory: %w", err)
	}
	if err := adoptState(r.cfg.Dir); err != nil {
		return fmt.Errorf("replica: finish installing a snapshot: %w", err)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fmt.Errorf("replica: create the directory: %w", err)
	}
	var err error
	if r.store, err = openStore(filepath.Join(state, checkpointName), r.cfg.MapBytes, r.cfg.ResidentRows, r.cfg.ResidentBytes,
		r.metrics.pause); err != nil {
		return err
	}
	if r.outbox, err = outbox.Open(filepath.Join(state, outboxName), r.store.at.outbox, r.cfg.SegmentBytes); err != nil {
		return err
	}
	r.applier = &applier{
		dir: r.cfg.Dir, machine: r.cfg.Machine, store: r.store, outbox: r.outbox, metrics: r.metrics,
		failure: r.failure,
		onHints: r.cfg.OnHints, leading: &r.leading, fullAt: r.cfg.CheckpointBytes,
		full: func() {
			select {
			case r.kick <- struct{}{}:
			default:
			}
		},
	}
	return syncDir(r.cfg.Dir)
}

// raftEntries is how many entries an AppendEntries carries and how many the
// cache before the log keeps. Ours are packed, so that few are much.
const (
	raftEntries  = 64
	cacheEntries = 256
)

func (r *Replica) openRaft() error {
	logger := &raftLogger{slog: r.log, name: "raft"}
	dir := filepath.Join(r.cfg.Dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("replica: create the directory: %w", err)
	}
	var err error
	segment := min(wal.DefaultSegmentSize, int(r.cfg.LogMaxBytes/4)) // the log is cut by whole segments
	if r.wal, err = wal.Open(dir, wal.WithLogger(logger.Named("wal")), wal.WithSegmentSize(segment)); err != nil {
		return fmt.Errorf("replica: open the log: %w", err)
	}
	if err := r.dropStaleLog(); err != nil {
		return err
	}
	log := &safeLog{r.wal, r.failure}
	cached, err := raft.NewLogCache(cacheEntries, log)
	if err != nil {
		return fmt.Errorf("replica: open the log: %w", err)
	}
	if r.links, err = listenLinks(&r.cfg, r.about); err != nil {
		return err
	}
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Logger: logger, Stream: r.links, MaxPool: 3, Timeout: linkTimeout,
		// Raft's default of 2 halves the throughput of a few dozen callers.
		MaxRPCsInFlight: 8,
	})
	snapshots := &snapshots{dir: r.cfg.Dir, applier: r.applier}
	r.office = newOffice()

	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(r.cfg.ID)
	c.Logger = logger
	c.NotifyCh = r.office.notified
	c.HeartbeatTimeout, c.ElectionTimeout = r.cfg.ElectionTimeout, r.cfg.ElectionTimeout
	c.LeaderLeaseTimeout = min(c.LeaderLeaseTimeout, r.cfg.ElectionTimeout)
	c.MaxAppendEntries, c.BatchApplyCh = raftEntries, true
	c.NoSnapshotRestoreOnStart = true // the checkpoint is open already
	c.NoLegacyTelemetry = true
	// Snapshots are asked for by cutLog, by bytes. Raft counts entries, and ours
	// differ in size by four orders of magnitude.
	c.SnapshotThreshold, c.SnapshotInterval = 1<<62, 24*time.Hour

	if !r.cfg.Join {
		exists, err := raft.HasExistingState(cached, log, snapshots)
		if err != nil {
			return fmt.Errorf("replica: inspect the log: %w", err)
		}
		if !exists {
			if err := raft.BootstrapCluster(c, cached, log, snapshots, transport, r.members()); err != nil {
				return fmt.Errorf("replica: write the first members to the log: %w", err)
			}
		}
	}
	if r.raft, err = raft.NewRaft(c, r.applier, cached, log, snapshots, transport); err != nil {
		_ = transport.Close() // what led here is the error to tell
		return fmt.Errorf("replica: start raft: %w", err)
	}
	r.shutdown = sync.OnceValue(func() error { return r.raft.Shutdown().Error() })
	return nil
}

// dropStaleLog removes a log that ends below the checkpoint: a snapshot was
// installed and the node stopped before it had cleared the log. The log takes
// entries without gaps only.
func (r *Replica) dropStaleLog() error {
	first, err1 := r.wal.FirstIndex()
	last, err2 := r.wal.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("replica: inspect the log: %w", err)
	}
	if last == 0 || last >= r.store.at.index {
		return nil
	}
	if err := r.wal.DeleteRange(first, last); err != nil {
		return fmt.Errorf("replica: remove the log below the snapshot: %w", err)
	}
	return nil
}

// about is what this node tells others that ask.
func (r *Replica) about() about {
	return about{clockMS: r.cfg.Clock(), index: r.store.index(), points: r.applier.trail.list()}
}

func (r *Replica) members() raft.Configuration {
	if len(r.cfg.Peers) == 0 {
		return raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(r.cfg.ID), Address: raft.ServerAddress(r.links.Addr().String())}}}
	}
	var c raft.Configuration
	for _, id := range sortedKeys(r.cfg.Peers) {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(r.cfg.Peers[id])})
	}
	return c
}

// View runs read over the state as of the last applied entry. Entries are not
// applied while it runs: it should be short.
func (r *Replica) View(read func(engine.Tx) error) error { return r.store.view(read) }

// Barrier returns once everything committed before the call is applied here. It
// fails with ErrNotLeader on any other node than the leader.
func (r *Replica) Barrier(ctx context.Context) error {
	answer := make(chan error, 1)
	future := r.raft.Barrier(0)
	go func() { answer <- future.Error() }()
	select {
	case err := <-answer:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotLeader, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("replica: wait for the log: %w", context.Cause(ctx))
	case <-r.stop:
		return ErrNotLeader
	}
}

// IsLeader reports whether this node leads and has applied the first command of
// its term.
func (r *Replica) IsLeader() bool { return r.leading.Load() != 0 }

// Epoch is the term in which this node leads, or 0.
func (r *Replica) Epoch() uint64 { return r.leading.Load() }

// Leader returns the leader as far as this node knows, or empty strings.
func (r *Replica) Leader() (id, raftAddr string) {
	addr, server := r.raft.LeaderWithID()
	return string(server), string(addr)
}

// LeaderCh tells one listener of this node's leadership: true after the first
// command of its term has been applied, false after it was lost. No change is
// left out, also when the listener is slow; a false may follow a false.
func (r *Replica) LeaderCh() <-chan bool { return r.office.changes }

// Await returns a channel that is closed once the payment has ended, as this
// node applies it, or at once if it has ended before. cancel gives up waiting.
func (r *Replica) Await(payment uint64) (ended <-chan struct{}, cancel func()) {
	ch, cancel := r.applier.ended.await(payment)
	var already bool
	// The look comes after signing up, so that no end can fall between.
	// A node that cannot read its rows is about to stop; the caller's own limit
	// ends the wait.
	_ = r.store.view(func(tx engine.Tx) error {
		_, already = tx.Get(engine.Key{Table: engine.TableReceipt, A: payment})
		return nil
	})
	if already {
		cancel()
		past := make(chan struct{})
		close(past)
		return past, func() {}
	}
	return ch, cancel
}

// Index is the log index of the last entry applied here.
func (r *Replica) Index() uint64 { return r.store.index() }

// Outbox is this node's record of events. It stays the same for the replica's
// life.
func (r *Replica) Outbox() *outbox.Log { return r.outbox }

// Clock is the replica's clock, in milliseconds since 1970: see Config.Clock.
func (r *Replica) Clock() int64 { return r.cfg.Clock() }

// refuse says why no proposal is taken now.
func (r *Replica) refuse() error {
	if delta := r.applier.delta.Load(); delta > r.cfg.DeltaMaxBytes {
		return fmt.Errorf("%w: %d bytes of log wait for a checkpoint", ErrOverloaded, delta)
	}
	return nil
}

// checkpoints writes one every so often until the replica closes.
func (r *Replica) checkpoints() {
	defer r.done.Done()
	ticker := time.NewTicker(r.cfg.CheckpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.kick:
		case <-r.stop:
			return
		}
		if r.Checkpoint() != nil {
			return // stopOnFailure says why
		}
		r.cutLog()
	}
}

// Checkpoint brings the state as of now to the disk.
func (r *Replica) Checkpoint() error {
	started := time.Now()
	r.store.chores.do(func() bool {
		r.store.freeze()
		return true
	})
	err := r.applier.checkpoint()
	r.metrics.checkpoint.Observe(time.Since(started).Seconds())
	return err
}

// checkpoint writes what is frozen.
func (a *applier) checkpoint() error {
	if err := a.failure.before(); err != nil {
		return err
	}
	done, err := a.store.write(a.outbox.Sync)
	if err != nil {
		return a.failure.note(err)
	}
	a.metrics.checkpointed.Add(float64(done.rows))
	a.store.mu.RLock()
	delta := a.store.delta
	a.store.mu.RUnlock()
	a.delta.Store(delta)
	a.metrics.delta.Set(float64(delta))
	if done.rows == 0 {
		return nil
	}
	return a.failure.note(a.outbox.Trim(done.exported, done.at.outbox))
}

// cutLog lets Raft drop the log that the checkpoint has made superfluous. A part
// of it stays, so that a follower which was away for a moment catches up from
// the log.
func (r *Replica) cutLog() {
	bytes, entries := r.applier.logBytes.Load(), r.applier.entries.Load()
	if bytes < r.cfg.LogMaxBytes || entries == 0 {
		return
	}
	reload := r.raft.ReloadableConfig()
	reload.TrailingLogs = max(uint64(r.cfg.LogMaxBytes/4/(bytes/entries+1)), 64)
	if err := r.raft.ReloadConfig(reload); err != nil {
		r.log.Error("the log could not be cut", "error", err)
		return
	}
	if err := r.raft.Snapshot().Error(); err != nil {
		if !errors.Is(err, raft.ErrNothingNewToSnapshot) {
			r.log.Warn("the log could not be cut; it is tried again", "error", err)
		}
		return
	}
	r.applier.logBytes.Add(-bytes)
	r.applier.entries.Add(-entries)
}

// Close stops the replica. What is committed stays committed; callers that wait
// for a reply get ErrUnknown. The last checkpoint is written on the way, so that
// the next start has little to replay; after a failed write there is none.
func (r *Replica) Close() error {
	var err error
	r.once.Do(func() {
		close(r.stop)
		err = r.shutdown()
		r.done.Wait()
		r.proposer.close()
		r.office.close()
		if r.failure.first() == nil {
			err = errors.Join(err, r.Checkpoint())
		}
		err = errors.Join(err, r.closeParts())
	})
	return err
}

func (r *Replica) closeParts() error {
	var errs []error
	if r.metrics != nil {
		r.metrics.unregister()
	}
	if r.links != nil {
		errs = append(errs, r.links.Close())
	}
	if r.wal != nil {
		errs = append(errs, r.wal.Close())
	}
	if r.outbox != nil {
		errs = append(errs, r.outbox.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.close())
	}
	return errors.Join(errs...)
}
