package consume_test

import (
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkDrain takes a backlog from a broker in the same process into a durable
// SQLite file: everything opsd does between Kafka and the database.
func BenchmarkDrain(b *testing.B) {
	const steps = 40
	cluster, client := broker(b)
	payments := max(b.N/steps, 1)
	lives := life(payments, steps)
	var records []*kgo.Record
	for _, e := range lives {
		e.Text = "a text as long as what a step of a payment says on the average, give or take a few words"
		records = append(records, record(b, events, e))
	}
	produce(b, client, records...)
	s := openStore(b, filepath.Join(b.TempDir(), "opsd.db"))
	consumer := newConsumerOf(cluster.ListenAddrs(), s, 2000)
	b.ResetTimer()
	stop := run(b, consumer)
	until(b, "everything stored", func() bool {
		status, err := s.Status(b.Context())
		return err == nil && status.Events == int64(len(lives))
	})
	b.StopTimer()
	if err := stop(); err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(len(lives))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}
