package host

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// pool holds the instances of one tenant, and counts what they do.
type pool struct {
	slots chan struct{} // one for each step that may run
	mu    sync.Mutex
	idle  []*Instance // the one used last comes last

	steps, failures, retries, fuelTotal atomic.Uint64
	instances, memory                   atomic.Int64
	fuel, nanos                         histogram
}

func (m *Module) pool(tenant string) *pool {
	p, known := m.pools.Load(tenant)
	if !known {
		p, _ = m.pools.LoadOrStore(tenant, &pool{slots: make(chan struct{}, m.options.Instances)})
	}
	return p.(*pool)
}

// work is one step to be done: of a request to reply, or of bytes to bytes.
type work struct {
	request *sdkv1.StepRequest
	size    int // of the request, encoded
	reply   *sdkv1.StepReply

	in, out []byte // if there is no request
}

// mismatch reports whether the guest says that the history is not its own.
func (w *work) mismatch() bool { return w.reply.GetMismatch() != nil }

func (w *work) run(i *Instance) (err error) {
	if w.request != nil {
		w.reply, err = i.step(w.request, w.size)
	} else {
		w.out, err = i.stepBytes(w.out, w.in)
	}
	return err
}

// serve runs a step in an instance of the tenant's pool.
func (m *Module) serve(ctx context.Context, tenant string, w *work) error {
	p := m.pool(tenant)
	if err := p.enter(ctx); err != nil {
		return m.failure(Cancelled, "waiting for an instance", err)
	}
	defer func() { <-p.slots }()

	i, err := p.take(ctx, m)
	if err != nil {
		return err
	}
	fresh := !i.used
	if err = p.run(w, i); err == nil && !w.mismatch() {
		m.put(p, i)
		return nil
	}
	i.discard(ctx)
	if code := CodeOf(err); fresh || code == Cancelled || code == Timeout {
		return err
	}
	p.retries.Add(1)
	m.log.Warn("a step is run again in a fresh instance", "tenant", tenant, "error", err, "mismatch", w.mismatch())
	if i, err = m.NewInstance(ctx); err != nil {
		return err
	}
	i.join(p)
	if err = p.run(w, i); err != nil || w.mismatch() {
		i.discard(ctx)
		return err
	}
	m.put(p, i)
	return nil
}

// run runs a step and counts it if it returned a reply.
func (p *pool) run(w *work, i *Instance) error {
	var begun time.Time
	times := uint64(1)
	n := p.steps.Load()
	if n >= timedSteps {
		times = timedEvery
	}
	timed := n%times == 0
	if timed {
		begun = time.Now()
	}
	if err := w.run(i); err != nil {
		return err
	}
	if timed {
		p.nanos.add(int64(time.Since(begun)), times)
	}
	if !w.mismatch() {
		fuel := i.FuelUsed()
		p.steps.Add(1)
		p.fuelTotal.Add(uint64(fuel))
		p.fuel.add(fuel, 1)
	}
	return nil
}

// enter waits for a slot.
func (p *pool) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}: // as it is nearly always, and cheaper than to wait
		return nil
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) take(ctx context.Context, m *Module) (*Instance, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		i := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return i, nil
	}
	p.mu.Unlock()
	i := m.spare.Swap(nil)
	if i == nil {
		var err error
		if i, err = m.NewInstance(ctx); err != nil {
			return nil, err
		}
	}
	i.join(p)
	return i, nil
}

func (m *Module) put(p *pool, i *Instance) {
	i.weigh()
	i.putAt = m.sweeps.Load()
	p.mu.Lock()
	p.idle = append(p.idle, i)
	p.mu.Unlock()
	m.sweepLater()
}

// sweepLater sees to it that idle instances are looked at, if it has not been
// seen to.
func (m *Module) sweepLater() {
	if m.options.IdleAfter > 0 && !m.sweeping.Load() && m.sweeping.CompareAndSwap(false, true) {
		m.sweeper.Reset(m.options.IdleAfter)
	}
}

// sweep closes the instances that have been idle since the sweep before, and so
// for at least Options.IdleAfter.
func (m *Module) sweep() {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.closed {
		return
	}
	before := m.sweeps.Add(1) - 1
	m.pools.Range(func(_, v any) bool {
		p := v.(*pool)
		p.mu.Lock()
		n := slices.IndexFunc(p.idle, func(i *Instance) bool { return i.putAt >= before })
		if n < 0 {
			n = len(p.idle)
		}
		old := slices.Clone(p.idle[:n])
		p.idle = slices.Delete(p.idle, 0, n)
		p.mu.Unlock()
		for _, i := range old {
			_ = i.free(context.Background()) // what closing an idle instance says changes nothing
		}
		return true
	})
	// Who puts an instance back from here on sees to the next sweep, and what was
	// put back before is found.
	m.sweeping.Store(false)
	m.pools.Range(func(_, v any) bool {
		p := v.(*pool)
		p.mu.Lock()
		idle := len(p.idle)
		p.mu.Unlock()
		if idle > 0 {
			m.sweepLater()
		}
		return idle == 0
	})
}
