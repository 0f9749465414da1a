package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// ModuleMaxBytes bounds a module. The other limits on it are those of sdk/wasm.
const ModuleMaxBytes = 32 << 20

const pageBytes = 64 << 10

// admitted is what is known of a module once it may be compiled.
type admitted struct {
	manifest    *sdkv1.Manifest
	memoryPages uint32
	initialize  bool
}

// admit refuses what must not be compiled. It has an error's code and text only;
// the caller adds the module's name.
func admit(module []byte) (*admitted, *Error) {
	if len(module) > ModuleMaxBytes {
		return nil, refuse(TooLarge, "%d bytes are more than %d", len(module), ModuleMaxBytes)
	}
	if len(module) < len(wasm.Header) || string(module[:4]) != string(wasm.Header[:4]) {
		return nil, refuse(NotWasm, "it does not begin with the magic number of WebAssembly")
	}
	outline, err := wasm.Parse(module)
	if err != nil {
		return nil, &Error{Code: codeOf(err), Text: err.Error(), Err: err}
	}
	m, err := manifest.FromModule(module)
	if err != nil {
		code := BadManifest
		if errors.Is(err, manifest.ErrNewer) {
			code = NewerContract
		}
		return nil, &Error{Code: code, Text: err.Error(), Err: err}
	}
	a := &admitted{manifest: m, memoryPages: memoryPages(m)}
	for _, check := range []func(*wasm.Outline) *Error{a.exports, imports, a.sizes} {
		if err := check(outline); err != nil {
			err.Module = m.Name
			return nil, err
		}
	}
	return a, nil
}

// codeOf is the code for what sdk/wasm says of a module.
func codeOf(err error) Code {
	if refused, ok := errors.AsType[*wasm.FormatError](err); ok {
		switch refused.Fault {
		case wasm.Feature:
			return ForbiddenFeature
		case wasm.TooLarge:
			return TooLarge
		case wasm.TooComplex:
			return TooComplex
		}
	}
	return Malformed
}

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func memoryPages(m *sdkv1.Manifest) uint32 {
	bytes := m.GetLimits().GetMemoryMaxBytes()
	if bytes == 0 {
		bytes = abi.MemoryDefaultBytes
	}
	return max(1, bytes/pageBytes)
}

var exportTypes = []struct {
	name string
	sig  wasm.FuncType
}{
	{abi.ExportMarker, wasm.FuncType{}},
	{abi.ExportBuf, wasm.FuncType{Params: i32s(1), Results: i32s(1)}},
	{abi.ExportStep, wasm.FuncType{Params: i32s(2), Results: []wasm.ValueType{wasm.I64}}},
}

func i32s(n int) []wasm.ValueType { return slices.Repeat([]wasm.ValueType{wasm.I32}, n) }

func (a *admitted) exports(o *wasm.Outline) *Error {
	exports := map[string]wasm.Export{}
	for _, e := range o.Exports {
		if _, doubled := exports[e.Name]; doubled {
			return refuse(Malformed, "export %s is doubled", strconv.Quote(e.Name))
		}
		exports[e.Name] = e
	}
	if _, ok := exports[abi.ExportStart]; ok {
		return refuse(ForbiddenExport, "it exports %s: build a reactor (in Go: -buildmode=c-shared)", abi.ExportStart)
	}
	for _, want := range exportTypes {
		e, ok := exports[want.name]
		if !ok || e.Kind != wasm.Func {
			return refuse(MissingExport, "it exports no function %s", want.name)
		}
		if !sameType(e.Type, want.sig) {
			return refuse(MissingExport, "%s has type %s, not %s", want.name, e.Type, want.sig)
		}
	}
	if e, ok := exports[abi.ExportMemory]; !ok || e.Kind != wasm.Memory {
		return refuse(MissingExport, "it exports no %s", abi.ExportMemory)
	}
	if e, ok := exports[abi.ExportInitialize]; ok {
		if e.Kind != wasm.Func || !sameType(e.Type, wasm.FuncType{}) {
			return refuse(MissingExport, "%s is not a function without parameters and results", abi.ExportInitialize)
		}
		a.initialize = true
	}
	return nil
}

func sameType(a, b wasm.FuncType) bool {
	return slices.Equal(a.Params, b.Params) && slices.Equal(a.Results, b.Results)
}

func imports(o *wasm.Outline) *Error {
	for _, i := range o.Imports {
		name := strconv.Quote(i.Module + "." + i.Name)
		var sig wasm.FuncType
		ok := i.Kind == wasm.Func
		switch {
		case ok && i.Module == abi.ImportModule && i.Name == abi.ImportLog:
			sig = wasm.FuncType{Params: i32s(3)}
		case ok && i.Module == abi.ImportWASI:
			var f wasiFunc
			f, ok = wasi[i.Name]
			sig = f.sig
		default:
			ok = false
		}
		if !ok {
			return refuse(ForbiddenImport, "it imports the %s %s, which the host does not give", i.Kind, name)
		}
		if !sameType(i.Type, sig) {
			return refuse(ForbiddenImport, "it imports %s with type %s, not %s", name, i.Type, sig)
		}
	}
	return nil
}

func (a *admitted) sizes(o *wasm.Outline) *Error {
	if len(o.Memories) != 1 {
		return refuse(Malformed, "it defines %d memories, not one", len(o.Memories))
	}
	if m := o.Memories[0]; m.Min > uint64(a.memoryPages) {
		return refuse(TooLarge, "its memory begins with %d pages of 64 KiB; its manifest's limit is %d", m.Min, a.memoryPages)
	}
	return nil
}
