package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// residentBytes is how much memory this process has.
func residentBytes() (int64, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var all, resident int64
	_, err = fmt.Sscan(string(text), &all, &resident)
	return resident * int64(os.Getpagesize()), err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// runaway is how long a guest runs that never ends, with the fuel that a manifest
// gets which asks for none: the least of several times, of the processor's time.
func (r *report) runaway(ctx context.Context, guests map[string][]byte, _ string) error {
	for _, language := range languages {
		if guests[language] == nil {
			continue
		}
		m, err := host.Open(ctx, guests[language], host.Options{Log: quiet()})
		if err != nil {
			return err
		}
		least := time.Hour
		for range 10 {
			begun := processorTime()
			_, err := m.Step(ctx, "greenbank", job("spin", 1))
			if host.CodeOf(err) != host.Timeout {
				return fmt.Errorf("%s: a guest that never ends gave %w", language, err)
			}
			least = min(least, time.Duration(processorTime()-begun))
		}
		r.most(language+": a runaway guest ends", 10, milliseconds(least), "ms")
		if err := m.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pauses is the longest stop of Go's collector while every core runs a guest that
// never ends, over and over, with the fuel that a manifest gets which asks for none.
// Compiled guests cannot be interrupted, so that a stop waits for the steps that
// are running: for what their fuel lasts, if they have a processor all the time.
// Where other processes take it from them a stop lasts longer, in any program, so
// that the least of several rounds counts; each round has so many collections that
// none misses what a guest does to them. The longest of all is told beside it.
func (r *report) pauses(ctx context.Context, guests map[string][]byte, _ string) error {
	const rounds, collections = 10, 10
	m, err := host.Open(ctx, guests["go"], host.Options{Log: quiet()})
	if err != nil {
		return err
	}
	defer m.Close(ctx)
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// That it runs out of fuel is the point.
				_, _ = m.Step(ctx, "greenbank", job("spin", 1))
			}
		})
	}
	least, most, before := math.Inf(1), 0.0, pauseCounts().Counts
	for range rounds {
		for range collections {
			runtime.GC()
		}
		h, longest := pauseCounts(), 0.0
		for i, n := range h.Counts {
			if n > before[i] {
				longest = h.Buckets[i+1]
			}
		}
		least, most, before = min(least, longest), max(most, longest), h.Counts
	}
	close(stop)
	wait.Wait()
	r.most(fmt.Sprintf("the longest pause of the collector beside busy guests (at worst %.0f ms)", most*1000), 50, least*1000, "ms")
	return nil
}

// pauseCounts is how often the collector has stopped the world for how long.
func pauseCounts() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: slices.Clone(h.Counts), Buckets: h.Buckets}
}

// inFlight is the memory of guests when ten thousand payments have asked their
// bank through one Go connector and wait for its answer; then all are answered.
func (r *report) inFlight(ctx context.Context, guests map[string][]byte, _ string) error {
	const payments = 10_000
	m, err := host.Open(ctx, guests["go"], host.Options{Log: quiet()})
	if err != nil {
		return err
	}
	defer m.Close(ctx)
	waiting := make([]*sdkv1.StepRequest, payments)
	each := func(do func(n int) error) error {
		var wait sync.WaitGroup
		failed := make([]error, runtime.GOMAXPROCS(0))
		for c := range failed {
			wait.Go(func() {
				for n := c; n < payments && failed[c] == nil; n += len(failed) {
					failed[c] = do(n)
				}
			})
		}
		wait.Wait()
		for _, err := range failed {
			if err != nil {
				return err
			}
		}
		return nil
	}
	err = each(func(n int) error {
		request := job("hold", n)
		reply, err := m.Step(ctx, "greenbank", request)
		if err != nil {
			return err
		}
		if len(reply.Effects) != 1 {
			return fmt.Errorf("payment %d asks nothing: %v", n, reply)
		}
		request.History = []*sdkv1.Entry{{
			Ordinal: 1, Digest: abi.EffectDigest(reply.Effects[0]), TimeMs: request.Trigger.TimeMs + 100,
			Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 201}}},
		}}
		waiting[n] = request
		return nil
	})
	if err != nil {
		return err
	}
	held := m.Stats()
	err = each(func(n int) error {
		reply, err := m.Step(ctx, "greenbank", waiting[n])
		if err == nil && reply.GetOutcome().GetComplete() == nil {
			err = fmt.Errorf("payment %d does not end: %v", n, reply)
		}
		return err
	})
	if err != nil {
		return err
	}
	most := max(held.MemoryBytes, m.Stats().MemoryBytes)
	r.most(fmt.Sprintf("guest memory, %d payments in flight in %d instances of one Go connector", payments, held.Instances),
		200, float64(most)/1e6, "MB")
	return nil
}

// admission is how long a module of six megabytes takes until its first instance
// has begun: at first, and from the cache. It is the processor's time, the least of
// several, which on an idle machine is a little more than what passes.
func (r *report) admission(dir string) func(context.Context, map[string][]byte, string) error {
	return func(ctx context.Context, _ map[string][]byte, work string) error {
		module, err := build.Module(ctx, filepath.Join(dir, "large"))
		if err != nil {
			return err
		}
		took := map[bool]time.Duration{}
		for n, cached := range []bool{false, true, true, false, true, true, false, true, true} {
			options := host.Options{Log: quiet(), CacheDir: filepath.Join(work, fmt.Sprintf("cache-%d", n/3))}
			begun := processorTime()
			m, err := host.Open(ctx, module, options)
			if err != nil {
				return err
			}
			if t := time.Duration(processorTime() - begun); took[cached] == 0 || t < took[cached] {
				took[cached] = t
			}
			if err := m.Close(ctx); err != nil {
				return err
			}
		}
		what := fmt.Sprintf("admission of a Go module of %.1f MB", float64(len(module))/1e6)
		r.most(what, 2_000, milliseconds(took[false]), "ms")
		r.most(what+", compiled before", 100, milliseconds(took[true]), "ms")
		return nil
	}
}

// print writes the report for eyes.
func (r *report) print(to *os.File) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d bytes in, work, %d bytes out; %s, %d cores; times per call are the processor's, the least of all rounds\n\n",
		r.Request, r.Reply, r.Go, r.Cores)
	fmt.Fprintf(&b, "%-12s %9s %10s %7s %9s %9s %9s %12s %8s %10s %10s\n", "guest", "ns/call", "unmetered", "meter",
		"in pool", "allocs", "fuel", "calls/s", "module", "memory", "resident")
	for _, w := range r.Rows {
		fmt.Fprintf(&b, "%-12s %9.0f %10s %7s %9s %9.0f %9s %12.0f %8s %10s %10s\n", w.Guest, w.NanosPerOp,
			some(w.PlainNanos, "%.0f", 1), some(w.Overhead, "%+.0f %%", 1), some(w.PooledNanos, "%.0f", 1), w.Allocs,
			some(float64(w.Fuel), "%.0f", 1), w.CallsPerSec, some(float64(w.ModuleBytes), "%.0f KB", 1e3),
			some(float64(w.MemoryBytes), "%.1f MB", 1e6), some(float64(w.Resident), "%.0f KB", 1e3))
	}
	b.WriteString("\n")
	for _, x := range r.Bars {
		verdict := "met"
		if !x.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(&b, "%-76s %10.4g %-3s %-18s %s\n", x.What, x.Got, x.Unit, x.Want, verdict)
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(&b, "\nleft out: %s\n", l)
	}
	_, err := to.WriteString(b.String())
	return err
}

// some formats what is not zero.
func some(n float64, format string, unit float64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf(format, n/unit)
}
