package replica

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
)

// BenchmarkSettle is what a checkpoint costs the apply loop for each payment that
// has ended since the one before: two rows that only the disk keeps.
func BenchmarkSettle(b *testing.B) {
	s := openRestless(b, func() int { return 0 })
	s.bytes = 16 << 20
	s.use(func(x *tx) {
		for n := range uint64(b.N) {
			x.Put(engine.Key{Table: engine.TableStartID, A: n + 1}, rowFor(engine.TableStartID, n+1))
			x.Put(engine.Key{Table: engine.TableReceipt, A: n + 1}, rowFor(engine.TableReceipt, n+1))
		}
	})
	s.freeze()
	w := &settlement{store: s.store, generations: s.store.frozen}
	b.ReportAllocs()
	b.ResetTimer()
	for !w.some() {
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*settleStep/2, "ns/step")
}

// BenchmarkFreeze is how long the apply loop stands still when a generation ends:
// it hands over what the state hash has not seen yet.
func BenchmarkFreeze(b *testing.B) {
	s := openRestless(b, func() int { return 0 })
	var n uint64
	for range b.N {
		b.StopTimer()
		s.use(func(x *tx) {
			for range touchedMax {
				n++
				x.Put(engine.Key{Table: engine.TableReceipt, A: n}, rowFor(engine.TableReceipt, n))
			}
		})
		b.StartTimer()
		s.freeze()
		b.StopTimer()
		s.write()
		b.StartTimer()
	}
}
