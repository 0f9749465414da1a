package benchmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// LoadConfig is what the load process is told.
type LoadConfig struct {
	Workload    Workload
	Ingress     string // stream or http
	Control     corev1connect.ControlServiceClient
	URLs        []string // of the nodes' ingress, for http
	Run         string   // makes the client keys of this run its own
	Outstanding int
	Warmup      time.Duration
	Duration    time.Duration
}

// LoadReport is what the load process found.
type LoadReport struct {
	Payments     int64   `json:"payments"` // ended while measured
	PerSecond    float64 `json:"payments_per_s"`
	P50Ms        float64 `json:"p50_ms"` // from asking for the start to knowing of the end
	P99Ms        float64 `json:"p99_ms"`
	NotCompleted int64   `json:"not_completed"`
	Refused      int64   `json:"refused"`
	// LastRefusal is the code of the last refusal, for whoever looks into it.
	LastRefusal string `json:"last_refusal,omitempty"`
}

// Load runs the workload and measures it after the warm-up. Payments that fail
// are counted, never hidden; an error says that measuring was not possible.
func Load(ctx context.Context, c LoadConfig) (LoadReport, error) {
	switch c.Ingress {
	case "stream":
		return loadStream(ctx, c)
	case "http":
		return loadHTTP(ctx, c)
	}
	return LoadReport{}, fmt.Errorf("ingress %q is neither stream nor http", c.Ingress)
}

// meter collects what happens while measuring. Its clock runs from begin.
type meter struct {
	from, to time.Time

	mu           sync.Mutex
	latencies    []time.Duration
	notCompleted int64
	refused      int64
	lastRefusal  string
}

func newMeter(warmup, duration time.Duration) *meter {
	from := time.Now().Add(warmup)
	return &meter{from: from, to: from.Add(duration), latencies: make([]time.Duration, 0, 1<<20)}
}

// ended notes a payment's end, if it fell into the measured time.
func (m *meter) ended(started time.Time, completed bool) {
	now := time.Now()
	if now.Before(m.from) || now.After(m.to) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if completed {
		m.latencies = append(m.latencies, now.Sub(started))
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

func (m *meter) report() (LoadReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := LoadReport{
		Payments: int64(len(m.latencies)), NotCompleted: m.notCompleted,
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
	r.P50Ms, r.P99Ms = at(0.50), at(0.99)
	return r, nil
}
