package host

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// Error numbers of WASI preview 1.
const (
	errnoSuccess uint64 = 0
	errnoBadf    uint64 = 8
	errnoFault   uint64 = 21
	errnoNosys   uint64 = 52
)

// wasiFunc is one stand-in. run gets the parameters in stack and leaves its
// result in stack[0].
type wasiFunc struct {
	sig wasm.FuncType
	run func(*Instance, api.Module, []uint64)
}

// wasi lists the functions of wasi_snapshot_preview1 that a module may import.
// Language runtimes import them whether or not the connector's code does; what a
// connector can do with them is read the step's clock, draw from the step's
// seed, and log. Files and directories do not exist. To send, to receive and to
// raise signals is not listed, so a module that wants that is refused; the two
// functions of sockets that are listed fail, and are here because a Go module
// imports them that uses text/template, whatever it does.
var wasi = map[string]wasiFunc{
	"args_get":            {wasiType("ii"), none},
	"args_sizes_get":      {wasiType("ii"), zeroSizes},
	"environ_get":         {wasiType("ii"), none},
	"environ_sizes_get":   {wasiType("ii"), zeroSizes},
	"clock_res_get":       {wasiType("ii"), clockRes},
	"clock_time_get":      {wasiType("iIi"), clockTime},
	"random_get":          {wasiType("ii"), random},
	"sched_yield":         {wasiType(""), none},
	"poll_oneoff":         {wasiType("iiii"), poll},
	"proc_exit":           {wasm.FuncType{Params: i32s(1)}, exit},
	"fd_write":            {wasiType("iiii"), write},
	"fd_fdstat_get":       {wasiType("ii"), fdstat},
	"fd_prestat_get":      {wasiType("ii"), badf}, // no directory is open
	"fd_prestat_dir_name": {wasiType("iii"), badf},

	"fd_advise":               {wasiType("iIIi"), nosys},
	"fd_allocate":             {wasiType("iII"), nosys},
	"fd_close":                {wasiType("i"), nosys},
	"fd_datasync":             {wasiType("i"), nosys},
	"fd_fdstat_set_flags":     {wasiType("ii"), nosys},
	"fd_fdstat_set_rights":    {wasiType("iII"), nosys},
	"fd_filestat_get":         {wasiType("ii"), nosys},
	"fd_filestat_set_size":    {wasiType("iI"), nosys},
	"fd_filestat_set_times":   {wasiType("iIIi"), nosys},
	"fd_pread":                {wasiType("iiiIi"), nosys},
	"fd_pwrite":               {wasiType("iiiIi"), nosys},
	"fd_read":                 {wasiType("iiii"), nosys},
	"fd_readdir":              {wasiType("iiiIi"), nosys},
	"fd_renumber":             {wasiType("ii"), nosys},
	"fd_seek":                 {wasiType("iIii"), nosys},
	"fd_sync":                 {wasiType("i"), nosys},
	"fd_tell":                 {wasiType("ii"), nosys},
	"sock_accept":             {wasiType("iii"), nosys},
	"sock_shutdown":           {wasiType("ii"), nosys},
	"path_create_directory":   {wasiType("iii"), nosys},
	"path_filestat_get":       {wasiType("iiiii"), nosys},
	"path_filestat_set_times": {wasiType("iiiiIIi"), nosys},
	"path_link":               {wasiType("iiiiiii"), nosys},
	"path_open":               {wasiType("iiiiiIIii"), nosys},
	"path_readlink":           {wasiType("iiiiii"), nosys},
	"path_remove_directory":   {wasiType("iii"), nosys},
	"path_rename":             {wasiType("iiiiii"), nosys},
	"path_symlink":            {wasiType("iiiii"), nosys},
	"path_unlink_file":        {wasiType("iii"), nosys},
}

// wasiType is a signature with an error number as its result; i and I are 32 and
// 64 bits.
func wasiType(params string) wasm.FuncType {
	t := wasm.FuncType{Results: i32s(1)}
	for _, c := range params {
		if c == 'I' {
			t.Params = append(t.Params, wasm.I64)
		} else {
			t.Params = append(t.Params, wasm.I32)
		}
	}
	return t
}

func none(_ *Instance, _ api.Module, stack []uint64)  { stack[0] = errnoSuccess }
func nosys(_ *Instance, _ api.Module, stack []uint64) { stack[0] = errnoNosys }
func badf(_ *Instance, _ api.Module, stack []uint64)  { stack[0] = errnoBadf }

func ok(done bool) uint64 {
	if !done {
		return errnoFault
	}
	return errnoSuccess
}

func zeroSizes(_ *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	stack[0] = ok(mem.WriteUint32Le(uint32(stack[0]), 0) && mem.WriteUint32Le(uint32(stack[1]), 0))
}

func clockRes(_ *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	stack[0] = ok(mem.WriteUint64Le(uint32(stack[1]), 1_000_000))
}

// clockTime is the step's Now on the wall clock. The other clocks stand still:
// steps of different payments take turns in one instance, and a monotonic clock
// must not run backwards between them. None reads zero, which language runtimes
// take for a broken clock.
func clockTime(i *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	const realtime = 0
	nowMs := int64(1)
	if uint32(stack[0]) == realtime {
		i.need()
		nowMs = max(nowMs, i.nowMs)
	}
	stack[0] = ok(mem.WriteUint64Le(uint32(stack[2]), uint64(nowMs)*1_000_000))
}

func random(i *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	out, within := mem.Read(uint32(stack[0]), uint32(stack[1]))
	if within {
		i.charge(m, len(out))
		if i.random == nil {
			i.need()
			i.random = rand.NewChaCha8(i.seed)
		}
		_, _ = i.random.Read(out) // it never fails
	}
	stack[0] = ok(within)
}

// poll reports every subscription as due at once: time does not pass in a step.
func poll(_ *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	const subscriptionBytes, eventBytes = 48, 32
	in, out, n, count := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	for e := range min(n, 1024) {
		sub, within := mem.Read(in+e*subscriptionBytes, subscriptionBytes)
		if !within {
			stack[0] = errnoFault
			return
		}
		var event [eventBytes]byte
		copy(event[:8], sub[:8]) // the caller's own mark
		event[10] = sub[8]       // the kind of event
		if !mem.Write(out+e*eventBytes, event[:]) {
			stack[0] = errnoFault
			return
		}
	}
	stack[0] = ok(mem.WriteUint32Le(count, min(n, 1024)))
}

func exit(i *Instance, _ api.Module, stack []uint64) {
	panic(sys.NewExitError(uint32(stack[0])))
}

func fdstat(_ *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	fd, out := uint32(stack[0]), uint32(stack[1])
	if fd > 2 {
		stack[0] = errnoBadf
		return
	}
	var stat [24]byte
	stat[0] = 2 // a character device, as a terminal is
	stack[0] = ok(mem.Write(out, stat[:]))
}

// write takes what is written to standard output and standard error as log
// lines.
func write(i *Instance, m api.Module, stack []uint64) {
	mem := m.Memory()
	fd, iovs, n, written := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	if fd != 1 && fd != 2 {
		stack[0] = errnoBadf
		return
	}
	total := uint32(0)
	for v := range min(n, 1024) {
		iov, within := mem.Read(iovs+v*8, 8)
		if !within {
			stack[0] = errnoFault
			return
		}
		text, within := mem.Read(binary.LittleEndian.Uint32(iov), binary.LittleEndian.Uint32(iov[4:]))
		if !within {
			stack[0] = errnoFault
			return
		}
		i.charge(m, len(text))
		i.log.stream(int(fd-1), text)
		total += uint32(len(text))
	}
	stack[0] = ok(mem.WriteUint32Le(written, total))
}

// instantiateHost gives the runtime the modules that guests import from.
func instantiateHost(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(abi.ImportWASI)
	for name, f := range wasi {
		run := f.run
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			i := instanceOf(ctx)
			i.charge(m, 0)
			run(i, m, stack)
		}), valueTypes(f.sig.Params), valueTypes(f.sig.Results)).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return err
	}
	b = r.NewHostModuleBuilder(abi.ImportModule)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
		i := instanceOf(ctx)
		i.charge(m, min(int(uint32(stack[2])), abi.LogLineMaxBytes))
		if line, within := m.Memory().Read(uint32(stack[1]), uint32(stack[2])); within {
			i.log.line(int32(stack[0]), line)
		}
	}), valueTypes(i32s(3)), nil).Export(abi.ImportLog)
	_, err := b.Instantiate(ctx)
	return err
}

func valueTypes(types []wasm.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(types))
	for i, t := range types {
		out[i] = api.ValueType(t)
	}
	return out
}

// instanceKey finds the instance that is running, in the context of its call.
type instanceKey struct{}

func instanceOf(ctx context.Context) *Instance { return ctx.Value(instanceKey{}).(*Instance) }
