package leader

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Log is the replicated log and the rows it has led to: replica.Replica, or the
// engine over memory in tests.
type Log interface {
	Propose(context.Context, *enginev1.Command) (*enginev1.Event, error)
	// Enqueue proposes without waiting. Unless it returns an error, reply is called
	// once, from another goroutine; what it does must be short. The command is the
	// caller's again when reply is called or an error returned.
	Enqueue(cmd *enginev1.Command, reply func(*enginev1.Event, error)) error
	View(func(engine.Tx) error) error
	// Confirm fails when a later term than epoch may have begun since the time
	// heard, at which a majority has listened to this node.
	Confirm(ctx context.Context, epoch uint64, heard time.Time) error
}

// Config is what a Leader works with; all fields but the limits must be set.
type Config struct {
	Log        Log
	Connectors *connector.Registry
	Links      *link.Links // nil: none are open
	Clock      *Clock
	Logger     *slog.Logger
	Metrics    *Metrics
	// Workers is how many jobs run at once; 0: 512. LaneShare is how many of them
	// one connector of one tenant may hold; 0: half of them. A job whose outcome is
	// on its way into the log runs no more.
	Workers, LaneShare int
	// GuardEvery is the pause between two looks at how the versions of connectors do;
	// 0: a quarter of a second.
	GuardEvery time.Duration
	// ExpireEvery is the pause between two runs of retention; 0: one minute.
	ExpireEvery time.Duration
}

// Leader performs what a node owes while it leads.
type Leader struct {
	Config

	mu   sync.Mutex
	term *term // nil while not leading
}

// New returns a Leader that does nothing until Lead is called.
func New(c Config) *Leader {
	if c.Workers <= 0 {
		c.Workers = 512
	}
	if c.LaneShare <= 0 {
		c.LaneShare = max(1, c.Workers/2)
	}
	if c.ExpireEvery <= 0 {
		c.ExpireEvery = time.Minute
	}
	if c.GuardEvery <= 0 {
		c.GuardEvery = 250 * time.Millisecond
	}
	return &Leader{Config: c}
}

// term is one spell of leadership. Everything it started ends with its context.
type term struct {
	*Leader
	ctx   context.Context
	epoch uint64
	log   *slog.Logger
	lanes *lanes
	// detached are the attempts that work in goroutines of their own.
	detached sync.WaitGroup

	mu      sync.Mutex
	ready   []jobID       // hinted or due again, not yet read
	refresh bool          // what the connectors' registry holds may be stale
	wake    chan struct{} // there is something in ready, or a refresh to do
	dueMS   int64         // the earliest timer hinted since the timers were looked at
	timer   chan struct{} // dueMS came closer
}

// OnHints takes what an applied entry has for the leader to do. It is called on
// the apply loop: it notes and returns.
func (l *Leader) OnHints(hints []engine.Hint) {
	l.mu.Lock()
	t := l.term
	l.mu.Unlock()
	if t == nil {
		return
	}
	t.mu.Lock()
	ready, sooner := false, false
	for _, h := range hints {
		switch h.Kind {
		case engine.HintJob:
			t.ready = append(t.ready, jobID{h.Payment, h.N})
			ready = true
		case engine.HintTimer:
			if h.DueMS < t.dueMS {
				t.dueMS = h.DueMS
				sooner = true
			}
		case engine.HintConfig:
			t.refresh, ready = true, true
		}
	}
	t.mu.Unlock()
	if ready {
		signal(t.wake)
	}
	if sooner {
		signal(t.timer)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// InFlight is how many jobs are worked on and how many wait for a worker.
func (l *Leader) InFlight() (active, waiting int) {
	l.mu.Lock()
	t := l.term
	l.mu.Unlock()
	if t == nil {
		return 0, 0
	}
	return t.lanes.inFlight()
}

// Lead works until ctx ends. The caller's node must have been elected, and the
// term's LeaderStarted must have been applied: its epoch is what the engine
// holds this leader's results against.
func (l *Leader) Lead(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &term{
		Leader: l, ctx: ctx,
		refresh: true, wake: make(chan struct{}, 1), timer: make(chan struct{}, 1), dueMS: math.MaxInt64,
	}
	err := l.Log.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return errors.New("the cluster has not been bootstrapped")
		}
		t.epoch = row.(*enginev1.Meta).Epoch
		return nil
	})
	if err != nil {
		return err
	}
	t.log = l.Logger.With("epoch", t.epoch)
	t.lanes = newLanes(l.Workers, l.LaneShare, l.Metrics)
	l.setTerm(t)
	defer l.setTerm(nil)

	var running sync.WaitGroup
	running.Go(t.dispatch)
	running.Go(t.fireTimers)
	running.Go(t.expire)
	running.Go(t.guardVersions)
	for range runtime.GOMAXPROCS(0) {
		running.Go((&stepper{term: t}).run)
	}
	t.log.Info("this node leads")
	<-ctx.Done()
	t.lanes.close()
	running.Wait()
	t.detached.Wait()
	t.log.Info("this node has stopped leading")
	return nil
}

func (l *Leader) setTerm(t *term) {
	l.mu.Lock()
	l.term = t
	l.mu.Unlock()
}

// dispatch reads hinted jobs and lines them up, a batch per wake-up. It begins
// with everything the rows hold, which is how a new leader finds its work.
func (t *term) dispatch() {
	for all := true; ; all = false {
		t.mu.Lock()
		ready, refresh := t.ready, t.refresh
		t.ready, t.refresh = nil, false
		t.mu.Unlock()
		if refresh {
			t.Connectors.Refresh()
		}
		jobs, err := t.read(ready, all)
		if err != nil {
			t.log.Error("the jobs cannot be read", "err", err)
			return
		}
		t.lanes.add(jobs)
		select {
		case <-t.wake:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *term) read(ready []jobID, all bool) ([]*enginev1.Job, error) {
	var jobs []*enginev1.Job
	keep := func(row engine.Row) {
		if job := row.(*enginev1.Job); job.State == enginev1.JobState_JOB_STATE_READY {
			jobs = append(jobs, job)
		}
	}
	err := t.Log.View(func(tx engine.Tx) error {
		if all {
			tx.Ascend(engine.Key{Table: engine.TableJob}, func(_ engine.Key, row engine.Row) bool {
				keep(row)
				return true
			})
			return nil
		}
		for _, id := range ready {
			if row, found := tx.Get(engine.Key{Table: engine.TableJob, A: id.payment, B: uint64(id.n)}); found {
				keep(row)
			}
		}
		return nil
	})
	return jobs, err
}

// later lines a job up again after a while.
func (t *term) later(id jobID, after time.Duration) {
	time.AfterFunc(after, func() {
		if t.ctx.Err() != nil {
			return
		}
		t.mu.Lock()
		t.ready = append(t.ready, id)
		t.mu.Unlock()
		signal(t.wake)
	})
}

// propose proposes a command and, while the replica is overloaded, waits and
// tries again: the work is in the state anyway, so there is nobody to refuse.
func (t *term) propose(cmd *enginev1.Command) (*enginev1.Event, error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		reply, err := t.Log.Propose(t.ctx, cmd)
		if !errors.Is(err, replica.ErrOverloaded) {
			return reply, err
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-t.ctx.Done():
			pause.Stop()
			return nil, errDropped
		}
	}
}
