package leader

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
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

// outcome is how an attempt ended, for counting.
type outcome uint8

const (
	outcomeComplete outcome = iota
	outcomeFail
	outcomeBpmnError
	outcomeDoubt
	outcomes
)

var outcomeNames = [outcomes]string{"complete", "fail", "bpmn_error", "doubt"}

func outcomeOf(cmd *enginev1.FinishJob) outcome {
	switch cmd.Outcome.(type) {
	case *enginev1.FinishJob_Complete:
		return outcomeComplete
	case *enginev1.FinishJob_BpmnError:
		return outcomeBpmnError
	case *enginev1.FinishJob_Doubt:
		return outcomeDoubt
	}
	return outcomeFail
}

// connectorMetrics are one connector's, looked up once, since that is dearer than
// to count. A nil *connectorMetrics counts nothing.
type connectorMetrics struct {
	steps prometheus.Observer
	ended [outcomes]prometheus.Counter
}

func (m *Metrics) connector(name string) *connectorMetrics {
	if m == nil {
		return nil
	}
	c := &connectorMetrics{steps: m.steps.WithLabelValues(name)}
	for o := range c.ended {
		c.ended[o] = m.ended.WithLabelValues(name, outcomeNames[o])
	}
	return c
}

func (c *connectorMetrics) stepped(took time.Duration) {
	if c != nil {
		c.steps.Observe(took.Seconds())
	}
}

func (c *connectorMetrics) finished(o outcome) {
	if c != nil {
		c.ended[o].Inc()
	}
}

func (m *Metrics) timersFired(n uint64) {
	if m != nil {
		m.timers.Add(float64(n))
	}
}
