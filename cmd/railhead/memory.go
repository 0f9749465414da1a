package main

import (
	"bytes"
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

// garbageBytes may gather in a node before the collector runs, or 5/4 of what is
// live, whichever is more. A node allocates for every payment and keeps little:
// by Go's rule, which is as much as is live, it would collect several times a
// second and spend a fifth of its work on that.
const garbageBytes = 256 << 20

// paceGC applies that rule until ctx ends, and bounds the heap by what the
// process may have where that is limited. GOGC and GOMEMLIMIT, where set, are
// obeyed instead.
func paceGC(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit := memoryMax(); limit > 0 {
			debug.SetMemoryLimit(limit / 10 * 9)
		}
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for set := 0; ; {
		metrics.Read(sample)
		// Setting stops the world for a moment, so only what makes a difference is set.
		if percent := gcPercent(sample[0].Value.Uint64()); percent < set*9/10 || percent > set*11/10 {
			debug.SetGCPercent(percent)
			set = percent
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent is GOGC for so many live bytes.
func gcPercent(live uint64) int {
	const least, most = 125, 1600
	return int(min(max(garbageBytes*100/max(live, 1), least), most))
}

// memoryMax is the limit of the process's control group (Linux), or 0.
func memoryMax() int64 {
	raw, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(string(bytes.TrimSpace(raw)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return limit
}
