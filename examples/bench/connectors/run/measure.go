package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	extism "github.com/extism/go-sdk"

	"github.com/railhead-hub/railhead/examples/bench/connectors/go/handler"
	connector "github.com/railhead-hub/railhead/sdk/go"
	"github.com/railhead-hub/railhead/sdk/host"
)

// row is one line of the table. Latencies are the least of several rounds, of the
// time the process had a processor, so that what else the machine does counts
// little.
type row struct {
	Guest       string  `json:"guest"`
	ModuleBytes int     `json:"module_bytes,omitempty"`
	NanosPerOp  float64 `json:"ns_per_call"`
	PlainNanos  float64 `json:"unmetered_ns_per_call,omitempty"`
	Overhead    float64 `json:"metering_percent"`
	PooledNanos float64 `json:"ns_per_call_in_pool,omitempty"`
	Allocs      float64 `json:"host_allocs_per_call"`
	CallsPerSec float64 `json:"calls_per_second,omitempty"` // of all cores
	Fuel        int64   `json:"fuel_per_call,omitempty"`
	MemoryBytes uint64  `json:"guest_memory_bytes,omitempty"`
	Resident    int64   `json:"resident_bytes_per_instance,omitempty"`
}

// lane is one thing that is timed, in turns with the others.
type lane struct {
	call  func() error
	least float64
}

// timeLanes runs the lanes in turns, so that a slow moment of the machine is every
// lane's.
func timeLanes(lanes []*lane, rounds int, each time.Duration) error {
	for round := range rounds {
		for _, l := range lanes {
			begun, before, calls := time.Now(), processorTime(), 0
			for time.Since(begun) < each {
				for range 50 {
					if err := l.call(); err != nil {
						return err
					}
				}
				calls += 50
			}
			if got := float64(processorTime()-before) / float64(calls); round == 0 || got < l.least {
				l.least = got
			}
		}
	}
	return nil
}

func processorTime() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (r *report) measureGuests(ctx context.Context, guests map[string][]byte, rounds int, each time.Duration) error {
	connector.Serve(handler.Connector)
	request, err := job("work", 1).MarshalVTStrict()
	if err != nil {
		return err
	}
	want := bytes.Clone(native(request))
	r.Request, r.Reply = len(request), len(want)

	ownLane := &lane{call: func() error { native(request); return nil }}
	lanes := []*lane{ownLane}
	finish := []func() error{func() error {
		r.Rows = append(r.Rows, row{Guest: "native go", NanosPerOp: ownLane.least, CallsPerSec: 1e9 / ownLane.least,
			Allocs: allocs(func() { native(request) })})
		return nil
	}}
	for _, language := range append(slices.Clone(languages), bare...) {
		if guests[language] == nil {
			continue
		}
		g, err := openGuest(ctx, language, guests[language], request, want)
		if err != nil {
			return err
		}
		defer g.close(ctx)
		lanes = append(lanes, g.metered, g.plain, g.pooled)
		finish = append(finish, func() error { return g.finish(ctx, r, request) })
	}
	if module := guests[extismGuest]; module != nil {
		l, err := openExtism(ctx, module, request, want)
		if err != nil {
			return err
		}
		lanes = append(lanes, l)
		finish = append(finish, func() error {
			r.Rows = append(r.Rows, row{Guest: extismGuest, ModuleBytes: len(module), NanosPerOp: l.least,
				CallsPerSec: 1e9 / l.least, Allocs: allocs(func() { _ = l.call() })})
			return nil
		})
	}
	if err := timeLanes(lanes, rounds, each); err != nil {
		return err
	}
	for _, f := range finish {
		if err := f(); err != nil {
			return err
		}
	}
	r.guestBars()
	return nil
}

func (r *report) guestBars() {
	latency := map[string]float64{"go": 2_000, "go, bare": 2_000, "rust, bare": 1_000, "c, bare": 1_000, "rust": 1_000, "c": 1_000, "typescript": 20_000}
	for _, row := range r.Rows {
		most, known := latency[row.Guest]
		if !known {
			continue
		}
		r.most(row.Guest+": a call", most, row.NanosPerOp, "ns")
		if row.Guest != "typescript" {
			r.most(row.Guest+": host allocations of a call", 0, row.Allocs, "")
		}
		r.most(row.Guest+": what the meter adds", 30, row.Overhead, "%")
	}
}

// guest is one language's module, opened with and without a meter.
type guest struct {
	name                   string
	size                   int
	module, bare           *host.Module
	instance               *host.Instance
	metered, plain, pooled *lane
}

func openGuest(ctx context.Context, name string, module, request, want []byte) (*guest, error) {
	g := &guest{name: name, size: len(module)}
	var err error
	if g.module, err = host.Open(ctx, module, host.Options{Log: quiet()}); err != nil {
		return nil, err
	}
	if g.bare, err = host.Open(ctx, module, host.Options{Log: quiet(), Unmetered: true}); err != nil {
		return nil, err
	}
	if g.instance, err = g.module.NewInstance(ctx); err != nil {
		return nil, err
	}
	bare, err := g.bare.NewInstance(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.interpreted(ctx, module, request, want); err != nil {
		return nil, err
	}
	reply := make([]byte, 0, 2*len(want))
	steps := map[**lane]func([]byte, []byte) ([]byte, error){
		&g.metered: func(dst, in []byte) ([]byte, error) { return g.instance.StepBytes(ctx, dst, in) },
		&g.plain:   func(dst, in []byte) ([]byte, error) { return bare.StepBytes(ctx, dst, in) },
		&g.pooled:  func(dst, in []byte) ([]byte, error) { return g.module.StepBytes(ctx, "greenbank", dst, in) },
	}
	for l, step := range steps {
		got, err := step(nil, request)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(got, want) {
			return nil, fmt.Errorf("%s replies %q, native Go %q", name, got, want)
		}
		*l = &lane{call: func() (err error) {
			reply, err = step(reply[:0], request)
			return err
		}}
	}
	return g, nil
}

// interpreted holds the interpreter's reply and fuel against the compiler's, both
// of fresh instances.
func (g *guest) interpreted(ctx context.Context, module, request, want []byte) error {
	slow, err := host.Open(ctx, module, host.Options{Log: quiet(), Interpreter: true})
	if err != nil {
		return err
	}
	defer slow.Close(ctx)
	fuel := map[*host.Module]int64{}
	for _, m := range []*host.Module{slow, g.module} {
		i, err := m.NewInstance(ctx)
		if err != nil {
			return err
		}
		got, err := i.StepBytes(ctx, nil, request)
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%s replies %q (%v), native Go %q", g.name, got, err, want)
		}
		fuel[m] = i.FuelUsed()
		_ = i.Close(ctx) // it has done its work
	}
	if fuel[slow] != fuel[g.module] {
		return fmt.Errorf("%s takes %d units of fuel interpreted and %d compiled", g.name, fuel[slow], fuel[g.module])
	}
	return nil
}

func (g *guest) close(ctx context.Context) {
	_ = g.module.Close(ctx) // the process ends soon
	_ = g.bare.Close(ctx)
}

func (g *guest) finish(ctx context.Context, r *report, request []byte) error {
	out := row{
		Guest: g.name, ModuleBytes: g.size, NanosPerOp: g.metered.least, PlainNanos: g.plain.least,
		Overhead: 100 * (g.metered.least/g.plain.least - 1), PooledNanos: g.pooled.least,
		Allocs: allocs(func() { _ = g.metered.call() }),
		Fuel:   g.instance.FuelUsed(), MemoryBytes: uint64(g.instance.MemoryBytes()),
	}
	var err error
	if out.CallsPerSec, err = throughput(ctx, g.module, request); err != nil {
		return err
	}
	if out.Resident, err = resident(ctx, g.module, request); err != nil {
		return err
	}
	r.Rows = append(r.Rows, out)
	return nil
}

// throughput is the calls per second of all cores, through the pool of a tenant.
func throughput(ctx context.Context, m *host.Module, request []byte) (float64, error) {
	const duration = 500 * time.Millisecond
	var wait sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	counts, failed := make([]int, cores), make([]error, cores)
	begun := time.Now()
	for c := range cores {
		wait.Go(func() {
			var reply []byte
			for time.Since(begun) < duration && failed[c] == nil {
				for range 100 {
					if reply, failed[c] = m.StepBytes(ctx, "bluebank", reply[:0], request); failed[c] != nil {
						return
					}
				}
				counts[c] += 100
			}
		})
	}
	wait.Wait()
	took, sum := time.Since(begun), 0
	for c := range cores {
		if failed[c] != nil {
			return 0, failed[c]
		}
		sum += counts[c]
	}
	return float64(sum) / took.Seconds(), nil
}

// resident is what an instance costs the process that has served many steps.
func resident(ctx context.Context, m *host.Module, request []byte) (int64, error) {
	const instances = 20
	before, err := residentBytes()
	if err != nil {
		return 0, err
	}
	for range instances {
		i, err := m.NewInstance(ctx)
		if err != nil {
			return 0, err
		}
		defer i.Close(ctx)
		for range 2_000 {
			if _, err := i.StepBytes(ctx, nil, request); err != nil {
				return 0, err
			}
		}
	}
	after, err := residentBytes()
	return (after - before) / instances, err
}

// allocs is the average of Go's allocations in a call.
func allocs(call func()) float64 {
	const calls = 1_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / calls)
}

func openExtism(ctx context.Context, module, request, want []byte) (*lane, error) {
	plugin, err := extism.NewPlugin(ctx, extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module}}},
		extism.PluginConfig{EnableWasi: true}, []extism.HostFunction{
			// railhead.log, which the guest imports and this job does not call.
			extismLog(),
		})
	if err != nil {
		return nil, fmt.Errorf("extism: %w", err)
	}
	l := &lane{call: func() error {
		_, _, err := plugin.Call("step", request)
		return err
	}}
	_, got, err := plugin.Call("step", request)
	if err != nil {
		return nil, fmt.Errorf("extism: %w", err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("extism replies %q, native Go %q", got, want)
	}
	return l, nil
}

func extismLog() extism.HostFunction {
	f := extism.NewHostFunctionWithStack("log", func(context.Context, *extism.CurrentPlugin, []uint64) {},
		[]extism.ValueType{extism.ValueTypeI32, extism.ValueTypeI32, extism.ValueTypeI32}, nil)
	f.SetNamespace("railhead")
	return f
}
