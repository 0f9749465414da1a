package ingress

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests by connector and status. A nil Metrics counts nothing.
type Metrics struct {
	seconds *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "railhead_ingress_request_seconds",
		Help:    "Time of requests to connectors' routes, by connector and status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11),
	}, []string{"connector", "status"})}
	r.MustRegister(m.seconds)
	return m
}

func (m *Metrics) served(connector string, status int, took time.Duration) {
	if m != nil {
		m.seconds.WithLabelValues(connector, strconv.Itoa(status)).Observe(took.Seconds())
	}
}
