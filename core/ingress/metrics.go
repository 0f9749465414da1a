package ingress

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests by connector and status. A nil Metrics counts nothing.
type Metrics struct {
	seconds *prometheus.HistogramVec
	unknown *prometheus.CounterVec
	crowd   *prometheus.CounterVec
	// known spares looking a histogram up by its labels.
	mu    sync.RWMutex
	known map[served]prometheus.Observer
}

// served is what requests are told apart by.
type served struct {
	connector string
	status    int
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "railhead_ingress_request_seconds",
			Help:    "Time of requests to connectors' routes, by connector and status.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11),
		}, []string{"connector", "status"}),
		known: make(map[served]prometheus.Observer),
	}
	m.unknown = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "railhead_ingress_unauthenticated_total",
		Help: "Requests whose caller was not known, by the kind of credential wanted and what was wrong with the one shown.",
	}, []string{"connector", "kind", "reason"})
	m.crowd = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "railhead_ingress_connections_crowded_total",
		Help: "Connections ended for want of room, on which nothing moved, and connections refused.",
	}, []string{"what"})
	r.MustRegister(m.seconds, m.unknown, m.crowd)
	return m
}

func (m *Metrics) crowded(what string, n int) {
	if m != nil {
		m.crowd.WithLabelValues(what).Add(float64(n))
	}
}

func (m *Metrics) refused(connector, kind, reason string) {
	if m != nil {
		m.unknown.WithLabelValues(connector, kind, reason).Inc()
	}
}

func (m *Metrics) served(connector string, status int, took time.Duration) {
	if m == nil {
		return
	}
	key := served{connector, status}
	m.mu.RLock()
	seconds := m.known[key]
	m.mu.RUnlock()
	if seconds == nil {
		seconds = m.seconds.WithLabelValues(connector, strconv.Itoa(status))
		m.mu.Lock()
		m.known[key] = seconds
		m.mu.Unlock()
	}
	seconds.Observe(took.Seconds())
}
