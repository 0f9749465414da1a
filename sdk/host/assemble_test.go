package host_test

import (
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// guest describes a module that is written by hand. The zero value is a
// connector that completes every job; fields replace parts of it. Code is given
// as bytes, without the final end.
type guest struct {
	step, buf []byte
	// helper is a function of type () -> () that step may call.
	helper []byte
	// start is the start function.
	start []byte
	// extra are exports of the marker function under other names.
	extra []string
	// omit is an export to leave out.
	omit    string
	imports []fnImport
	// stepType is the type of railhead_step.
	stepType   byte
	memory     []byte   // limits
	table      []byte   // limits of a table of functions, if any
	elements   []uint32 // functions that the table begins with
	data       []byte   // that stands at dataAt
	noManifest bool
	limits     *sdkv1.Limits
}

type fnImport struct {
	module, name string
	typ          byte
}

// The types of a hand-written module.
const (
	typeNone = 0 // () -> ()
	typeBuf  = 1 // (i32) -> (i32)
	typeStep = 2 // (i32 i32) -> (i64)
	typeLog  = 3 // (i32 i32 i32) -> ()
	// Of functions of WASI.
	typeTwo   = 4 // (i32 i32) -> (i32)
	typeExit  = 5 // (i32) -> ()
	typeClock = 6 // (i32 i64 i32) -> (i32)

	replyAt = 16
	inputAt = 4096
	dataAt  = 1 << 16 // needs a memory of more than a page
)

// Instructions.
const (
	unreachable = 0x00
	block       = 0x02
	loop        = 0x03
	end         = 0x0b
	br          = 0x0c
	brIf        = 0x0d
	brTable     = 0x0e
	call        = 0x10
	returnCall  = 0x12
	drop        = 0x1a
	localGet    = 0x20
	globalGet   = 0x23
	memoryGrow  = 0x40
	i32Const    = 0x41
	i64Const    = 0x42
	refNull     = 0xd0
	misc        = 0xfc
	memoryFill  = 11
	tableGrow   = 15
	noResult    = 0x40
	funcref     = 0x70
)

// helperIndex and so on are function indexes of a module without imports.
const (
	markerIndex = 0
	bufIndex    = 1
	stepIndex   = 2
	helperIndex = 3
	startIndex  = 4
)

// completed is the encoded reply that stands in the memory of each module.
func completed() []byte {
	reply := &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{}}}}
	out, err := reply.MarshalVTStrict()
	if err != nil {
		panic(err)
	}
	return out
}

// returnReply is the code that returns a reply.
func returnReply(ptr, length int64) []byte { return i64(ptr<<32 | length) }

func i64(n int64) []byte { return append([]byte{i64Const}, sleb(n)...) }
func i32(n int64) []byte { return append([]byte{i32Const}, sleb(n)...) }

func sleb(n int64) []byte {
	var out []byte
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func vector(items ...[]byte) []byte {
	out := wasm.AppendU32(nil, uint32(len(items)))
	for _, item := range items {
		out = append(out, item...)
	}
	return out
}

func name(s string) []byte { return append(wasm.AppendU32(nil, uint32(len(s))), s...) }

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func (g guest) assemble(t testing.TB) []byte {
	t.Helper()
	reply := completed()
	or := func(code, otherwise []byte) []byte {
		if code == nil {
			return otherwise
		}
		return code
	}
	if g.stepType == 0 {
		g.stepType = typeStep
	}
	shift := uint32(len(g.imports))
	export := func(n string, kind byte, index uint32) []byte {
		if n == g.omit {
			n = "something_else"
		}
		return append(append(name(n), kind), wasm.AppendU32(nil, index)...)
	}
	body := func(code []byte) []byte {
		code = append(append([]byte{0}, code...), end)
		return append(wasm.AppendU32(nil, uint32(len(code))), code...)
	}

	out := append([]byte(nil), wasm.Header...)
	out = wasm.AppendSection(out, wasm.SectionType, vector(
		[]byte{0x60, 0, 0},
		[]byte{0x60, 1, 0x7f, 1, 0x7f},
		[]byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e},
		[]byte{0x60, 3, 0x7f, 0x7f, 0x7f, 0},
		[]byte{0x60, 2, 0x7f, 0x7f, 1, 0x7f},
		[]byte{0x60, 1, 0x7f, 0},
		[]byte{0x60, 3, 0x7f, 0x7e, 0x7f, 1, 0x7f},
	))
	if len(g.imports) > 0 {
		var imports [][]byte
		for _, i := range g.imports {
			imports = append(imports, join(name(i.module), name(i.name), []byte{0, i.typ}))
		}
		out = wasm.AppendSection(out, wasm.SectionImport, vector(imports...))
	}
	out = wasm.AppendSection(out, wasm.SectionFunction, []byte{5, typeNone, typeBuf, g.stepType, typeNone, typeNone})
	if g.table != nil {
		out = wasm.AppendSection(out, wasm.SectionTable, append([]byte{1, funcref}, g.table...))
	}
	out = wasm.AppendSection(out, wasm.SectionMemory, append([]byte{1}, or(g.memory, []byte{0, 1})...))
	exports := [][]byte{
		export(abi.ExportMarker, 0, shift+markerIndex),
		export(abi.ExportBuf, 0, shift+bufIndex),
		export(abi.ExportStep, 0, shift+stepIndex),
		export(abi.ExportMemory, 2, 0),
	}
	for _, n := range g.extra {
		exports = append(exports, export(n, 0, shift+markerIndex))
	}
	out = wasm.AppendSection(out, wasm.SectionExport, vector(exports...))
	if g.start != nil {
		out = wasm.AppendSection(out, wasm.SectionStart, wasm.AppendU32(nil, shift+startIndex))
	}
	if g.elements != nil {
		content := join([]byte{1, 0}, i32(0), []byte{end}, wasm.AppendU32(nil, uint32(len(g.elements))))
		for _, f := range g.elements {
			content = wasm.AppendU32(content, f)
		}
		out = wasm.AppendSection(out, wasm.SectionElement, content)
	}
	out = wasm.AppendSection(out, wasm.SectionCode, vector(
		body(nil),
		body(or(g.buf, i32(inputAt))),
		body(or(g.step, returnReply(replyAt, int64(len(reply))))),
		body(g.helper),
		body(g.start),
	))
	data := [][]byte{join([]byte{0}, i32(replyAt), []byte{end}, wasm.AppendU32(nil, uint32(len(reply))), reply)}
	if g.data != nil {
		data = append(data, join([]byte{0}, i32(dataAt), []byte{end}, wasm.AppendU32(nil, uint32(len(g.data))), g.data))
	}
	out = wasm.AppendSection(out, wasm.SectionData, vector(data...))
	if g.noManifest {
		return out
	}
	limits := g.limits
	if limits == nil {
		limits = &sdkv1.Limits{MemoryMaxBytes: 4 << 20, StepMsMax: 100}
	}
	out, err := manifest.IntoModule(out, &sdkv1.Manifest{
		Name: "by-hand", Version: "1.0.0", Kind: "scheme",
		Jobs: []*sdkv1.JobType{{Type: "probe"}}, Limits: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
