package core

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// BenchmarkForward is messages that a follower takes for 256 callers and that the
// leader of three nodes commits; cpu-ns/op is the processor time of all three.
func BenchmarkForward(b *testing.B) {
	s := newSite(b, 3, nil)
	s.furnish(0)
	s.ready()
	follower := s.nodes[(s.leader()+1)%3]
	var last atomic.Int64
	var callers sync.WaitGroup
	before := processorNanos()
	b.ResetTimer()
	for range 256 {
		callers.Go(func() {
			for n := last.Add(1); n <= int64(b.N); n = last.Add(1) {
				_, err := follower.commands.Propose(b.Context(), &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
					Tenant: "greenbank", Name: "nobody-waits", Key: fmt.Sprint(n), MessageId: fmt.Sprint(n),
				}}})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(processorNanos()-before)/float64(b.N), "cpu-ns/op")
}

func processorNanos() int64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return used.Utime.Nano() + used.Stime.Nano()
}
