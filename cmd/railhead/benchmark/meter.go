package benchmark

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// LoadReport is what the load process found.
type LoadReport struct {
	Payments  int64   `json:"payments"` // ended while measured
	PerSecond float64 `json:"payments_per_s"`
	P50Ms     float64 `json:"p50_ms"` // from when the start was due to knowing of the end
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
	Ended     int64   `json:"ended"` // measured or not
	// CPUMicros is the load's own work for each payment that ended.
	CPUMicros    float64 `json:"cpu_us"`
	NotCompleted int64   `json:"not_completed"`
	Refused      int64   `json:"refused"`
	// LastRefusal is the code of the last refusal, for whoever looks into it.
	LastRefusal string `json:"last_refusal,omitempty"`
}

// meter collects what happens while measuring. Its clock runs from newMeter.
type meter struct {
	from, to time.Time

	mu           sync.Mutex
	latencies    []time.Duration
	all          int64
	notCompleted int64
	refused      int64
	lastRefusal  string
}

func newMeter(warmup, duration time.Duration) *meter {
	from := time.Now().Add(warmup)
	return &meter{from: from, to: from.Add(duration), latencies: make([]time.Duration, 0, 1<<20)}
}

// ended notes a payment's end, if it fell into the measured time.
func (m *meter) ended(due time.Time, completed bool) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all++
	if now.Before(m.from) || now.After(m.to) {
		return
	}
	if completed {
		m.latencies = append(m.latencies, now.Sub(due))
	} else {
		m.notCompleted++
	}
}

func (m *meter) refuse(code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused++
	m.lastRefusal = code
}

// over says that no new payment is wanted.
func (m *meter) over() bool { return time.Now().After(m.to) }

// pace calls begin at the rate, with the time at which each payment is due. It
// keeps to the plan whatever becomes of the payments: what begins late because
// something was slow counts from when it was due. One payment is due when the
// time is over; the end of a run that has none under way is known by it.
func (m *meter) pace(ctx context.Context, perSecond float64, begin func(due time.Time)) {
	begun := time.Now()
	for n := 0; ; {
		due := begun.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(max(wait, time.Millisecond)): // finer steps would cost more than they tell
			case <-ctx.Done():
				return
			}
			continue
		}
		over := m.over()
		begin(due)
		if over {
			return
		}
		n++
	}
}

func (m *meter) report() (LoadReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := LoadReport{
		Payments: int64(len(m.latencies)), Ended: m.all, NotCompleted: m.notCompleted,
		Refused: m.refused, LastRefusal: m.lastRefusal,
	}
	if len(m.latencies) == 0 {
		return r, errors.New("no payment was completed while measuring; the last refusal was " + m.lastRefusal)
	}
	slices.Sort(m.latencies)
	at := func(q float64) float64 {
		return float64(m.latencies[int(q*float64(len(m.latencies)-1))].Microseconds()) / 1000
	}
	r.PerSecond = float64(len(m.latencies)) / m.to.Sub(m.from).Seconds()
	r.P50Ms, r.P99Ms, r.MaxMs = at(0.50), at(0.99), at(1)
	r.CPUMicros = perPayment(cpuTime(0), r.Ended)
	return r, nil
}
