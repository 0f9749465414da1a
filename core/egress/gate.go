package egress

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Breaker says when an endpoint is left alone for a while. A request that is held
// back by it has certainly not been sent, which spares doubt as well as waiting.
// What counts as a failure is that the peer cannot be reached, does not answer in
// time, breaks off, or answers 429 or 5xx; other answers are its health.
type Breaker struct {
	Off bool
	// Share of failures, above 0 and up to 1, that opens it. 0: 0.5.
	Share float64
	// Calls is how many there must have been within Within. 0: 20.
	Calls int
	// Within is how far back calls are looked at. 0: 10 s.
	Within time.Duration
	// Open is how long nothing is sent. 0: 5 s.
	Open time.Duration
	// Trials is how many calls must then succeed, one failing at most until it is
	// open again. 0: 3.
	Trials int
}

func (b Breaker) withDefaults() Breaker {
	if b.Share <= 0 {
		b.Share = 0.5
	}
	if b.Calls <= 0 {
		b.Calls = 20
	}
	if b.Within <= 0 {
		b.Within = 10 * time.Second
	}
	if b.Open <= 0 {
		b.Open = 5 * time.Second
	}
	if b.Trials <= 0 {
		b.Trials = 3
	}
	return b
}

// Gates hold what is known of each endpoint's peer on this node: its breaker, the
// requests under way, its rate. An endpoint has one gate whatever version of the
// tenant's configuration and whatever module a call comes from: a new module or a
// canary must neither forget that a peer is down nor double what it is asked. An
// endpoint that is bound to another host and port has another gate.
//
// Limits are those of the newest configuration that has called.
type Gates struct {
	mu    sync.Mutex
	gates map[gateKey]*gate
	sweep int // how many gates there are when unused ones are next looked for
}

type gateKey struct{ tenant, connector, endpoint, peer string }

// limits are what a configuration says of a gate.
type limits struct {
	breaker   Breaker
	inFlight  int
	perSecond float64
}

// gate is safe for concurrent use.
type gate struct {
	inFlight atomic.Int64
	used     atomic.Int64 // milliseconds since 1970-01-01, the last time

	mu      sync.Mutex
	version uint64 // of the configuration that limits are from
	limits  limits
	valves  valves
}

// valves are a gate's parts. They are replaced, not changed; who has passed one
// gives back what it took to the same.
type valves struct {
	breaker circuitbreaker.CircuitBreaker[any] // nil: off
	room    bulkhead.Bulkhead[any]
	rate    *rate.Limiter // nil: no bound
}

// gateIdle is how long an unused gate is kept at least.
const gateIdle = time.Hour

// NewGates returns Gates and registers their metrics; a nil registerer registers
// none.
func NewGates(r prometheus.Registerer) *Gates {
	g := &Gates{gates: make(map[gateKey]*gate), sweep: 1024}
	if r != nil {
		r.MustRegister(g)
	}
	return g
}

// of returns the gate of an endpoint with its limits in force.
func (g *Gates) of(key gateKey, version uint64, want limits) (*gate, valves) {
	now := time.Now().UnixMilli()
	g.mu.Lock()
	one := g.gates[key]
	if one == nil {
		one = &gate{version: version}
		g.gates[key] = one
		if len(g.gates) > g.sweep {
			for k, old := range g.gates {
				if old != one && old.inFlight.Load() == 0 && now-old.used.Load() > gateIdle.Milliseconds() {
					delete(g.gates, k)
				}
			}
			g.sweep = max(1024, 2*len(g.gates))
		}
	}
	one.used.Store(now)
	g.mu.Unlock()
	return one, one.adjust(version, want)
}

// adjust puts limits in force, unless those in force are of a newer configuration.
func (g *gate) adjust(version uint64, want limits) valves {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.valves.room != nil && (version < g.version || g.limits == want) {
		g.version = max(g.version, version)
		return g.valves
	}
	old, had := g.valves, g.limits
	g.version, g.limits = version, want
	if old.room == nil || want.inFlight != had.inFlight {
		g.valves.room = bulkhead.New[any](uint(want.inFlight))
	}
	switch {
	case want.perSecond <= 0:
		g.valves.rate = nil
	case g.valves.rate == nil || want.perSecond != had.perSecond:
		g.valves.rate = rate.NewLimiter(rate.Limit(want.perSecond), max(1, int(want.perSecond/10)))
	}
	switch b := want.breaker; {
	case b.Off:
		g.valves.breaker = nil
	case old.breaker == nil || b != had.breaker:
		g.valves.breaker = circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(b.Share, uint(b.Calls), b.Within).
			WithDelay(b.Open).WithSuccessThresholdRatio(uint(b.Trials), uint(b.Trials)+1).
			Build()
		if old.breaker != nil && !old.breaker.IsClosed() {
			g.valves.breaker.Open() // other limits do not make a peer well
		}
	}
	return g.valves
}

// health is what a call told about the peer.
type health int

const (
	unclear health = iota // it was abandoned, or had nothing to do with the peer
	well
	sick
)

var (
	errOpen = errors.New("the circuit breaker is open: the peer has failed too often")
	errFull = errors.New("too many requests are under way, and none ended in time")
	errRate = errors.New("the endpoint's rate left no room in time")
)

// enter waits until a request may be sent, for so long at most. Whoever entered calls
// leave; who did not has been told why.
func (g *gate) enter(ctx context.Context, wait time.Duration, v valves) (leave func(health), err error) {
	if v.breaker != nil && v.breaker.IsOpen() && v.breaker.RemainingDelay() > 0 {
		return nil, errOpen
	}
	if room := v.room.TryAcquirePermit(); !room || v.rate != nil {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if !room && v.room.AcquirePermit(ctx) != nil {
			return nil, errFull
		}
		if v.rate != nil && v.rate.Wait(ctx) != nil {
			v.room.ReleasePermit()
			return nil, errRate
		}
	}
	if v.breaker != nil && !v.breaker.TryAcquirePermit() {
		v.room.ReleasePermit()
		return nil, errOpen
	}
	g.inFlight.Add(1)
	return func(h health) {
		g.inFlight.Add(-1)
		v.room.ReleasePermit()
		if v.breaker == nil {
			return
		}
		switch {
		case h == well:
			v.breaker.RecordSuccess()
		case h == sick, v.breaker.IsHalfOpen():
			// A trial that showed nothing is none; its permit is given back with a record
			// only.
			v.breaker.RecordFailure()
		}
	}, nil
}

// Describe implements prometheus.Collector.
func (g *Gates) Describe(to chan<- *prometheus.Desc) { to <- breakerDesc; to <- inFlightDesc }

var (
	gateLabels  = []string{"tenant", "connector", "endpoint", "peer"}
	breakerDesc = prometheus.NewDesc("railhead_egress_breaker_state",
		"State of an endpoint's circuit breaker: 0 closed, 1 on trial, 2 open.", gateLabels, nil)
	inFlightDesc = prometheus.NewDesc("railhead_egress_in_flight",
		"Requests to an endpoint under way.", gateLabels, nil)
)

// Collect implements prometheus.Collector.
func (g *Gates) Collect(to chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, one := range g.gates {
		labels := []string{key.tenant, key.connector, key.endpoint, key.peer}
		to <- prometheus.MustNewConstMetric(inFlightDesc, prometheus.GaugeValue, float64(one.inFlight.Load()), labels...)
		to <- prometheus.MustNewConstMetric(breakerDesc, prometheus.GaugeValue, one.state(), labels...)
	}
}

func (g *gate) state() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch b := g.valves.breaker; {
	case b == nil || b.IsClosed():
		return 0
	case b.IsHalfOpen():
		return 1
	}
	return 2
}

// check says why limits cannot be.
func (b Breaker) check() error {
	if b.Share < 0 || b.Share > 1 {
		return fmt.Errorf("the breaker's share is %v; above 0 and up to 1 is allowed", b.Share)
	}
	if b.Calls < 0 || b.Calls > 10_000 || b.Trials < 0 || b.Trials > 100 {
		return errors.New("the breaker's calls are 1 to 10000, its trials 1 to 100")
	}
	if b.Within < 0 || b.Within > time.Hour || b.Open < 0 || b.Open > time.Hour {
		return errors.New("the breaker looks back, and stays open, for an hour at most")
	}
	return nil
}
