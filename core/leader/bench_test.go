package leader

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// BenchmarkJob is a job's way from its hint to the end of its payment, with a
// connector compiled into the test and a log in memory. cpu-ns/op counts the
// process's time on a processor, which on a busy machine is what to compare; of
// it the engine has some six microseconds.
func BenchmarkJob(b *testing.B) {
	c := newCluster(b, "http://127.0.0.1:1", "ask", func(*guest) *sdkv1.Outcome { return complete("booked", "true") })
	c.elect()
	var ended atomic.Int64
	c.log.after = func(cmd *enginev1.Command) {
		if cmd.GetFinishJob() != nil {
			ended.Add(1)
		}
	}
	const batch = 500
	b.ReportAllocs()
	before, begun := cpuNanos(), int64(0)
	for n := 0; n < b.N; n += batch {
		for i := range batch {
			c.start(strconv.Itoa(n + i))
		}
		begun += batch
		until(b, "the jobs' ends", func() bool { return ended.Load() == begun })
	}
	b.ReportMetric(float64(cpuNanos()-before)/float64(begun), "cpu-ns/op")
}

func cpuNanos() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkSeed is what a guest's randomness begins with, for one attempt.
func BenchmarkSeed(b *testing.B) {
	mac := hmac.New(sha256.New, make([]byte, 32))
	var room [32]byte
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		appendSeed(room[:0], mac, jobID{n, 1}, 1)
	}
}

// BenchmarkCount is what a job costs the metrics: looked up for each job, and once
// for all.
func BenchmarkCount(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	b.Run("each", func(b *testing.B) {
		for b.Loop() {
			m.steps.WithLabelValues("bank").Observe(0.001)
			m.ended.WithLabelValues("bank", "complete").Inc()
		}
	})
	b.Run("once", func(b *testing.B) {
		c := m.connector("bank")
		for b.Loop() {
			c.stepped(time.Millisecond)
			c.finished(outcomeComplete)
		}
	})
}
