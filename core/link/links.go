package link

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/exchange"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Config is what Links work with; all fields but Metrics and AwaitMax must be set.
type Config struct {
	Log        exchange.Log
	Connectors *connector.Registry
	Now        func() int64 // milliseconds since 1970-01-01 UTC
	Logger     *slog.Logger
	Metrics    *Metrics
	AwaitMax   time.Duration // see exchange.Config
}

// Place names a link.
type Place struct{ Tenant, Connector, Link string }

// Links are the links of all connectors. It is safe for concurrent use, and a nil
// *Links has none.
type Links struct {
	Config
	exchanges *exchange.Host

	mu      sync.Mutex
	leading bool
	epoch   uint64
	open    map[Place]*link
	faults  map[Place]error // of links that cannot be opened
	wake    chan struct{}   // what is configured may have changed
	looked  chan struct{}   // closed once the links of this term are known
}

// New returns Links that are closed until Lead is called.
func New(c Config) *Links {
	l := &Links{Config: c, wake: make(chan struct{}, 1), looked: make(chan struct{})}
	l.exchanges = exchange.New(exchange.Config{Log: patient{c.Log}, Now: c.Now, AwaitMax: c.AwaitMax})
	c.Metrics.watch(l)
	return l
}

// patient proposes again while the replica is overloaded: a counterparty that sent a
// frame cannot be told to come back, so it is made to wait.
type patient struct{ exchange.Log }

func (p patient) Propose(ctx context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		reply, err := p.Log.Propose(ctx, cmd)
		if !errors.Is(err, replica.ErrOverloaded) || !sleep(ctx, pause) {
			return reply, err
		}
	}
}

// sleep reports whether ctx lasted so long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// OnHints takes what an applied entry has for links. It is called on the apply loop:
// it notes and returns.
func (l *Links) OnHints(hints []engine.Hint) {
	for _, h := range hints {
		switch h.Kind {
		case engine.HintConfig:
			signal(l.wake)
		case engine.HintForward:
			parts := strings.Split(h.Subject, "\x00")
			if len(parts) != 3 {
				continue
			}
			l.mu.Lock()
			k := l.open[Place{parts[0], parts[1], parts[2]}]
			l.mu.Unlock()
			if k != nil {
				signal(k.queued)
			}
		}
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// lookEvery is how often the configuration is read again where reading it failed.
const lookEvery = 5 * time.Second

// Lead keeps the links open until ctx ends; when it returns they are closed. The
// caller's node must lead, in the epoch that its rows show.
func (l *Links) Lead(ctx context.Context) error {
	var epoch uint64
	err := l.Log.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return errors.New("the cluster has not been bootstrapped")
		}
		epoch = row.(*enginev1.Meta).Epoch
		return nil
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.leading, l.epoch, l.open, l.faults = true, epoch, make(map[Place]*link), make(map[Place]error)
	l.mu.Unlock()
	defer l.closeAll()
	for {
		again := make(<-chan time.Time)
		if err := l.look(ctx); err != nil {
			l.Logger.Error("the links' configuration cannot be read", "err", err)
			again = time.After(lookEvery)
		}
		select {
		case <-l.wake:
		case <-again:
		case <-ctx.Done():
			return nil
		}
	}
}

// look opens, changes and closes links as they are configured now.
func (l *Links) look(ctx context.Context) error {
	active, err := l.Connectors.Links()
	if err != nil {
		return err
	}
	wanted := make(map[Place]connector.ActiveLink, len(active))
	faults := make(map[Place]error)
	for _, a := range active {
		at := Place{a.Tenant, a.Connector, a.Name}
		if a.Fault != nil {
			faults[at] = a.Fault
			continue
		}
		wanted[at] = a
	}
	l.mu.Lock()
	l.faults = faults
	var gone []*link
	for at, k := range l.open {
		a, still := wanted[at]
		if still && a.Link.Definition == k.config.Definition {
			// Whatever serves it now works on the frames from here on; the connection
			// stays.
			k.active.Store(&a)
			signal(k.queued)
			delete(wanted, at)
			continue
		}
		gone = append(gone, k)
		delete(l.open, at)
	}
	l.mu.Unlock()
	for _, k := range gone {
		k.close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, a := range wanted {
		l.open[at] = l.newLink(ctx, at, a)
	}
	select {
	case <-l.looked:
	default:
		close(l.looked)
	}
	return nil
}

func (l *Links) closeAll() {
	l.mu.Lock()
	open := l.open
	l.leading, l.open, l.faults = false, nil, nil
	select {
	case <-l.looked:
		l.looked = make(chan struct{})
	default:
	}
	l.mu.Unlock()
	// All connections are cut before any is waited for: the next leader may be about
	// to open them.
	for _, k := range open {
		k.cancel()
	}
	for _, k := range open {
		k.close()
	}
}

// lookMax bounds the wait for a term's links to be known: a new leader's jobs may be
// there first.
const lookMax = 2 * time.Second

// find is an open link; nil: there is none now.
func (l *Links) find(ctx context.Context, at Place) *link {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	looked := l.looked
	l.mu.Unlock()
	over := time.NewTimer(lookMax)
	defer over.Stop()
	select {
	case <-looked:
	case <-over.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[at]
}
