package wasm

import (
	"bytes"
	"unicode/utf8"
)

// Header is the magic number and version that every module begins with.
var Header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Section ids of the core specification.
const (
	SectionCustom    = 0
	SectionType      = 1
	SectionImport    = 2
	SectionFunction  = 3
	SectionTable     = 4
	SectionMemory    = 5
	SectionGlobal    = 6
	SectionExport    = 7
	SectionStart     = 8
	SectionElement   = 9
	SectionCode      = 10
	SectionData      = 11
	SectionDataCount = 12
)

// Section is one section of a module.
type Section struct {
	ID byte
	// Name is set for custom sections.
	Name string
	// Content is what follows the size, or for custom sections the name.
	Content []byte
	// Raw is the whole section, id and size included.
	Raw []byte
}

// SectionsMax bounds the sections of a module, custom ones among them.
const SectionsMax = 1_000

// Sections splits a module. The parts share the module's memory.
func Sections(module []byte) ([]Section, error) {
	if !bytes.HasPrefix(module, Header) {
		if bytes.HasPrefix(module, Header[:4]) && len(module) >= 8 {
			return nil, faulty(Feature, "a version or layer other than a core module of version 1")
		}
		return nil, malformed("it does not begin with the magic number of WebAssembly")
	}
	r := reader{data: module, at: len(Header)}
	var out []Section
	last := 0
	for r.at < len(module) {
		if len(out) == SectionsMax {
			return nil, faulty(TooLarge, "it has more than %d sections", SectionsMax)
		}
		start := r.at
		id := r.byte()
		content := r.bytes(r.u32())
		if r.err != nil {
			return nil, r.err
		}
		s := Section{ID: id, Content: content, Raw: module[start:r.at]}
		switch rank := order(id); {
		case id == SectionCustom:
			c := reader{data: content}
			s.Name = c.name()
			if c.err != nil {
				return nil, c.err
			}
			s.Content = content[c.at:]
		case rank == 0:
			return nil, malformed("section id %d is unknown", id)
		case rank <= last:
			return nil, malformed("section id %d is out of order or doubled", id)
		default:
			last = rank
		}
		out = append(out, s)
	}
	return out, nil
}

// order is the place of a section among the others; the data count comes before
// the code, whatever its id.
func order(id byte) int {
	switch {
	case id >= SectionType && id <= SectionElement:
		return int(id)
	case id == SectionDataCount:
		return 10
	case id == SectionCode:
		return 11
	case id == SectionData:
		return 12
	}
	return 0
}

// Custom returns the content of the custom section of that name.
func Custom(module []byte, name string) (content []byte, found bool, err error) {
	sections, err := Sections(module)
	if err != nil {
		return nil, false, err
	}
	for _, s := range sections {
		if s.ID != SectionCustom || s.Name != name {
			continue
		}
		if found {
			return nil, false, malformed("custom section %s is doubled", name)
		}
		content, found = s.Content, true
	}
	return content, found, nil
}

// WithCustom returns a copy of the module that ends with the custom section, in
// place of any of that name.
func WithCustom(module []byte, name string, content []byte) ([]byte, error) {
	sections, err := Sections(module)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(Header)
	for _, s := range sections {
		if s.ID != SectionCustom || s.Name != name {
			out = append(out, s.Raw...)
		}
	}
	inner := AppendU32(nil, uint32(len(name)))
	inner = append(append(inner, name...), content...)
	return AppendSection(out, SectionCustom, inner), nil
}

// AppendSection appends a section with its id and size.
func AppendSection(dst []byte, id byte, content []byte) []byte {
	dst = AppendU32(append(dst, id), uint32(len(content)))
	return append(dst, content...)
}

// AppendU32 appends an unsigned LEB128 number.
func AppendU32(dst []byte, n uint32) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// reader reads a section's content. After its first error it returns zeros.
type reader struct {
	data []byte
	at   int
	err  error
	// targets is room for instruction.
	targets []uint32
}

func (r *reader) failf(format string, args ...any) { r.fault(Broken, format, args...) }

func (r *reader) fault(fault Fault, format string, args ...any) {
	if r.err == nil {
		r.err = faulty(fault, format, args...)
		r.at = len(r.data)
	}
}

func (r *reader) byte() byte {
	if r.at >= len(r.data) {
		r.failf("it ends too early")
		return 0
	}
	b := r.data[r.at]
	r.at++
	return b
}

func (r *reader) u32() uint32 { return uint32(r.uint(32)) }

func (r *reader) uint(bits int) uint64 {
	var n uint64
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		if left := bits - shift; left < 7 && b>>left != 0 {
			r.failf("a number has more than %d bits", bits)
			return 0
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.failf("a number is too long")
	return 0
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.data)-r.at) {
		r.failf("a length reaches beyond the end")
		return nil
	}
	out := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return out
}

func (r *reader) name() string {
	name := string(r.bytes(r.u32()))
	if !utf8.ValidString(name) {
		r.failf("a name is not UTF-8")
	}
	return name
}

// count reads the length of a vector whose elements take at least one byte each.
func (r *reader) count() int {
	n := r.u32()
	if uint64(n) > uint64(len(r.data)-r.at) {
		r.failf("a count is larger than what follows")
		return 0
	}
	return int(n)
}
