package leader

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the leader's. A nil Metrics counts nothing.
type Metrics struct {
	steps  *prometheus.HistogramVec
	ended  *prometheus.CounterVec
	timers prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "railhead_connector_step_seconds", Help: "Time of one step of a connector for a job.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 9),
		}, []string{"connector"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "railhead_attempts_total", Help: "Attempts of jobs that this node has ended, by outcome.",
		}, []string{"connector", "outcome"}),
		timers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "railhead_timers_fired_total", Help: "Timers that this node has fired.",
		}),
	}
	r.MustRegister(m.steps, m.ended, m.timers)
	return m
}

func (m *Metrics) stepped(connector string, took time.Duration) {
	if m != nil {
		m.steps.WithLabelValues(connector).Observe(took.Seconds())
	}
}

func (m *Metrics) finished(connector, outcome string) {
	if m != nil {
		m.ended.WithLabelValues(connector, outcome).Inc()
	}
}

func (m *Metrics) timersFired(n uint64) {
	if m != nil {
		m.timers.Add(float64(n))
	}
}
