package egress

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Metrics counts requests by connector, endpoint and what became of them. A nil
// Metrics counts nothing.
type Metrics struct {
	seconds *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "railhead_egress_request_seconds",
		Help:    "Time of outside calls with their retries, by what became of them: done, refused or open.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11),
	}, []string{"connector", "endpoint", "state"})}
	r.MustRegister(m.seconds)
	return m
}

func (m *Metrics) observe(connector, endpoint string, out Outcome, took time.Duration) {
	if m == nil {
		return
	}
	state := "open"
	switch out.State {
	case enginev1.EffectState_EFFECT_STATE_DONE:
		state = "done"
	case enginev1.EffectState_EFFECT_STATE_REFUSED:
		state = "refused"
	}
	m.seconds.WithLabelValues(connector, endpoint, state).Observe(took.Seconds())
}
