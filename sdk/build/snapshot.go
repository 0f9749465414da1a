package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// loadExport is the function of the engine that evaluates a script. It is not in
// the finished module.
const loadExport = "railhead_load"

// loadMax is how long a script may take to be evaluated. A connector that computes
// at that time computes for its whole life what it could compute once.
const loadMax = 30 * time.Second

// snapshot puts a script into the engine, by letting the engine evaluate it here
// and keeping the memory as it is then. Every instance of the module begins there:
// it has nothing to parse, to compile or to set up. Nothing of this machine gets
// in, since the engine has no clock and no randomness of its own, so the same
// script gives the same bytes.
func snapshot(ctx context.Context, engine, script []byte) (_ []byte, failed error) {
	ctx, cancel := context.WithTimeout(ctx, loadMax)
	defer cancel()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	defer func() { failed = errors.Join(failed, runtime.Close(context.WithoutCancel(ctx))) }()
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	var said []byte
	_, err := runtime.NewHostModuleBuilder(abi.ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, stack []uint64) {
			if line, ok := m.Memory().Read(uint32(stack[1]), uint32(stack[2])); ok && len(said) < 4<<10 {
				said = append(append(said, '\n'), line...)
			}
		}), []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}, nil).
		Export(abi.ImportLog).Instantiate(ctx)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	// It has only what the sandbox gives it, which is nothing, as its own
	// configuration says.
	m, err := runtime.InstantiateWithConfig(ctx, engine, wazero.NewModuleConfig().WithName("").WithStartFunctions(abi.ExportInitialize))
	if err != nil {
		return nil, fmt.Errorf("build: starting the engine of scripts: %w", err)
	}
	buf, err := m.ExportedFunction(abi.ExportBuf).Call(ctx, uint64(len(script)+1))
	if err == nil && !m.Memory().Write(uint32(buf[0]), append(bytes.Clone(script), 0)) {
		err = errors.New("the script does not fit")
	}
	var reply []uint64
	if err == nil {
		reply, err = m.ExportedFunction(loadExport).Call(ctx, buf[0], uint64(len(script)))
	}
	if err != nil {
		return nil, fmt.Errorf("build: the script does not come to an end when it is loaded: %w%s", err, said)
	}
	if text, ok := m.Memory().Read(uint32(reply[0]>>32), uint32(reply[0])); !ok || len(text) > 0 {
		return nil, fmt.Errorf("build: the script fails when it is loaded: %s%s", text, said)
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	return withMemory(engine, memory)
}

// withMemory returns the engine with its memory as given, and without the exports
// that led there.
func withMemory(engine, memory []byte) ([]byte, error) {
	outline, err := wasm.Parse(engine)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if outline.Globals != 1 || outline.HasStart {
		// The one global is the pointer of the stack, which is empty between calls.
		return nil, errors.New("build: the engine keeps something outside its memory")
	}
	out := bytes.Clone(wasm.Header)
	for _, s := range outline.Sections {
		switch s.ID {
		case wasm.SectionMemory:
			pages := wasm.AppendU32([]byte{1, 0}, uint32(len(memory)>>16))
			out = wasm.AppendSection(out, s.ID, pages)
		case wasm.SectionExport:
			out = wasm.AppendSection(out, s.ID, keptExports(outline.Exports))
		case wasm.SectionData:
			out = wasm.AppendSection(out, s.ID, dataSegments(memory))
		case wasm.SectionCustom, wasm.SectionDataCount:
		default:
			out = append(out, s.Raw...)
		}
	}
	return out, nil
}

func keptExports(exports []wasm.Export) []byte {
	var list []byte
	n := uint32(0)
	for _, e := range exports {
		if e.Name == loadExport || e.Name == abi.ExportInitialize {
			continue
		}
		n++
		list = append(wasm.AppendU32(list, uint32(len(e.Name))), e.Name...)
		list = wasm.AppendU32(append(list, byte(e.Kind)), e.Index)
	}
	return append(wasm.AppendU32(nil, n), list...)
}

// dataSegments writes what is not zero. A gap of zeros shorter than what a segment
// costs is written too.
func dataSegments(memory []byte) []byte {
	const gap = 16
	var list []byte
	n := uint32(0)
	for at := 0; at < len(memory); {
		if memory[at] == 0 {
			at++
			continue
		}
		end := at + 1
		for zeros := 0; end+zeros < len(memory) && zeros < gap; {
			if memory[end+zeros] == 0 {
				zeros++
				continue
			}
			end, zeros = end+zeros+1, 0
		}
		n++
		// An active segment of memory 0, at a constant address.
		list = appendS32(append(list, 0, 0x41), int32(at))
		list = append(list, 0x0b)
		list = append(wasm.AppendU32(list, uint32(end-at)), memory[at:end]...)
		at = end
	}
	return append(wasm.AppendU32(nil, n), list...)
}

// appendS32 appends a signed LEB128 number.
func appendS32(dst []byte, n int32) []byte {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}
