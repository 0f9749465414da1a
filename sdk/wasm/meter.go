package wasm

import (
	"math"
	"slices"
)

// MeterOptions say what Meter puts into a module.
type MeterOptions struct {
	// Fuel and Depth are the names under which the module exports what it has left
	// of its fuel, a mutable i64, and of its stack, a mutable i32.
	Fuel, Depth string
	// Initial is the fuel of a new instance: what its start function and
	// _initialize may use.
	Initial int64
	// DepthMax bounds the functions that are running at once, each counted by what
	// it keeps: its parameters, locals and operands, and frameCost, in words of
	// eight bytes.
	DepthMax int32
	// MemoryMaxPages becomes the memory's maximum where it declares none or a
	// larger one, in pages of 64 KiB; TableMax likewise, in elements.
	MemoryMaxPages, TableMax uint32
}

// Meter bounds how long, how deep and how large a guest can become, by rewriting
// it. The code takes one unit of fuel at the entry of each function, or at the
// head of a loop that nothing but plain code leads to from there, at the head of
// each other loop, and wherever a path could run through more than stretchBytes
// of code without taking any; and before each bulk operation in proportion to its
// length. Functions that call others take from the depth while they run. When
// there is none left of either, the code executes unreachable: one of the two
// being negative after a trap means that the guest was stopped. Memory and tables
// get a maximum.
//
// This is exact and cheap where a check of the clock is neither: the same step
// takes the same fuel on every node, and a loop costs a few instructions more
// where leaving the guest to look at a context costs a call.
//
// The two new globals have the last indexes of their kind, so nothing else is
// renumbered; code and exports that already use these indexes, which nothing
// valid does, are refused. The result still has to be validated, which compiling
// does.
//
// Meter is also what refuses code that is over the limits of this package.
func Meter(module []byte, options MeterOptions) ([]byte, error) {
	outline, err := Parse(module)
	if err != nil {
		return nil, err
	}
	m := meter{
		outline: outline,
		options: options,
		global:  uint32(outline.ImportedGlobals + outline.Globals),
	}
	for _, e := range outline.Exports {
		if e.Name == options.Fuel || e.Name == options.Depth {
			return nil, malformed("it exports %s, which is the host's", e.Name)
		}
		if e.Kind == Global && e.Index >= m.global {
			return nil, malformed("export %q names a global that does not exist", e.Name)
		}
	}
	return m.module()
}

type meter struct {
	outline *Outline
	options MeterOptions
	global  uint32 // index of the fuel; the depth is the next
	// types are the function types that had to be added, without parameters.
	types []FuncType
	// What the functions so far have declared and asked for; see EffortMax.
	locals, effort, branches uint64
}

// module writes the sections anew; the global and export sections are added
// where the module has none. Types come last, since the code may need more.
func (m *meter) module() ([]byte, error) {
	var code []byte
	for _, s := range m.outline.Sections {
		if s.ID == SectionCode {
			var err error
			if code, err = m.code(s.Content); err != nil {
				return nil, err
			}
		}
	}
	if len(m.outline.Funcs) > 0 && code == nil {
		return nil, malformed("%d functions have no bodies", len(m.outline.Funcs))
	}
	out := append(make([]byte, 0, 2*len(code)), Header...)
	hasGlobals, hasExports := false, false
	addMissing := func(before int) {
		if !hasGlobals && before > order(SectionGlobal) {
			out = AppendSection(out, SectionGlobal, m.globals([]byte{0}))
			hasGlobals = true
		}
		if !hasExports && before > order(SectionExport) {
			out = AppendSection(out, SectionExport, m.exports([]byte{0}))
			hasExports = true
		}
	}
	for _, s := range m.outline.Sections {
		if s.ID != SectionCustom {
			addMissing(order(s.ID))
		}
		switch s.ID {
		case SectionType:
			out = AppendSection(out, s.ID, m.typeSection(s.Content))
		case SectionGlobal:
			out = AppendSection(out, s.ID, m.globals(s.Content))
			hasGlobals = true
		case SectionExport:
			out = AppendSection(out, s.ID, m.exports(s.Content))
			hasExports = true
		case SectionMemory:
			out = AppendSection(out, s.ID, m.memory())
		case SectionTable:
			content, err := m.tables(s.Content)
			if err != nil {
				return nil, err
			}
			out = AppendSection(out, s.ID, content)
		case SectionCode:
			out = AppendSection(out, s.ID, code)
		case SectionCustom:
			// Names and debug information would no longer fit the code, and nobody
			// who runs it reads the others.
		default:
			out = append(out, s.Raw...)
		}
	}
	addMissing(math.MaxInt)
	return out, nil
}

// grow returns a vector's content with its count raised, ready for so many more
// elements. Parse has seen that the count is there.
func grow(content []byte, more int) []byte {
	r := reader{data: content}
	n := r.u32()
	return append(AppendU32(nil, n+uint32(more)), content[r.at:]...)
}

func (m *meter) typeSection(content []byte) []byte {
	out := grow(content, len(m.types))
	for _, t := range m.types {
		out = AppendU32(append(out, 0x60, 0), uint32(len(t.Results)))
		for _, r := range t.Results {
			out = append(out, byte(r))
		}
	}
	return out
}

// resultBlock appends the type of a block that leaves what the function returns.
func (m *meter) resultBlock(dst []byte, results []ValueType) []byte {
	switch len(results) {
	case 0:
		return append(dst, emptyBlock&0x7f)
	case 1:
		return append(dst, byte(results[0]))
	}
	fits := func(t FuncType) bool { return len(t.Params) == 0 && slices.Equal(t.Results, results) }
	index := slices.IndexFunc(m.outline.Types, fits)
	if index < 0 {
		if index = slices.IndexFunc(m.types, fits); index < 0 {
			index = len(m.types)
			m.types = append(m.types, FuncType{Results: results})
		}
		index += len(m.outline.Types)
	}
	return appendS64(dst, int64(index))
}

func (m *meter) globals(content []byte) []byte {
	out := append(grow(content, 2), byte(I64), 1, opI64Const)
	out = append(appendS64(out, m.options.Initial), opEnd)
	out = append(out, byte(I32), 1, opI32Const)
	return append(appendS64(out, int64(m.options.DepthMax)), opEnd)
}

func (m *meter) exports(content []byte) []byte {
	out := grow(content, 2)
	for i, name := range []string{m.options.Fuel, m.options.Depth} {
		out = AppendU32(out, uint32(len(name)))
		out = append(append(out, name...), byte(Global))
		out = AppendU32(out, m.global+uint32(i))
	}
	return out
}

func (m *meter) memory() []byte {
	out := AppendU32(nil, uint32(len(m.outline.Memories)))
	for _, l := range m.outline.Memories {
		out = appendLimits(out, l, m.options.MemoryMaxPages)
	}
	return out
}

func (m *meter) tables(content []byte) ([]byte, error) {
	r := reader{data: content}
	out := AppendU32(nil, r.u32())
	for range m.outline.Tables {
		out = append(out, r.byte())
		out = appendLimits(out, limits(&r), m.options.TableMax)
	}
	return out, r.err
}

// appendLimits lowers the maximum, but not below the minimum: whether that is
// too large is for admission to say.
func appendLimits(dst []byte, l Limits, most uint32) []byte {
	if limit := max(uint64(most), l.Min); !l.HasMax || l.Max > limit {
		l.Max = limit
	}
	return AppendU32(AppendU32(append(dst, 1), uint32(l.Min)), uint32(l.Max))
}
