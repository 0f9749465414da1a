package replica

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what operators see of a replica; times are in seconds, sizes in
// bytes.
type metrics struct {
	entryCommands prometheus.Histogram
	commit        prometheus.Histogram
	checkpoint    prometheus.Histogram
	pause         prometheus.Histogram
	checkpointed  prometheus.Counter
	delta         prometheus.Gauge
	index         prometheus.Gauge
	leading       prometheus.Gauge
	skew          prometheus.Gauge
	mismatches    prometheus.Counter

	registry   prometheus.Registerer // nil: none
	registered []prometheus.Collector
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	histogram := func(name, help string, first, factor float64, count int) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(first, factor, count),
		})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		entryCommands: histogram("railhead_replica_entry_commands", "Commands in one log entry.", 1, 2, 10),
		commit:        histogram("railhead_replica_commit_seconds", "From packing an entry until it is committed and applied here.", 0.0001, 2, 16),
		checkpoint:    histogram("railhead_replica_checkpoint_seconds", "Writing one checkpoint, in the background.", 0.001, 2, 16),
		pause:         histogram("railhead_replica_pause_seconds", "How long the apply loop stood still because of a checkpoint, each time it did.", 0.00001, 1.5, 28),
		checkpointed:  counter("railhead_replica_checkpoint_rows_total", "Rows put or deleted by checkpoints."),
		delta:         gauge("railhead_replica_delta_bytes", "Log applied that no checkpoint holds."),
		index:         gauge("railhead_replica_applied_index", "Index of the last log entry applied."),
		leading:       gauge("railhead_replica_leading", "1 while this node leads."),
		skew:          gauge("railhead_replica_clock_skew_seconds", "How far a majority of clocks is ahead of the leader's, once that is too much; else 0."),
		mismatches:    counter("railhead_replica_hash_mismatches_total", "Times another node had another state at the same index."),
		registry:      to,
	}
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.entryCommands, m.commit, m.checkpoint, m.pause, m.checkpointed, m.delta, m.index, m.leading, m.skew, m.mismatches,
	} {
		if err := to.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("replica: register metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

// unregister makes room for the replica's next life in the same process.
func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registry.Unregister(c)
	}
	m.registered = nil
}
