package link_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/railhead-hub/railhead/core/link"
)

func TestMetrics(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	registry := prometheus.NewRegistry()
	h.stop()
	h.links = link.New(link.Config{Log: h, Connectors: h.registry, Now: h.links.Now, Logger: h.links.Logger, Metrics: link.NewMetrics(registry)})
	h.lead()
	c := s.accept()
	for c.says("?01"); ; {
		if text, err := c.read(); err != nil || strings.HasPrefix(text, "!01 second") {
			break
		}
	}
	h.payment(1, "?1")
	c.hears("?1")
	until(t, "the metrics", func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					if l.GetName() == "direction" || l.GetName() == "state" {
						name += " " + l.GetValue()
					}
				}
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		return got["railhead_link_frames_total in"] == 1 && got["railhead_link_frames_total out"] >= 4 &&
			got["railhead_link_open"] == 1 && got["railhead_link_queue waiting"] == 1 && got["railhead_link_outstanding"] == 1 &&
			got["railhead_link_connections_total"] == 1
	})
}
