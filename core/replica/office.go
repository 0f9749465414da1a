package replica

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// office is how a node comes to lead. Winning the election is not enough: the
// node first applies everything its predecessors committed (the barrier), then
// the first command of its own term, which fences off the results of earlier
// ones. Only then may anybody propose.
type office struct {
	notified chan bool // Raft blocks on it; run always listens
	changes  chan bool // to the listener
	stop     chan struct{}
	done     sync.WaitGroup
}

func newOffice() *office {
	return &office{notified: make(chan bool, 1), changes: make(chan bool), stop: make(chan struct{})}
}

func (o *office) start(r *Replica) {
	o.done.Add(1)
	go o.run(r)
}

func (o *office) run(r *Replica) {
	defer o.done.Done()
	var pending []bool // not yet told
	entered := make(chan *attempt)
	var current *attempt // while elected
	defer func() { current.abandon() }()
	for {
		var tell chan bool
		var next bool
		if len(pending) > 0 {
			tell, next = o.changes, pending[0]
		}
		select {
		case elected := <-o.notified:
			current.abandon()
			current = nil
			if elected {
				current = o.attempt(r, entered)
				continue
			}
			if r.leading.Swap(0) != 0 {
				r.metrics.leading.Set(0)
				r.log.Info("no longer leading")
				pending = append(pending, false)
			}
		case a := <-entered:
			if a != current {
				continue
			}
			r.leading.Store(a.epoch)
			r.metrics.leading.Set(1)
			r.log.Info("leading", "epoch", a.epoch)
			pending = append(pending, true)
		case tell <- next:
			pending = pending[1:]
		case <-o.stop:
			return
		}
	}
}

// attempt is one election won, on its way into office.
type attempt struct {
	epoch  uint64 // once in office
	ctx    context.Context
	cancel context.CancelFunc
}

func (a *attempt) abandon() {
	if a != nil {
		a.cancel()
	}
}

// attempt tries to take office until it succeeds or is abandoned, and then sends
// itself.
func (o *office) attempt(r *Replica, entered chan<- *attempt) *attempt {
	a := new(attempt)
	a.ctx, a.cancel = context.WithCancel(context.Background())
	o.done.Go(func() {
		for a.ctx.Err() == nil {
			epoch, err := r.startTerm(a.ctx)
			if err == nil {
				a.epoch = epoch
				select {
				case entered <- a:
				case <-a.ctx.Done():
				}
				return
			}
			if errors.Is(err, ErrNotLeader) || errors.Is(err, ErrUnknown) {
				r.log.Info("elected, but not for long", "error", err)
			} else {
				r.log.Error("elected, but the term could not be started; it is tried again", "error", err)
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-a.ctx.Done():
			}
		}
	})
	return a
}

// startTerm applies what came before and then the first command of the term.
func (r *Replica) startTerm(ctx context.Context) (uint64, error) {
	for {
		if err := r.Barrier(ctx); err != nil {
			return 0, err
		}
		term := r.raft.CurrentTerm()
		commands, err := r.firstCommands(term)
		if err != nil {
			return 0, err
		}
		entry := &enginev1.Entry{TimeMs: r.cfg.Clock(), Commands: commands}
		bytes, err := entry.MarshalVTStrict()
		if err != nil {
			return 0, fmt.Errorf("replica: encode the first command: %w", err)
		}
		answer := make(chan error, 1)
		future := r.raft.Apply(bytes, 0)
		go func() { answer <- future.Error() }()
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = raft.ErrLeadershipLost
		case <-r.stop:
			err = raft.ErrRaftShutdown
		}
		if err != nil {
			return 0, outcome(err)
		}
		result := future.Response().(*applied)
		for _, reply := range result.replies {
			if reply.GetKind() == enginev1.EventKind_EVENT_KIND_REJECTED {
				return 0, fmt.Errorf("replica: the first command of the term was refused: %s: %s", reply.Code, reply.Text)
			}
		}
		// Leadership may have been lost and won again in between; the command then
		// carries an epoch that is not its term.
		if result.term == term {
			return term, nil
		}
	}
}

// firstCommands is LeaderStarted, and before it, in an empty cluster, Bootstrap.
func (r *Replica) firstCommands(epoch uint64) ([]*enginev1.Command, error) {
	started := &enginev1.Command{Verb: &enginev1.Command_LeaderStarted{
		LeaderStarted: &enginev1.LeaderStarted{Epoch: epoch, Node: r.cfg.ID},
	}}
	if r.cfg.Cluster == 0 {
		return []*enginev1.Command{started}, nil
	}
	var known bool
	if err := r.View(func(tx engine.Tx) error {
		_, known = tx.Get(engine.Key{Table: engine.TableMeta})
		return nil
	}); err != nil || known {
		return []*enginev1.Command{started}, err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	return []*enginev1.Command{
		{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: r.cfg.Cluster, Secret: secret, Version: engine.Version}}},
		started,
	}, nil
}

func (o *office) close() {
	close(o.stop)
	o.done.Wait()
}
