package wasm_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

var engines = map[string]func() wazero.RuntimeConfig{
	"compiler":    func() wazero.RuntimeConfig { return wazero.NewRuntimeConfigCompiler() },
	"interpreter": func() wazero.RuntimeConfig { return wazero.NewRuntimeConfigInterpreter() },
}

// outcome is what can be seen of a call: what it returned or that it trapped, and
// the memory it left.
type outcome struct {
	result  uint64
	trapped bool
	memory  []byte
}

// perform instantiates a module and calls run with each parameter in turn; a
// metered module until it has no fuel or depth, and then it says how much fuel it
// has left. It returns the error if the module does not compile or does not start.
func perform(config wazero.RuntimeConfig, module []byte, params []uint64, fuel int64) (out []outcome, left int64, err error) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(options.MemoryMaxPages))
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		return nil, 0, err
	}
	run := m.ExportedFunction("run")
	if run == nil || len(run.Definition().ParamTypes()) != 1 || len(run.Definition().ResultTypes()) != 1 {
		return nil, 0, nil
	}
	fuelLeft, metered := m.ExportedGlobal(options.Fuel).(api.MutableGlobal)
	depthLeft, _ := m.ExportedGlobal(options.Depth).(api.MutableGlobal)
	if metered {
		fuelLeft.Set(uint64(fuel))
	}
	outline, err := wasm.Parse(module)
	if err != nil {
		return nil, 0, err
	}
	hasMemory := len(outline.Memories) > 0
	for _, p := range params {
		if metered {
			depthLeft.Set(uint64(options.DepthMax)) // it is not given back by what traps
		}
		got, err := run.Call(ctx, p)
		if metered {
			left = int64(fuelLeft.Get())
			if left < 0 || int32(depthLeft.Get()) < 0 {
				break // unmetered, it might run for ever
			}
		}
		o := outcome{trapped: err != nil}
		if err == nil {
			o.result = got[0]
		}
		if mem := m.Memory(); hasMemory {
			view, _ := mem.Read(0, mem.Size())
			o.memory = bytes.Clone(view)
		}
		out = append(out, o)
	}
	return out, left, nil
}

func sameOutcomes(a, b []outcome) bool {
	return slices.EqualFunc(a, b, func(a, b outcome) bool {
		return a.result == b.result && a.trapped == b.trapped && bytes.Equal(a.memory, b.memory)
	})
}

// compare runs a module plain and metered in both engines. It fails unless all
// four do the same, and both engines take the same fuel. A call that runs out of
// fuel or depth is not compared. It returns how many calls it compared.
func compare(t *testing.T, module []byte, params []uint64, fuel int64) (calls int) {
	t.Helper()
	metered, err := wasm.Meter(module, options)
	if err != nil {
		return 0
	}
	var first []outcome
	firstLeft := int64(0)
	for n, name := range []string{"compiler", "interpreter"} {
		got, left, err := perform(engines[name](), metered, params, fuel)
		plain, _, errPlain := perform(engines[name](), module, params[:len(got)], 0)
		if (err == nil) != (errPlain == nil) {
			t.Fatalf("%s: metered %v, plain %v", name, err, errPlain)
		}
		if !sameOutcomes(got, plain) {
			t.Fatalf("%s: metered and plain differ\n%x", name, module)
		}
		if n > 0 && (!sameOutcomes(got, first) || left != firstLeft) {
			t.Fatalf("the engines differ: fuel left %d and %d\n%x", firstLeft, left, module)
		}
		first, firstLeft = got, left
	}
	return len(first)
}

var vectors = []uint64{0, 1, 2, 7, 100, 65_536, 1<<31 - 1, 1 << 31, 1<<32 - 1}

// TestGenerated compares modules made at random: four functions with blocks,
// loops, branches, calls of each other, traps and memory, some with two results.
func TestGenerated(t *testing.T) {
	compared, calls := 0, 0
	for seed := range 1000 {
		random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
		script := make([]byte, 400)
		_, _ = random.Read(script)
		if n := compare(t, generate(script), vectors, 200_000); n > 0 {
			compared++
			calls += n
		}
	}
	t.Logf("%d modules, %d calls", compared, calls)
	if compared < 200 || calls < 2000 {
		t.Errorf("only %d modules and %d calls were compared", compared, calls)
	}
}

// FuzzGenerated is TestGenerated with modules that the fuzzer chooses.
func FuzzGenerated(f *testing.F) {
	f.Add([]byte("a script is any bytes"), uint32(7))
	f.Fuzz(func(t *testing.T, script []byte, param uint32) {
		if len(script) < 4096 {
			compare(t, generate(script), []uint64{uint64(param), 3}, 100_000)
		}
	})
}

// FuzzMeter: no bytes make it panic; what it makes of a module compiles if and
// only if the module does, unless it refuses it; and both do the same.
func FuzzMeter(f *testing.F) {
	f.Add(oneFunction(0x20, 0))
	f.Add(oneFunction(0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 0))
	f.Add(oneFunction(0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 11, 0, 0x20, 0))
	f.Add(oneFunction(0x20, 0, 0x04, 0x7f, 0x41, 1, 0x05, 0x41, 2, 0x0b))
	f.Add(oneFunction(0x02, 0x40, 0x20, 0, 0x0e, 1, 0, 0, 0x0b, 0x20, 0))
	f.Add(oneFunction(0x20, 0, 0x45, 0x04, 0x40, 0x41, 1, 0x0f, 0x0b, 0x20, 0, 0x41, 1, 0x6b, 0x10, 0))
	f.Add(generate([]byte("a script is any bytes, and this is a longer one")))
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, module []byte) {
		sections, err := wasm.Sections(module)
		if len(module) > 1<<16 || err != nil {
			return
		}
		// What engines make of custom sections is not of interest, and Meter leaves
		// them out.
		module = bytes.Clone(wasm.Header)
		for _, s := range sections {
			if s.ID != wasm.SectionCustom {
				module = append(module, s.Raw...)
			}
		}
		_, _ = wasm.WithCustom(module, "note", []byte("x")) // it may fail, not panic
		metered, err := wasm.Meter(module, options)
		if err != nil {
			return
		}
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().
			WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(options.MemoryMaxPages))
		defer r.Close(ctx)
		_, errPlain := r.CompileModule(ctx, module)
		_, errMetered := r.CompileModule(ctx, metered)
		if (errPlain == nil) != (errMetered == nil) {
			t.Fatalf("plain: %v\nmetered: %v", errPlain, errMetered)
		}
		if errPlain == nil {
			compare(t, module, []uint64{0, 5}, 50_000)
		}
	})
}
