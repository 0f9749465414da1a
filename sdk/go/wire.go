package connector

// The contract's encoding, as much of Protocol Buffers as sdk/v1 uses. It is
// written by hand because a step costs what it allocates: the generated code
// makes an object of every message, wanted or not, and brings fmt into the
// module. wire_test.go holds it against the generated code.

// malformed is the panic value for bytes that are not what the contract says.
type malformed struct{}

func (malformed) Error() string { return "it is not valid Protocol Buffers" }

// Wire types.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeLength  = 2
	typeFixed32 = 5
)

// fields walks over the fields of an encoded message. What it hands out are
// parts of the input.
type fields struct {
	rest   string
	number int // of the current field
	typ    int
	bits   uint64 // its value, unless it has a length
	value  string
}

// next moves to the next field. It panics with malformed.
func (f *fields) next() bool {
	if f.rest == "" {
		return false
	}
	tag := f.varint()
	f.number, f.typ = int(tag>>3), int(tag&7)
	switch f.typ {
	case typeLength:
		n := f.varint()
		if n > uint64(len(f.rest)) {
			panic(malformed{})
		}
		f.value, f.rest = f.rest[:n], f.rest[n:]
	case typeVarint:
		f.bits = f.varint()
	case typeFixed64:
		f.bits = f.fixed(8)
	case typeFixed32:
		f.bits = f.fixed(4)
	default: // groups, which no version of the contract has
		panic(malformed{})
	}
	if tag>>3 == 0 || tag>>3 > 1<<29-1 {
		panic(malformed{})
	}
	return true
}

func (f *fields) varint() uint64 {
	if f.rest != "" && f.rest[0] < 0x80 {
		n := uint64(f.rest[0])
		f.rest = f.rest[1:]
		return n
	}
	n := uint64(0)
	for i := 0; i < len(f.rest) && i < 10; i++ {
		b := f.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			f.rest = f.rest[i+1:]
			return n
		}
	}
	panic(malformed{})
}

func (f *fields) fixed(bytes int) uint64 {
	if len(f.rest) < bytes {
		panic(malformed{})
	}
	n := uint64(0)
	for i := bytes - 1; i >= 0; i-- {
		n = n<<8 | uint64(f.rest[i])
	}
	f.rest = f.rest[bytes:]
	return n
}

// text is the value of a string, bytes or message field.
func (f *fields) text() string {
	if f.typ != typeLength {
		panic(malformed{})
	}
	return f.value
}

// uint is the value of an integer or bool field; fixed64 of one of that type.
func (f *fields) uint() uint64 {
	if f.typ != typeVarint {
		panic(malformed{})
	}
	return f.bits
}

func (f *fields) fixed64() uint64 {
	if f.typ != typeFixed64 {
		panic(malformed{})
	}
	return f.bits
}

// message is the value of a message field, given what came before: a message
// that comes in two pieces is both, one after the other.
func (f *fields) message(before string) string {
	if before == "" {
		return f.text()
	}
	return before + f.text()
}

// pair reads a message of two texts, as Variable, Header, InDoubt and Failure
// are.
func pair(message string) (first, second string) {
	f := fields{rest: message}
	for f.next() {
		switch f.number {
		case 1:
			first = f.text()
		case 2:
			second = f.text()
		}
	}
	return first, second
}

// lookup finds the value of the first pair of that name among the fields of that
// number.
func lookup(message string, number int, name string) string {
	f := fields{rest: message}
	for f.next() {
		if f.number == number {
			if key, value := pair(f.text()); key == name {
				return value
			}
		}
	}
	return ""
}

// writer appends fields in the canonical encoding, if it is given them in
// ascending order: defaults are left out. Field numbers are below 16.
type writer []byte

func (w *writer) uint(number int, n uint64) {
	if n != 0 {
		*w = appendVarint(append(*w, byte(number<<3|typeVarint)), n)
	}
}

func (w *writer) bool(number int, v bool) {
	if v {
		w.uint(number, 1)
	}
}

func (w *writer) fixed64(number int, n uint64) {
	if n != 0 {
		*w = append(*w, byte(number<<3|typeFixed64), byte(n), byte(n>>8), byte(n>>16), byte(n>>24),
			byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
	}
}

func (w *writer) text(number int, s string) {
	if s != "" {
		w.always(number, s)
	}
}

// always writes an element of a repeated field, which has no default to leave out.
func (w *writer) always(number int, s string) {
	*w = append(appendVarint(append(*w, byte(number<<3|typeLength)), uint64(len(s))), s...)
}

func (w *writer) bytes(number int, b []byte) {
	if len(b) != 0 {
		*w = append(appendVarint(append(*w, byte(number<<3|typeLength)), uint64(len(b))), b...)
	}
}

// begin starts a field whose length is not known yet, and end ends it, given
// what begin returned.
func (w *writer) begin(number int) (at int) {
	*w = append(*w, byte(number<<3|typeLength), 0)
	return len(*w)
}

func (w *writer) end(at int) {
	n := len(*w) - at
	if n < 0x80 {
		(*w)[at-1] = byte(n)
		return
	}
	var length [10]byte
	size := len(appendVarint(length[:0], uint64(n)))
	*w = append(*w, length[:size-1]...) // room for the longer length
	copy((*w)[at-1+size:], (*w)[at:at+n])
	copy((*w)[at-1:], length[:size])
}

func appendVarint(dst []byte, n uint64) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}
