package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Options say how modules run. The zero value is fit for production.
type Options struct {
	// CacheDir keeps metered and compiled code between runs of the node. It holds
	// native code, so whoever can write there owns the process: it is made with mode
	// 0700, and refused if others may write to it. Empty means no cache.
	CacheDir string
	// Interpreter runs without compiling: some sixty times slower, on any
	// processor.
	Interpreter bool
	// Instances bounds the instances of one tenant; 0 means one per core.
	Instances int
	// IdleAfter is how long an instance may be idle before it is closed and its
	// memory given back; up to twice as long in practice. 0 means a minute,
	// negative never.
	IdleAfter time.Duration
	// Unmetered leaves the meter out, so that a guest may run for ever. It is for
	// measuring what the meter costs and for proving that it changes nothing else,
	// and never for modules of strangers.
	Unmetered bool
	// Log receives the connector's log lines; nil means slog.Default.
	Log *slog.Logger
}

// Module is an admitted and compiled connector. Its methods are safe for
// concurrent use.
type Module struct {
	Manifest *sdkv1.Manifest
	// Digest is the SHA-256 of the module's bytes, in hex.
	Digest string

	options  Options
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	admitted *admitted
	fuel     int64 // for one step
	log      *slog.Logger

	// use is held for reading while an instance runs, and for writing to close.
	use    sync.RWMutex
	closed bool

	pools sync.Map // of *pool, by tenant
	spare atomic.Pointer[Instance]

	// Of instances that are no tenant's.
	failures atomic.Uint64
	// Of all instances that are alive.
	instances, memory atomic.Int64

	// sweeper closes idle instances; it is set while sweeping is true.
	sweeper  *time.Timer
	sweeping atomic.Bool
	sweeps   atomic.Uint64
}

// Open admits and compiles a module, and makes a first instance, so that what
// cannot run is found out now. It is not fast: allow half a second for a large
// module without a cache. The error is an *Error.
func Open(ctx context.Context, module []byte, options Options) (*Module, error) {
	sum := sha256.Sum256(module)
	digest := hex.EncodeToString(sum[:])
	a, refusal := admit(module)
	if refusal != nil {
		if refusal.Module == "" {
			refusal.Module = digest[:12]
			if named, err := manifest.FromModule(module); err == nil {
				refusal.Module = named.Name
			}
		}
		return nil, refusal
	}
	if options.Instances <= 0 {
		options.Instances = runtime.GOMAXPROCS(0)
	}
	if options.IdleAfter == 0 {
		options.IdleAfter = time.Minute
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	m := &Module{
		Manifest: a.manifest,
		Digest:   digest,
		options:  options,
		admitted: a,
		fuel:     stepFuel(a.manifest),
		log:      options.Log.With("connector", a.manifest.Name, "digest", digest[:12]),
	}
	m.sweeper = time.AfterFunc(math.MaxInt64, m.sweep)
	var spare *Instance
	err := m.compile(ctx, module)
	if err == nil {
		spare, err = m.NewInstance(ctx)
	}
	if err != nil {
		_ = m.Close(ctx) // why it cannot run matters more
		return nil, err
	}
	m.spare.Store(spare)
	return m, nil
}

// Fuel. How much a step may use is written in milliseconds in the manifest. A
// unit is worth one to two nanoseconds in a tight loop and three in ordinary Go
// code. Code made to be slow, such as a walk through memory that no cache holds,
// gets some hundred times further on its fuel, so this bounds a runaway guest, and
// is no promise of a time. The default of ten milliseconds is thirteen times what
// the most costly step of Railhead's connectors takes, a collection of garbage
// included, and short enough that a guest that holds up Go's collector, which
// cannot interrupt it, does so for less than anybody notices: four milliseconds. The
// most that a manifest can ask for, 250 milliseconds of fuel, lasts for a hundred
// in such a guest, and then so long may all payments of the node wait for it: whoever
// installs a connector that asks for it should know why.
const (
	fuelExport    = "railhead_fuel"
	fuelPerMillis = 500_000
	// initFuel is for a module's start function and _initialize; a Go guest uses
	// 45,000 units.
	initFuel = 50 * fuelPerMillis
	// What a host function costs the guest, and each byte that it handles.
	fuelPerCall       = 20
	fuelPerBytesShift = 4

	depthExport = "railhead_depth"
	// depthMax bounds a guest's calls within calls to eight megabytes of stack, in
	// words. The stack is in Go's heap and grows by doubling, so that a guest in
	// the deepest of recursions costs up to three times that while it runs.
	depthMax = 1 << 20
)

func stepFuel(m *sdkv1.Manifest) int64 {
	ms := m.GetLimits().GetStepMsMax()
	if ms == 0 {
		ms = abi.StepDefaultMillis
	}
	return int64(ms) * fuelPerMillis
}

func (m *Module) compile(ctx context.Context, module []byte) error {
	if m.options.CacheDir != "" {
		if err := privateDir(m.options.CacheDir); err != nil {
			return m.failure(Malformed, "", err)
		}
	}
	metered, err := m.metered(module)
	if err != nil {
		return m.failure(codeOf(err), "", err)
	}
	if m.options.Unmetered {
		metered = module
	}
	config := wazero.NewRuntimeConfigCompiler()
	if m.options.Interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	config = config.
		WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(m.admitted.memoryPages).
		WithDebugInfoEnabled(false)
	if m.options.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(m.options.CacheDir)
		if err != nil {
			return m.failure(Malformed, "opening the compilation cache", err)
		}
		m.cache = cache
		config = config.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := instantiateHost(ctx, m.runtime); err != nil {
		return m.failure(Malformed, "", err)
	}
	compiled, err := m.runtime.CompileModule(ctx, metered)
	if err != nil {
		return m.failure(Malformed, err.Error(), err)
	}
	m.compiled = compiled
	return nil
}

// privateDir makes the directory, or refuses one that others may write to.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s may be written to by others: its mode must be 0700", dir)
	}
	return nil
}

func (m *Module) failure(code Code, text string, err error) *Error {
	if text == "" && err != nil {
		text = err.Error()
	}
	return &Error{Code: code, Module: m.Manifest.Name, Text: text, Err: err}
}

// Step runs one step for a tenant and returns the checked reply. It waits while
// all of the tenant's instances are busy. The error is an *Error, of one of the
// step's codes; StepReply.error comes back as code Guest, a mismatch in the
// reply.
//
// An instance that failed is thrown away. If it had run other steps before, the
// failure may be theirs, so the step is run once more in a fresh instance, and
// what comes of that counts.
func (m *Module) Step(ctx context.Context, tenant string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.closed {
		return nil, m.failure(Closed, "", nil)
	}
	size, err := m.checkRequest(request)
	if err != nil {
		return nil, err
	}
	w := work{request: request, size: size}
	err = m.serve(ctx, tenant, &w)
	return w.reply, err
}

// StepBytes is Step for those who hold an encoded request and want the encoded
// reply, which is appended to dst. It allocates nothing if dst has room. The
// reply is a copy of what the guest returned, with no more than its size checked:
// see CheckReply.
func (m *Module) StepBytes(ctx context.Context, tenant string, dst, request []byte) ([]byte, error) {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.closed {
		return dst, m.failure(Closed, "", nil)
	}
	if err := m.checkSize(len(request)); err != nil {
		return dst, err
	}
	w := work{in: request, out: dst}
	err := m.serve(ctx, tenant, &w)
	return w.out, err
}

// Close waits for the steps that are running and frees the module's instances
// and code. Later steps fail with Closed.
func (m *Module) Close(ctx context.Context) error {
	m.use.Lock()
	defer m.use.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	m.sweeper.Stop()
	var err error
	if m.runtime != nil {
		err = m.runtime.Close(ctx)
	}
	if m.cache != nil {
		if errCache := m.cache.Close(ctx); err == nil {
			err = errCache
		}
	}
	if err != nil {
		return m.failure(Closed, "closing", err)
	}
	return nil
}
