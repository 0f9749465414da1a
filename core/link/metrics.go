package link

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Why a frame or a connection was given up.
const (
	dropGarbage = "garbage" // bytes that are no frame; the connection is closed
	dropFailed  = "failed"  // the connector failed on it
	dropRefused = "refused" // a connection that is not allowed
)

// Metrics are those of links. A nil Metrics counts nothing.
type Metrics struct {
	frames      *prometheus.CounterVec
	connections *prometheus.CounterVec
	drops       *prometheus.CounterVec
	roundTrips  *prometheus.CounterVec
	forwards    *prometheus.CounterVec
	outstanding *prometheus.Desc
	up          *prometheus.Desc
	queue       *prometheus.Desc
	registry    prometheus.Registerer
}

var linkLabels = []string{"tenant", "connector", "link"}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(linkLabels[:3:3], labels...))
		r.MustRegister(c)
		return c
	}
	return &Metrics{
		frames:      counter("railhead_link_frames_total", "Frames that came in and went out over a link.", "direction"),
		connections: counter("railhead_link_connections_total", "Connections of a link that were signed on."),
		drops:       counter("railhead_link_drops_total", "Frames and connections that were given up, by reason.", "reason"),
		roundTrips:  counter("railhead_link_round_trips_total", "Round trips that ended, by what became of them.", "state"),
		forwards:    counter("railhead_link_forwards_sent_total", "Sendings of forwarded frames, repeated ones included."),
		outstanding: prometheus.NewDesc("railhead_link_outstanding", "Frames that wait for their answers.", linkLabels, nil),
		up:          prometheus.NewDesc("railhead_link_open", "1 where the link is open on this node.", linkLabels, nil),
		queue: prometheus.NewDesc("railhead_link_queue", "Forwarded frames that wait to be acknowledged or are parked.",
			append(linkLabels[:3:3], "state"), nil),
		registry: r,
	}
}

// gauges shows how the links stand whenever somebody asks.
type gauges struct{ *Links }

func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.Metrics.outstanding
	ch <- g.Metrics.up
	ch <- g.Metrics.queue
}

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	states, _ := g.States()
	for _, s := range states {
		open := 0.0
		if s.State == StateOpen {
			open = 1
		}
		ch <- prometheus.MustNewConstMetric(g.Metrics.up, prometheus.GaugeValue, open, s.Tenant, s.Connector, s.Link)
		ch <- prometheus.MustNewConstMetric(g.Metrics.outstanding, prometheus.GaugeValue, float64(s.Outstanding), s.Tenant, s.Connector, s.Link)
		q := g.queueOf(s.Place)
		for state, n := range map[string]uint64{"waiting": q.Waiting, "parked": q.Parked} {
			ch <- prometheus.MustNewConstMetric(g.Metrics.queue, prometheus.GaugeValue, float64(n), s.Tenant, s.Connector, s.Link, state)
		}
	}
}

// queueOf is a link's queue; empty where it cannot be read.
func (g gauges) queueOf(at Place) *enginev1.ForwardQueue {
	q := &enginev1.ForwardQueue{}
	_ = g.Log.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.ForwardQueueKey(at.Tenant, at.Connector, at.Link)); found {
			q = row.(*enginev1.ForwardQueue)
		}
		return nil
	})
	return q
}

func (m *Metrics) watch(l *Links) {
	if m != nil {
		m.registry.MustRegister(gauges{l})
	}
}

func (m *Metrics) in(p Place) {
	if m != nil {
		m.frames.WithLabelValues(p.Tenant, p.Connector, p.Link, "in").Inc()
	}
}

func (m *Metrics) out(p Place, n int) {
	if m != nil {
		m.frames.WithLabelValues(p.Tenant, p.Connector, p.Link, "out").Add(float64(n))
	}
}

func (m *Metrics) opened(p Place) {
	if m != nil {
		m.connections.WithLabelValues(p.Tenant, p.Connector, p.Link).Inc()
	}
}

func (m *Metrics) dropped(p Place, reason string) {
	if m != nil {
		m.drops.WithLabelValues(p.Tenant, p.Connector, p.Link, reason).Inc()
	}
}

func (m *Metrics) roundTrip(p Place, state enginev1.EffectState) {
	if m != nil {
		name := strings.ToLower(strings.TrimPrefix(state.String(), "EFFECT_STATE_"))
		m.roundTrips.WithLabelValues(p.Tenant, p.Connector, p.Link, name).Inc()
	}
}

func (m *Metrics) forwarded(p Place) {
	if m != nil {
		m.forwards.WithLabelValues(p.Tenant, p.Connector, p.Link).Inc()
	}
}
