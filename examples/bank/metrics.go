package bank

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are of one Server: several may live in one process.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	repeats  prometheus.Counter
	faults   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bank_http_requests_total", Help: "Requests, by route and status; 0 is a connection that was cut.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bank_http_request_duration_seconds", Help: "Time to answer a request, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bank_http_requests_in_flight", Help: "Requests that are being worked on.",
		}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bank_repeated_answers_total", Help: "Mutations answered from a stored idempotency key.",
		}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bank_faults_total", Help: "Injected faults that took a request, by kind.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, m.repeats, m.faults,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}
