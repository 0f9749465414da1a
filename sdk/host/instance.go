package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Instance is one instance of a module outside the pools, for conformance tests
// and tools. It serves one step at a time.
type Instance struct {
	module *Module
	guest  api.Module
	memory api.Memory
	buf    api.Function
	stepFn api.Function
	// What the guest has left of its fuel and its stack; nil if it is unmetered.
	fuel, depth api.MutableGlobal
	// pool is the tenant's that the instance belongs to, if any.
	pool *pool
	// putAt is Module.sweeps when the instance became idle.
	putAt uint64
	// weighed is the size of the memory that the counters have.
	weighed int64
	// ctx leads host functions back to this instance.
	ctx context.Context

	// The guest's input buffer, and the request encoded for it.
	bufPtr, bufLen uint32
	encoded        []byte
	stack          [2]uint64

	// What the stand-ins for clock and randomness give in this step. Of a step of
	// bytes it is read from them when the guest first asks.
	asked  []byte
	nowMs  int64
	seed   [abi.SeedBytes]byte
	random *rand.ChaCha8 // nil until the guest draws from it
	log    guestLog

	used bool // it has run a step
	dead bool
}

// NewInstance makes an instance that has run nothing yet. The error is an
// *Error.
func (m *Module) NewInstance(ctx context.Context) (*Instance, error) {
	// Until the first step the clock stands at zero and the randomness is the
	// module's own, so that every instance begins alike.
	i := &Instance{
		module: m,
		seed:   sha256.Sum256([]byte(m.Digest)),
		log:    guestLog{to: m.log},
	}
	i.ctx = context.WithValue(context.Background(), instanceKey{}, i)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	if m.admitted.initialize {
		config = config.WithStartFunctions(abi.ExportInitialize)
	}
	guest, err := m.instantiate(experimental.WithMemoryAllocator(i.ctx, guestMemory), config)
	i.log.end()
	if err != nil {
		return nil, m.failure(InitFailed, firstLine(err), err)
	}
	i.guest = guest
	if !m.options.Unmetered {
		i.fuel = guest.ExportedGlobal(fuelExport).(api.MutableGlobal)
		i.depth = guest.ExportedGlobal(depthExport).(api.MutableGlobal)
	}
	i.memory = guest.Memory()
	i.buf = guest.ExportedFunction(abi.ExportBuf)
	i.stepFn = guest.ExportedFunction(abi.ExportStep)
	m.instances.Add(1)
	i.weigh()
	return i, nil
}

// instantiate turns a panic of the runtime, as when the kernel gives no memory,
// into an error.
func (m *Module) instantiate(ctx context.Context, config wazero.ModuleConfig) (guest api.Module, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the runtime failed: %v", p)
		}
	}()
	return m.runtime.InstantiateModule(ctx, m.compiled, config)
}

// join makes the instance the tenant's.
func (i *Instance) join(p *pool) {
	i.pool = p
	p.instances.Add(1)
	p.memory.Add(i.weighed)
}

// weigh counts what the memory has grown.
func (i *Instance) weigh() {
	grown := int64(i.memory.Size()) - i.weighed
	if grown == 0 {
		return
	}
	i.weighed += grown
	i.module.memory.Add(grown)
	if i.pool != nil {
		i.pool.memory.Add(grown)
	}
}

// Step runs one step. After an error other than BadRequest the instance is dead,
// and after a StepReply.error it should be closed. The error is an *Error.
func (i *Instance) Step(ctx context.Context, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	i.module.use.RLock()
	defer i.module.use.RUnlock()
	if i.dead || i.module.closed {
		return nil, i.module.failure(Closed, "", nil)
	}
	size, err := i.module.checkRequest(request)
	if err != nil {
		return nil, err
	}
	reply, err := i.reply(request, size)
	if err != nil {
		i.discard(ctx)
		return nil, err
	}
	i.weigh()
	return reply, nil
}

// StepBytes is Module.StepBytes without a pool, with Step's rules for errors.
func (i *Instance) StepBytes(ctx context.Context, dst, request []byte) ([]byte, error) {
	i.module.use.RLock()
	defer i.module.use.RUnlock()
	if i.dead || i.module.closed {
		return dst, i.module.failure(Closed, "", nil)
	}
	if err := i.module.checkSize(len(request)); err != nil {
		return dst, err
	}
	dst, err := i.stepBytes(dst, request)
	if err != nil {
		i.discard(ctx)
		return dst, err
	}
	i.weigh()
	return dst, nil
}

// step is Step for the pools: StepReply.error is an error there.
func (i *Instance) step(request *sdkv1.StepRequest, size int) (*sdkv1.StepReply, error) {
	reply, err := i.reply(request, size)
	if err != nil {
		return nil, err
	}
	if reply.Error != "" {
		return nil, i.module.failure(Guest, escape([]byte(reply.Error)), nil)
	}
	return reply, nil
}

// Close frees the instance.
func (i *Instance) Close(ctx context.Context) error {
	i.module.use.RLock()
	defer i.module.use.RUnlock()
	if !i.dead && !i.module.closed {
		return i.free(ctx)
	}
	return nil
}

// discard throws a failed instance away.
func (i *Instance) discard(ctx context.Context) {
	if i.dead {
		return
	}
	failures := &i.module.failures
	if i.pool != nil {
		failures = &i.pool.failures
	}
	failures.Add(1)
	// What closing says of an instance that has failed is of no more interest.
	_ = i.free(ctx)
}

// free gives back what the instance holds.
func (i *Instance) free(ctx context.Context) error {
	i.dead = true
	i.module.instances.Add(-1)
	i.module.memory.Add(-i.weighed)
	if i.pool != nil {
		i.pool.instances.Add(-1)
		i.pool.memory.Add(-i.weighed)
	}
	return i.guest.Close(ctx)
}

// reply runs one step and reads its reply; size is that of the encoded request.
func (i *Instance) reply(request *sdkv1.StepRequest, size int) (*sdkv1.StepReply, error) {
	if cap(i.encoded) < size {
		i.encoded = make([]byte, size+size/2)
	}
	i.encoded = i.encoded[:size]
	if _, err := request.MarshalToSizedBufferVTStrict(i.encoded); err != nil {
		return nil, i.module.failure(BadRequest, "", err)
	}
	i.asked = nil
	i.ask(request)
	raw, err := i.run(i.encoded)
	if err != nil {
		return nil, err
	}
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(raw); err != nil {
		return nil, i.module.failure(BadReply, "the reply does not decode", err)
	}
	if err := CheckReply(request, reply); err != nil {
		return nil, i.module.failure(BadReply, "", err)
	}
	return reply, nil
}

// stepBytes runs one step and appends its reply to dst.
func (i *Instance) stepBytes(dst, request []byte) ([]byte, error) {
	i.asked = request
	raw, err := i.run(request)
	i.asked = nil
	return append(dst, raw...), err
}

// ask sets what clock and randomness give in a step.
func (i *Instance) ask(request *sdkv1.StepRequest) {
	i.nowMs = request.GetTrigger().GetTimeMs()
	if n := len(request.History); n > 0 {
		i.nowMs = request.History[n-1].GetTimeMs()
	}
	i.seed = [abi.SeedBytes]byte{}
	copy(i.seed[:], request.Seed)
}

// need reads the request of a step of bytes, for the clock and the randomness.
// One that does not decode is the caller's affair: the guest gets zeros.
func (i *Instance) need() {
	if i.asked == nil {
		return
	}
	request := new(sdkv1.StepRequest)
	if err := request.UnmarshalVT(i.asked); err != nil {
		request.Reset()
	}
	i.ask(request)
	i.asked = nil
}

// run runs one step. The reply is the guest's memory: it is good until the next
// step, and gone when the instance is.
func (i *Instance) run(request []byte) ([]byte, error) {
	i.used = true
	i.random = nil
	i.log.begin()
	defer i.log.end()

	if i.fuel != nil {
		i.fuel.Set(uint64(i.module.fuel))
	}
	size := uint32(len(request))
	if size > i.bufLen || i.bufLen == 0 {
		want := max(size+size/2, 16<<10)
		i.stack[0] = uint64(want)
		if err := i.call(i.buf); err != nil {
			return nil, err
		}
		i.bufPtr, i.bufLen = uint32(i.stack[0]), want
	}
	if !i.memory.Write(i.bufPtr, request) {
		return nil, i.module.failure(BadReply, abi.ExportBuf+" returned a buffer outside the memory", nil)
	}
	i.stack[0], i.stack[1] = uint64(i.bufPtr), uint64(size)
	if err := i.call(i.stepFn); err != nil {
		return nil, err
	}
	ptr, length := uint32(i.stack[0]>>32), uint32(i.stack[0])
	if length > abi.ReplyMaxBytes {
		return nil, i.module.failure(BadReply, fmt.Sprintf("the reply's %d bytes are more than %d", length, abi.ReplyMaxBytes), nil)
	}
	raw, within := i.memory.Read(ptr, length)
	if !within {
		return nil, i.module.failure(BadReply, "the reply lies outside the memory", nil)
	}
	return raw, nil
}

// call runs an export with i.stack, and says what kind of failure it was. A
// panic of the runtime itself counts as a trap.
func (i *Instance) call(f api.Function) (failed error) {
	defer func() {
		if p := recover(); p != nil {
			failed = i.module.failure(Trap, fmt.Sprintf("the runtime failed: %v", p), nil)
		}
	}()
	err := f.CallWithStack(i.ctx, i.stack[:])
	if err == nil {
		return nil
	}
	var ended *sys.ExitError
	switch {
	case i.fuel != nil && int64(i.fuel.Get()) < 0:
		return i.module.failure(Timeout, fmt.Sprintf("it used more than its %d units of fuel", i.module.fuel), err)
	case i.depth != nil && int32(i.depth.Get()) < 0:
		return i.module.failure(Trap, "its calls are nested too deep", err)
	case errors.As(err, &ended):
		return i.module.failure(Exit, fmt.Sprintf("it ended itself with code %d", ended.ExitCode()), err)
	}
	text := firstLine(err)
	if i.log.said != "" { // as SDKs do whose language cannot leave a panic
		text = i.log.said + " (" + text + ")"
	}
	return i.module.failure(Trap, text, err)
}

// errFuel stops a guest from inside a host function.
var errFuel = errors.New("out of fuel")

// charge takes fuel for what a host function does for the guest.
func (i *Instance) charge(guest api.Module, bytes int) {
	if i.module.options.Unmetered {
		return
	}
	if i.fuel == nil { // in _initialize
		i.fuel = guest.ExportedGlobal(fuelExport).(api.MutableGlobal)
	}
	left := int64(i.fuel.Get()) - fuelPerCall - int64(bytes>>fuelPerBytesShift)
	i.fuel.Set(uint64(left))
	if left < 0 {
		panic(errFuel)
	}
}

// firstLine leaves out the stack trace, whose length the guest decides.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return escape([]byte(line))
}

// MemoryBytes is the size of the guest's memory.
func (i *Instance) MemoryBytes() uint32 { return i.memory.Size() }

// FuelUsed is how much fuel the last step took. The same step takes the same on
// every node. Without a meter it is zero.
func (i *Instance) FuelUsed() int64 {
	if i.fuel == nil {
		return 0
	}
	return i.module.fuel - int64(i.fuel.Get())
}
