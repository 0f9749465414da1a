package consume

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/railhead-hub/railhead/opsd/store"
)

// metrics are what an operator watches. No label carries an id of a payment.
type metrics struct {
	records   *prometheus.CounterVec
	missing   prometheus.Counter
	jumps     prometheus.Counter
	failures  *prometheus.CounterVec
	batch     prometheus.Histogram
	size      prometheus.Histogram
	lag       *prometheus.GaugeVec
	newest    prometheus.Gauge
	consuming prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "railhead_opsd_records_total",
			Help: "Records taken from Kafka, by what became of them.",
		}, []string{"outcome"}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "railhead_opsd_missing_events_total",
			Help: "Events found missing from the sequence of a payment when a later one arrived.",
		}),
		jumps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "railhead_opsd_position_jumps_total",
			Help: "Times a partition continued elsewhere than where it was left: records were deleted before they were read, or the topic was made anew.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "railhead_opsd_failures_total",
			Help: "Attempts to fetch from Kafka or to store a batch that failed and were repeated.",
		}, []string{"side"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "railhead_opsd_batch_seconds",
			Help:    "Time to store one batch, commit included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "railhead_opsd_batch_records",
			Help:    "Records in one batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "railhead_opsd_lag_records",
			Help: "Records in Kafka that are not stored yet.",
		}, []string{"topic", "partition"}),
		newest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "railhead_opsd_newest_record_timestamp_seconds",
			Help: "Kafka timestamp of the newest record stored.",
		}),
		consuming: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "railhead_opsd_consuming",
			Help: "1 while this process holds the claim to consume, 0 while it waits for it.",
		}),
	}
	r.MustRegister(m.records, m.missing, m.jumps, m.failures, m.batch, m.size, m.lag, m.newest, m.consuming)
	return m
}

// RegisterStatus exposes what the store counts.
func RegisterStatus(r prometheus.Registerer, s *store.Store) {
	r.MustRegister(&statusCollector{
		store: s,
		payments: prometheus.NewDesc("railhead_opsd_payments",
			"Payments known, by state.", []string{"state"}, nil),
		gaps: prometheus.NewDesc("railhead_opsd_gap_payments",
			"Payments of which at least one event is missing.", nil, nil),
		missing: prometheus.NewDesc("railhead_opsd_missing_events",
			"Events that are missing now.", nil, nil),
		dead: prometheus.NewDesc("railhead_opsd_dead_letters",
			"Records that could not be read and wait to be replayed.", nil, nil),
		up: prometheus.NewDesc("railhead_opsd_store_up",
			"1 when the database answered this scrape.", nil, nil),
	})
}

type statusCollector struct {
	store                             *store.Store
	payments, gaps, missing, dead, up *prometheus.Desc
}

func (c *statusCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.payments, c.gaps, c.missing, c.dead, c.up} {
		ch <- d
	}
}

func (c *statusCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	status, err := c.store.Status(ctx)
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	for _, state := range []store.State{store.StateRunning, store.StateIncident, store.StateEnded} {
		gauge(c.payments, float64(status.Payments[state]), state.String())
	}
	gauge(c.gaps, float64(status.GapPayments))
	gauge(c.missing, float64(status.GapEvents))
	gauge(c.dead, float64(status.DeadLetters))
}
