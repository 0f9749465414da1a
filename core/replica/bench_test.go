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
	"github.com/railhead-hub/railhead/engine/enginetest"
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

// BenchmarkFireTimers fires timers that are all due at once, a bounded number per
// command, of payments that a checkpoint holds. Each payment goes on to its end.
func BenchmarkFireTimers(b *testing.B) {
	for _, atOnce := range []uint32{100, 500} {
		b.Run(fmt.Sprintf("atOnce=%d", atOnce), func(b *testing.B) {
			cfg := testConfig(b, b.TempDir())
			cfg.Machine, cfg.Cluster, cfg.ResidentRows, cfg.ResidentBytes = engine.New(), 1, 1, 1
			r := open(b, cfg)
			leads(b, r)
			prepareFlow(b, r)
			xml, err := enginetest.Model("pause", "start s\ncatch wait timer=PT60S\nend paid result=completed\ns -> wait -> paid")
			if err != nil {
				b.Fatal(err)
			}
			propose(b, r, &enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", Xml: []byte(xml)}}})
			index, now := status(b, r).Index, time.Now().UnixMilli()
			apply := func(commands ...*enginev1.Command) *applied {
				index++
				data, err := (&enginev1.Entry{TimeMs: now, Commands: commands}).MarshalVTStrict()
				if err != nil {
					b.Fatal(err)
				}
				return r.applier.ApplyBatch([]*raft.Log{{Index: index, Term: 1, Type: raft.LogCommand, Data: data}})[0].(*applied)
			}
			for i := range b.N {
				cmd := start(strconv.Itoa(i))
				cmd.GetStartPayment().Flow = "pause"
				apply(cmd)
			}
			if err := r.Checkpoint(); err != nil {
				b.Fatal(err)
			}
			now += 61_000
			b.ReportAllocs()
			b.ResetTimer()
			for fired := uint64(0); fired < uint64(b.N); {
				reply := apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{
					FireTimers: &enginev1.FireTimers{Limit: atOnce},
				}}).replies[0]
				if reply.Value == 0 {
					b.Fatal(fired, " timers fired, then none: ", reply)
				}
				fired += reply.Value
			}
		})
	}
}
