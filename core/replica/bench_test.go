package replica

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// BenchmarkApply applies entries of 256 Counts without Raft: what the apply loop
// costs at most once everything else is free.
func BenchmarkApply(b *testing.B) {
	for name, machine := range map[string]Machine{"count": engine.New(), "tally": tally{}} {
		b.Run(name, func(b *testing.B) {
			r := open(b, testConfig(b, b.TempDir()))
			leads(b, r)
			a := r.applier
			a.machine = machine
			command, err := count().MarshalVTStrict()
			if err != nil {
				b.Fatal(err)
			}
			batch := make([]proposal, 256)
			for i := range batch {
				batch[i].bytes = command
			}
			data := pack(time.Now().UnixMilli(), batch)
			index := status(b, r).Index
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				index++
				a.ApplyBatch([]*raft.Log{{Index: index, Term: 1, Type: raft.LogCommand, Data: data}})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/cmd")
		})
	}
}

// BenchmarkPropose measures commands per second through Raft with fsync on, by
// callers in this process that wait for each reply.
func BenchmarkPropose(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, callers := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("nodes=%d/callers=%d", nodes, callers), func(b *testing.B) {
				leader := benchCluster(b, nodes, func(cfg *Config) { cfg.Machine, cfg.Cluster = engine.New(), 1 })
				padding := make([]byte, 200)
				b.ResetTimer()
				outstanding(b, callers, b.N, func(done func()) error {
					return leader.Enqueue(count(padding...), func(_ *enginev1.Event, err error) {
						if err == nil {
							done()
						}
					})
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cmd/s")
			})
		}
	}
}

// BenchmarkOneTask measures payments of one task per second, the job answered by
// the hint, from start to end.
func BenchmarkOneTask(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, callers := range []int{64, 1024} {
			b.Run(fmt.Sprintf("nodes=%d/callers=%d", nodes, callers), func(b *testing.B) {
				clerks := map[string]*clerk{}
				var ended sync.Map
				leader := benchCluster(b, nodes, func(cfg *Config) {
					clerk := new(clerk)
					clerks[cfg.ID] = clerk
					e := engineConfig(b, cfg.Dir, clerk)
					cfg.Machine, cfg.Cluster = e.Machine, e.Cluster
					jobs := e.OnHints
					cfg.OnHints = func(hints []engine.Hint) {
						jobs(hints)
						for _, h := range hints {
							if h.Kind == engine.HintEnded {
								// The reply and the end may come in either order; the second one counts.
								if done, second := ended.LoadOrStore(h.Payment, nil); second {
									ended.Delete(h.Payment)
									done.(func())()
								}
							}
						}
					}
				})
				prepareFlow(b, leader)
				clerks[leader.cfg.ID].work(leader)
				defer clerks[leader.cfg.ID].end()
				var n atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				outstanding(b, callers, b.N, func(done func()) error {
					return leader.Enqueue(start(strconv.FormatInt(n.Add(1), 10)), func(reply *enginev1.Event, err error) {
						if err != nil {
							return
						}
						if _, second := ended.LoadOrStore(reply.Payment, done); second {
							ended.Delete(reply.Payment)
							done()
						}
					})
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
			})
		}
	}
}

func benchCluster(b *testing.B, nodes int, adjust func(*Config)) *Replica {
	tune := func(cfg *Config) {
		cfg.CheckpointEvery, cfg.MapBytes, cfg.ElectionTimeout = 2*time.Second, 8<<30, 2*time.Second
		adjust(cfg)
	}
	if nodes == 1 {
		cfg := testConfig(b, b.TempDir())
		tune(&cfg)
		r := open(b, cfg)
		leads(b, r)
		return r
	}
	return openTrio(b, tune).leader()
}

// outstanding issues n operations, keeping so many of them unfinished. An
// operation that is lost is never done, and the benchmark says so.
func outstanding(b *testing.B, callers, n int, issue func(done func()) error) {
	b.Helper()
	slots := make(chan struct{}, callers)
	lost := time.NewTimer(time.Minute)
	take := func() {
		select {
		case slots <- struct{}{}:
		case <-lost.C:
			b.Fatal("operations were lost on the way: the leader changed")
		}
	}
	for range n {
		take()
		for {
			err := issue(func() { <-slots })
			if err == nil {
				break
			}
			if !errors.Is(err, ErrOverloaded) {
				b.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	for range callers {
		take()
	}
}
