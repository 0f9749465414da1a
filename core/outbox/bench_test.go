package outbox

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BenchmarkAppend writes records to the segments, flushed as the apply loop does.
func BenchmarkAppend(b *testing.B) {
	l := openLog(b, b.TempDir(), Position{}, 0)
	ev := event(1, 0)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		l.Append(uint64(i)+1, 0, ev)
		if i%256 == 0 {
			if err := l.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkExport brings records to a Kafka in this process, which syncs them.
func BenchmarkExport(b *testing.B) {
	k, c := kafka(b, kfake.DataDir(b.TempDir()), kfake.SyncWrites()), new(cluster)
	l := openLog(b, b.TempDir(), Position{}, 0)
	fill(l, 1, uint64(b.N+1)/2)
	if err := l.Flush(); err != nil {
		b.Fatal(err)
	}
	e, err := NewExporter(exportConfig(k, l, c))
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	go e.Run(ctx)
	cursorAt(b, c, Cursor{uint64(b.N+1) / 2, 1})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
