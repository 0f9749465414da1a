package egress

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Metrics counts requests by connector, endpoint and what became of them. A nil
// Metrics counts nothing. What is under way is Gates' to say.
type Metrics struct {
	seconds *prometheus.HistogramVec
	retries *prometheus.CounterVec
	held    *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "railhead_egress_request_seconds",
		Help:    "Time of outside calls with their retries, by what became of them: done, refused or open.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11),
	}, []string{"connector", "endpoint", "state"})}
	m.retries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "railhead_egress_retries_total",
		Help: "Requests sent again within one call.",
	}, []string{"connector", "endpoint"})
	m.held = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "railhead_egress_held_back_total",
		Help: "Requests that were not sent, by what held them back: breaker, room or rate.",
	}, []string{"connector", "endpoint", "by"})
	r.MustRegister(m.seconds, m.retries, m.held)
	return m
}

func (m *Metrics) retried(connector, endpoint string) {
	if m != nil {
		m.retries.WithLabelValues(connector, endpoint).Inc()
	}
}

func (m *Metrics) heldBack(connector, endpoint string, err error) {
	if m == nil {
		return
	}
	by := "room"
	switch {
	case errors.Is(err, errOpen):
		by = "breaker"
	case errors.Is(err, errRate):
		by = "rate"
	}
	m.held.WithLabelValues(connector, endpoint, by).Inc()
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
