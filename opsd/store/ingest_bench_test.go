package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

// BenchmarkIngest stores what a cluster exports of payments of forty events and
// about 400 bytes an event, many under way at once, in durable batches of 2,000.
// It reports events and payments per second: how fast opsd drains a backlog.
func BenchmarkIngest(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		ingest(b, store.Config{Driver: "sqlite", Path: filepath.Join(b.TempDir(), "opsd.db")})
	})
	b.Run("postgres", func(b *testing.B) { ingest(b, postgresConfig(b)) })
}

func ingest(b *testing.B, cfg store.Config) {
	const (
		eventsPerPayment = 40
		inFlight         = 200
		batchSize        = 2000
	)
	s := open(b, cfg)
	f, st := newFeed(b, s), newStory()
	padding := make([]byte, 250)
	for i := range padding {
		padding[i] = byte('a' + i%26)
	}
	// Rounds of inFlight payments that take their steps in turn.
	events := make([]*enginev1.Event, 0, b.N+batchSize)
	for first := uint64(1); len(events) < b.N; first += inFlight {
		for step := range eventsPerPayment {
			for p := first; p < first+inFlight; p++ {
				switch {
				case step == 0:
					events = append(events, st.started(p))
				case step == eventsPerPayment-1:
					events = append(events, st.ended(p, enginev1.Result_RESULT_COMPLETED))
				case step%10 == 4:
					events = append(events, st.event(p, enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED, func(e *enginev1.Event) {
						e.Key, e.Uuid, e.Endpoint, e.Request = "hold", fmt.Sprintf("%s-%d", uuidOf(p), step), "ledger", padding
					}))
				default:
					events = append(events, st.event(p, enginev1.EventKind_EVENT_KIND_JOB_CREATED, func(e *enginev1.Event) { e.Element, e.Text = "block-funds", string(padding) }))
				}
			}
		}
	}
	events = events[:b.N]
	all := records(b, 0, events...)
	size := 0
	for i := range all {
		size += len(all[i].Value)
	}
	b.SetBytes(int64(size / len(all)))
	b.ReportAllocs()
	for b.ResetTimer(); len(all) > 0; {
		n := min(batchSize, len(all))
		f.records(all[:n])
		all = all[n:]
	}
	b.StopTimer()
	perSecond := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(perSecond, "events/s")
	b.ReportMetric(perSecond/eventsPerPayment, "payments/s")
	b.ReportMetric(0, "ns/op")
}
