package mojaloophub

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// processRoutes serves metrics and health. The counts are those of /admin/status,
// read when somebody asks.
func (s *Server) processRoutes() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	count := func(name, help string, read func(Counts) int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 {
			return float64(read(s.counted()))
		}))
	}
	count("mojaloop_hub_callbacks_delivered_total", "Callbacks that were accepted.", func(n Counts) int64 { return n.Delivered })
	count("mojaloop_hub_callbacks_retried_total", "Attempts at callbacks that were repeated.", func(n Counts) int64 { return n.Retried })
	count("mojaloop_hub_callbacks_given_up_total", "Callbacks that were never accepted.", func(n Counts) int64 { return n.GivenUp })
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mojaloop_hub_callbacks_pending", Help: "Callbacks that wait or are on their way.",
	}, func() float64 { return float64(s.counted().Pending) }))
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	alive := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }
	s.mux.HandleFunc("GET /livez", alive)
	s.mux.HandleFunc("GET /readyz", alive) // its state is in memory: it is ready when it serves
}

func (s *Server) counted() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}
