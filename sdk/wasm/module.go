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
	// Types are the function types, and Funcs those of the functions defined here,
	// in order.
	Types, Funcs []FuncType
	// ImportedGlobals and Globals count the globals imported and defined here.
	ImportedGlobals, Globals int
	// HasStart says that the module names a function to run on instantiation.
	HasStart bool

	// imported are the types of the imported functions.
	imported []FuncType
}

// function is the type of the function of that index, imported ones first.
func (o *Outline) function(index uint32) (FuncType, bool) {
	n := uint64(len(o.imported))
	switch at := uint64(index); {
	case at < n:
		return o.imported[at], true
	case at-n < uint64(len(o.Funcs)):
		return o.Funcs[at-n], true
	}
	return FuncType{}, false
}

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
		case SectionGlobal:
			p.globals(r)
		case SectionElement:
			p.elements(r)
		case SectionData:
			p.data(r)
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

// parser does not number imported memories and tables: an export of one of them
// is told by its kind alone.
type parser struct{ out *Outline }

func (p *parser) types(r *reader) {
	for range r.entries(TypesMax, "types") {
		if form := r.byte(); form != 0x60 && r.err == nil {
			r.fault(Feature, "type form %#x is not a function", form)
		}
		p.out.Types = append(p.out.Types, FuncType{Params: valueTypes(r), Results: valueTypes(r)})
		if r.err != nil {
			return
		}
	}
}

// entries reads the length of one of a module's lists.
func (r *reader) entries(most int, what string) int {
	n := r.count()
	if n > most {
		r.fault(TooLarge, "%d %s are more than %d", n, what, most)
		return 0
	}
	return n
}

func valueTypes(r *reader) []ValueType {
	n := r.u32()
	if n > ValuesMax {
		r.fault(TooLarge, "a function type has %d parameters or results, more than %d", n, ValuesMax)
		return nil
	}
	var out []ValueType
	for _, b := range r.bytes(n) {
		out = append(out, ValueType(b))
	}
	return out
}

func (p *parser) imports(r *reader) {
	for range r.entries(ImportsMax, "imports") {
		i := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		switch i.Kind {
		case Func:
			i.Type = p.sig(r, r.u32())
			p.out.imported = append(p.out.imported, i.Type)
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
	if uint64(index) >= uint64(len(p.out.Types)) {
		r.failf("type index %d does not exist", index)
		return FuncType{}
	}
	return p.out.Types[index]
}

func (p *parser) functions(r *reader) {
	for range r.entries(FunctionsMax, "functions") {
		sig := p.sig(r, r.u32())
		if r.err != nil {
			return
		}
		p.out.Funcs = append(p.out.Funcs, sig)
	}
}

func (p *parser) tables(r *reader) {
	sum := uint64(0)
	for range r.entries(TablesMax, "tables") {
		r.byte()
		l := limits(r)
		p.out.Tables = append(p.out.Tables, l)
		if sum += l.Min; sum > TableElementsMax {
			r.fault(TooLarge, "the tables begin with more than %d elements", TableElementsMax)
		}
		if r.err != nil {
			return
		}
	}
}

// addressablePages are what 32 bits can address.
const addressablePages = 1 << 16

func (p *parser) memories(r *reader) {
	for range r.count() {
		if len(p.out.Memories) == 1 {
			r.fault(Feature, "it has more than one memory")
		}
		l := limits(r)
		if l.Min > addressablePages || l.Max > addressablePages {
			r.failf("a memory has more than %d pages", addressablePages)
		}
		p.out.Memories = append(p.out.Memories, l)
		if r.err != nil {
			return
		}
	}
}

func limits(r *reader) Limits {
	l := Limits{Flags: r.byte()}
	if l.Flags > 1 {
		r.fault(Feature, "a memory or table is shared, 64 bits wide or of a later proposal")
		return l
	}
	l.Min = uint64(r.u32())
	if l.Flags == 1 {
		l.Max, l.HasMax = uint64(r.u32()), true
		if l.Max < l.Min {
			r.failf("a memory's or table's maximum of %d is less than its minimum of %d", l.Max, l.Min)
		}
	}
	return l
}

func (p *parser) exports(r *reader) {
	for range r.entries(ExportsMax, "exports") {
		e := Export{Name: r.name(), Kind: Kind(r.byte())}
		e.Index = r.u32()
		if e.Kind == Func && r.err == nil {
			var known bool
			if e.Type, known = p.out.function(e.Index); !known {
				r.failf("export %q names a function that does not exist", e.Name)
				return
			}
		}
		if r.err != nil {
			return
		}
		p.out.Exports = append(p.out.Exports, e)
	}
}
