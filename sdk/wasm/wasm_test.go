package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

// A module of one function, named run, of type (i32) -> (i32).
func oneFunction(code ...byte) []byte {
	body := append([]byte{0}, code...)
	body = append(body, 0x0b)
	out := bytes.Clone(wasm.Header)
	out = wasm.AppendSection(out, wasm.SectionType, []byte{1, 0x60, 1, 0x7f, 1, 0x7f})
	out = wasm.AppendSection(out, wasm.SectionFunction, []byte{1, 0})
	out = wasm.AppendSection(out, wasm.SectionMemory, []byte{1, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionExport, append([]byte{1, 3}, append([]byte("run"), 0, 0)...))
	content := append(wasm.AppendU32([]byte{1}, uint32(len(body))), body...)
	return wasm.AppendSection(out, wasm.SectionCode, content)
}

func TestOutline(t *testing.T) {
	o, err := wasm.Parse(oneFunction(0x20, 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Exports) != 1 || o.Exports[0].Name != "run" || o.Exports[0].Type.String() != "(i32) -> (i32)" {
		t.Fatalf("%+v", o.Exports)
	}
	if len(o.Memories) != 1 || o.Memories[0].Min != 1 || o.Memories[0].HasMax || len(o.Funcs) != 1 {
		t.Fatalf("%+v", o)
	}
}

func TestCustomSection(t *testing.T) {
	plain := oneFunction(0x20, 0)
	with, err := wasm.WithCustom(plain, "note", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if with, err = wasm.WithCustom(with, "note", []byte("two")); err != nil {
		t.Fatal(err)
	}
	content, found, err := wasm.Custom(with, "note")
	if err != nil || !found || string(content) != "two" {
		t.Fatalf("%q, %v, %v", content, found, err)
	}
	if _, found, _ := wasm.Custom(plain, "note"); found {
		t.Fatal("found what is not there")
	}
}

func TestMalformed(t *testing.T) {
	plain := oneFunction(0x20, 0)
	for what, module := range map[string][]byte{
		"empty":           {},
		"no magic":        []byte("hello, world"),
		"other version":   {0, 'a', 's', 'm', 2, 0, 0, 0},
		"unknown section": append(bytes.Clone(plain), 77, 0),
		"out of order":    append(bytes.Clone(plain), wasm.SectionType, 1, 0),
		"size too large":  append(bytes.Clone(plain), 0, 0xff, 0xff, 0x7f),
		"long number":     append(bytes.Clone(plain), 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0),
		"wide number":     append(bytes.Clone(plain), 0, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"count of types":  wasm.AppendSection(bytes.Clone(wasm.Header), wasm.SectionType, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}),
	} {
		if _, err := wasm.Parse(module); err == nil {
			t.Errorf("%s: it parses", what)
		}
	}
	for cut := range plain {
		// No cut may panic; cuts between sections are modules of their own.
		wasm.Parse(plain[:cut])
		wasm.Meter(plain[:cut], options)
	}
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// section is a module of one section, a list of n entries.
func section(id byte, n int, entry ...byte) []byte {
	content := append(wasm.AppendU32(nil, uint32(n)), bytes.Repeat(entry, n)...)
	return wasm.AppendSection(bytes.Clone(wasm.Header), id, content)
}

// functions is a module of n functions of type () -> () with the locals and code.
func functions(n, locals int, code ...byte) []byte {
	body := append(append(wasm.AppendU32([]byte{1}, uint32(locals)), 0x7f), code...)
	body = append(body, 0x0b)
	out := wasm.AppendSection(bytes.Clone(wasm.Header), wasm.SectionType, []byte{1, 0x60, 0, 0})
	out = wasm.AppendSection(out, wasm.SectionFunction, append(wasm.AppendU32(nil, uint32(n)), make([]byte, n)...))
	body = append(wasm.AppendU32(nil, uint32(len(body))), body...)
	return wasm.AppendSection(out, wasm.SectionCode, append(wasm.AppendU32(nil, uint32(n)), bytes.Repeat(body, n)...))
}

// loops is code of n loops, one within the other.
func loops(n int) []byte {
	return append(bytes.Repeat([]byte{0x03, 0x40}, n), bytes.Repeat([]byte{0x0b}, n)...)
}

// TestTooMuchToCompile: a few kilobytes can ask a compiler for minutes and
// gigabytes, and a list's entries take many times their bytes. Both are refused
// before anybody tries, and what only comes near is not.
func TestTooMuchToCompile(t *testing.T) {
	branches := append(append([]byte{0x02, 0x40, 0x41, 0, 0x0e}, wasm.AppendU32(nil, 10_000)...), make([]byte, 10_001)...)
	branches = append(branches, 0x0b)
	for what, row := range map[string]struct {
		module []byte
		word   string // in the refusal; empty: it is taken
	}{
		"types":              {section(wasm.SectionType, wasm.TypesMax+1, 0x60, 0, 0), "types"},
		"globals":            {section(wasm.SectionGlobal, wasm.GlobalsMax+1, 0x7f, 0, 0x41, 0, 0x0b), "globals"},
		"segments":           {section(wasm.SectionElement, wasm.ElementsMax+1, 1, 0, 0), "element segments"},
		"elements":           {section(wasm.SectionElement, 3, join([]byte{1, 0}, wasm.AppendU32(nil, 40_000), make([]byte, 40_000))...), "elements"},
		"data":               {section(wasm.SectionData, wasm.DataMax+1, 1, 0), "data segments"},
		"much data":          {section(wasm.SectionData, 3, join([]byte{1}, wasm.AppendU32(nil, 9<<20), make([]byte, 9<<20))...), "bytes"},
		"exports":            {section(wasm.SectionExport, wasm.ExportsMax+1, 0, 2, 0), "exports"},
		"imports":            {section(wasm.SectionImport, wasm.ImportsMax+1, 0, 0, 2, 0, 1), "imports"},
		"functions":          {functions(wasm.FunctionsMax+1, 0), "functions"},
		"tables":             {section(wasm.SectionTable, wasm.TablesMax+1, 0x70, 0, 1), "tables"},
		"large tables":       {section(wasm.SectionTable, 3, join([]byte{0x70, 0}, wasm.AppendU32(nil, 40_000))...), "elements"},
		"memories":           {section(wasm.SectionMemory, 2, 0, 1), "memory"},
		"sections":           {append(bytes.Clone(wasm.Header), bytes.Repeat([]byte{0, 1, 0}, wasm.SectionsMax+1)...), "sections"},
		"parameters":         {section(wasm.SectionType, 1, append([]byte{0x60, 0xe9, 0x07}, make([]byte, 1002)...)...), "parameters"},
		"locals of one":      {functions(1, wasm.LocalsMax+1), "locals"},
		"locals of all":      {functions(201, wasm.LocalsMax), "locals together"},
		"loops and locals":   {functions(1, 1000, loops(700)...), "700 loops, 1000 locals"},
		"branches":           {functions(1, 0, bytes.Repeat(branches, 21)...), "branches"},
		"all branches":       {functions(101, 0, branches...), "together"},
		"blocks":             {functions(1, 0, bytes.Repeat([]byte{0x02, 0x40, 0x0b}, 7_000)...), "7000 blocks"},
		"operands":           {functions(1, 0, join(bytes.Repeat([]byte{0x41, 0}, 1_001), bytes.Repeat([]byte{0x1a}, 1_001))...), "operands"},
		"many of the latter": {functions(10, 1000, loops(400)...), "together"},
		"a long function":    {functions(1, 0, bytes.Repeat([]byte{0x01}, wasm.FunctionMaxSize)...), "bytes of code"},
		"less of all":        {functions(5, 1000, loops(400)...), ""},
		"long, not too long": {functions(1, 0, bytes.Repeat([]byte{0x01}, wasm.FunctionMaxSize/2)...), ""},
	} {
		_, err := wasm.Meter(row.module, options)
		if fault := new(wasm.FormatError); err != nil && (!errors.As(err, &fault) || fault.Fault == wasm.Broken) {
			t.Errorf("%s: %v is taken for a mistake", what, err)
		}
		if row.word == "" && err != nil || row.word != "" && (err == nil || !strings.Contains(err.Error(), row.word)) {
			t.Errorf("%s: got %v, want %q", what, err, row.word)
		}
	}
}

// The depth is less than the two thousand calls that the interpreter takes.
var options = wasm.MeterOptions{Fuel: "fuel", Depth: "depth", DepthMax: 16_000, Initial: 1 << 40, MemoryMaxPages: 3, TableMax: 10}

// run instantiates a metered module and returns the result, the fuel it took and
// the error of a call.
func run(t *testing.T, module []byte, param uint64, fuel int64) (uint64, int64, error) {
	t.Helper()
	metered, err := wasm.Meter(module, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, metered)
	if err != nil {
		t.Fatal(err)
	}
	global := m.ExportedGlobal("fuel").(api.MutableGlobal)
	global.Set(uint64(fuel))
	out, err := m.ExportedFunction("run").Call(ctx, param)
	if err != nil {
		return 0, fuel - int64(global.Get()), err
	}
	return out[0], fuel - int64(global.Get()), nil
}

func TestMeter(t *testing.T) {
	count := []byte{ // counts its parameter down to zero
		0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 0,
	}
	straight := append(bytes.Repeat([]byte{0x20, 0, 0x1a}, 1000), 0x20, 0)
	// Jumps over everything that takes fuel by its position alone.
	var hops []byte
	for range 30 {
		hops = append(hops, 0x02, 0x40)
		hops = append(hops, bytes.Repeat([]byte{0x20, 0, 0x1a}, 40)...)
		hops = append(hops, 0x20, 0, 0x0d, 0, 0x20, 0, 0x1a, 0x0b)
	}
	hops = append(hops, 0x20, 0)
	inside := func(begin ...byte) []byte { // count in a block or an if that begins like this
		return append(append(begin, count[:len(count)-2]...), 0x0b, 0x20, 0)
	}
	for what, row := range map[string]struct {
		code       []byte
		param      uint64
		want       uint64
		least, top int64
	}{
		"a call takes one unit":                {[]byte{0x20, 0}, 7, 7, 1, 1},
		"a loop takes one each time":           {count, 1000, 0, 1000, 1000},
		"plain code before it takes no more":   {inside(0x02, 0x40, 0x41, 1, 0x41, 2, 0x6a, 0x21, 0), 9, 0, 3, 3},
		"what may be jumped over does not do":  {inside(0x02, 0x40, 0x20, 0, 0x45, 0x0d, 0), 9, 0, 10, 10},
		"and has taken when it was":            {inside(0x02, 0x40, 0x20, 0, 0x45, 0x0d, 0), 0, 0, 1, 1},
		"nor does one in an if":                {inside(0x20, 0, 0x04, 0x40), 0, 0, 1, 1},
		"straight code takes by its length":    {straight, 7, 7, 3000 / 270, 3000/256 + 2},
		"jumping ahead does not avoid it":      {hops, 7, 7, 13, 30},
		"falling through takes the same":       {hops, 0, 0, 13, 30},
		"memory.fill takes by its length":      {[]byte{0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 11, 0, 0x20, 0}, 65536, 65536, 1024, 1026},
		"memory.grow takes by its length":      {[]byte{0x20, 0, 0x40, 0}, 2, 1, 2048, 2050},
		"memory.grow beyond the maximum fails": {[]byte{0x20, 0, 0x40, 0}, 3, 1<<32 - 1, 3072, 3074},
	} {
		got, took, err := run(t, oneFunction(row.code...), row.param, 1<<30)
		if err != nil || got != row.want || took < row.least || took > row.top {
			t.Errorf("%s: got %d, fuel %d, %v; want %d, fuel %d to %d", what, got, took, err, row.want, row.least, row.top)
		}
	}
	if _, took, err := run(t, oneFunction(count...), 1000, 500); err == nil || took != 501 {
		t.Errorf("out of fuel: took %d, %v", took, err)
	}
}
