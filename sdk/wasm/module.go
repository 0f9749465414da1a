package wasm

import "strings"

// Kind is what an import or export is.
type Kind byte

// The kinds.
const (
	Func   Kind = 0
	Table  Kind = 1
	Memory Kind = 2
	Global Kind = 3
)

func (k Kind) String() string {
	switch k {
	case Func:
		return "function"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	}
	return "unknown"
}

// ValueType is a type of a parameter or result.
type ValueType byte

// The number types.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
	F32 ValueType = 0x7d
	F64 ValueType = 0x7c
)

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case 0x7b:
		return "v128"
	case 0x70:
		return "funcref"
	case 0x6f:
		return "externref"
	}
	return "unknown"
}

// FuncType is a function's signature.
type FuncType struct{ Params, Results []ValueType }

func (t FuncType) String() string {
	list := func(types []ValueType) string {
		words := make([]string, len(types))
		for i, t := range types {
			words[i] = t.String()
		}
		return "(" + strings.Join(words, " ") + ")"
	}
	return list(t.Params) + " -> " + list(t.Results)
}

// Import is one import; Type is set for functions.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType
}

// Export is one export; Type is set for functions.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
	Type  FuncType
}

// Limits are those of a memory, in pages of 64 KiB, or of a table, in elements.
type Limits struct {
	Min    uint64
	Max    uint64
	HasMax bool
	// Flags are the encoded flags: 0 or 1 for what this package understands;
	// others mark shared or 64-bit memories of later proposals.
	Flags byte
}

// Outline is what can be said about a module without looking at its code.
type Outline struct {
	Sections []Section
	Imports  []Import
	Exports  []Export
	// Memories and Tables are those defined here, not imported.
	Memories []Limits
	Tables   []Limits
	// Funcs are the types of the functions defined here, in order.
	Funcs []FuncType
	// ImportedGlobals and Globals count the globals imported and defined here.
	ImportedGlobals, Globals int
	// HasStart says that the module names a function to run on instantiation.
	HasStart bool
}

// Limits on the lists of a module, whose entries take many times the bytes in
// memory that they take in the module.
const (
	EntriesMax = 200_000 // of each of the lists
	ValuesMax  = 1_000   // parameters of a function type, and results
)

// Parse reads the outline.
func Parse(module []byte) (*Outline, error) {
	sections, err := Sections(module)
	if err != nil {
		return nil, err
	}
	p := parser{out: &Outline{Sections: sections}}
	for _, s := range sections {
		r := &reader{data: s.Content}
		switch s.ID {
		case SectionType:
			p.types(r)
		case SectionImport:
			p.imports(r)
		case SectionFunction:
			p.functions(r)
		case SectionTable:
			p.tables(r)
		case SectionMemory:
			p.memories(r)
		case SectionGlobal, SectionElement, SectionData:
			// Only how many: what they are initialised with is not looked at.
			n := r.entries()
			if r.err != nil {
				return nil, r.err
			}
			if s.ID == SectionGlobal {
				p.out.Globals = n
			}
			continue
		case SectionExport:
			p.exports(r)
		case SectionStart:
			p.out.HasStart = true
			continue
		default:
			continue
		}
		if r.err == nil && r.at != len(r.data) {
			r.failf("section %d has bytes left over", s.ID)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return p.out, nil
}

type parser struct {
	out  *Outline
	sigs []FuncType
	// funcs are the type indexes of all functions, imported ones first.
	funcs []uint32
	// The numbers of imported memories, tables and globals are not needed: an
	// export of one of them is told by its kind alone.
}

func (p *parser) types(r *reader) {
	for range r.entries() {
		if form := r.byte(); form != 0x60 && r.err == nil {
			r.failf("type form %#x is not a function", form)
		}
		p.sigs = append(p.sigs, FuncType{Params: valueTypes(r), Results: valueTypes(r)})
		if r.err != nil {
			return
		}
	}
}

// entries reads the length of one of a module's lists.
func (r *reader) entries() int {
	n := r.count()
	if n > EntriesMax {
		r.failf("a list of %d entries is longer than %d", n, EntriesMax)
		return 0
	}
	return n
}

func valueTypes(r *reader) []ValueType {
	n := r.u32()
	if n > ValuesMax {
		r.failf("a function type has %d parameters or results, more than %d", n, ValuesMax)
		return nil
	}
	var out []ValueType
	for _, b := range r.bytes(n) {
		out = append(out, ValueType(b))
	}
	return out
}

func (p *parser) imports(r *reader) {
	for range r.entries() {
		i := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		switch i.Kind {
		case Func:
			index := r.u32()
			i.Type = p.sig(r, index)
			p.funcs = append(p.funcs, index)
		case Table:
			r.byte()
			limits(r)
		case Memory:
			limits(r)
		case Global:
			r.byte()
			r.byte()
			p.out.ImportedGlobals++
		default:
			r.failf("import kind %d is unknown", i.Kind)
		}
		if r.err != nil {
			return
		}
		p.out.Imports = append(p.out.Imports, i)
	}
}

func (p *parser) sig(r *reader, index uint32) FuncType {
	if uint64(index) >= uint64(len(p.sigs)) {
		r.failf("type index %d does not exist", index)
		return FuncType{}
	}
	return p.sigs[index]
}

func (p *parser) functions(r *reader) {
	for range r.entries() {
		index := r.u32()
		sig := p.sig(r, index)
		if r.err != nil {
			return
		}
		p.funcs = append(p.funcs, index)
		p.out.Funcs = append(p.out.Funcs, sig)
	}
}

func (p *parser) tables(r *reader) {
	for range r.entries() {
		r.byte()
		p.out.Tables = append(p.out.Tables, limits(r))
		if r.err != nil {
			return
		}
	}
}

func (p *parser) memories(r *reader) {
	for range r.entries() {
		p.out.Memories = append(p.out.Memories, limits(r))
		if r.err != nil {
			return
		}
	}
}

func limits(r *reader) Limits {
	l := Limits{Flags: r.byte()}
	if l.Flags > 1 {
		r.failf("a memory or table is shared, 64 bits wide or of a later proposal")
		return l
	}
	l.Min = uint64(r.u32())
	if l.Flags == 1 {
		l.Max, l.HasMax = uint64(r.u32()), true
	}
	return l
}

func (p *parser) exports(r *reader) {
	for range r.entries() {
		e := Export{Name: r.name(), Kind: Kind(r.byte())}
		e.Index = r.u32()
		if e.Kind == Func && r.err == nil {
			if uint64(e.Index) >= uint64(len(p.funcs)) {
				r.failf("export %q names a function that does not exist", e.Name)
				return
			}
			e.Type = p.sig(r, p.funcs[e.Index])
		}
		if r.err != nil {
			return
		}
		p.out.Exports = append(p.out.Exports, e)
	}
}
