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
// parts of the input. It counts places instead of cutting the input shorter,
// since in a guest a stored pointer costs a look at the garbage collector's state.
type fields struct {
	in string
	at int // behind the current field

	number     int // of the current field
	typ        int
	start, end int    // of its value, if it has a length
	bits       uint64 // its value, if it has none
}

// next moves to the next field. It panics with malformed.
func (f *fields) next() bool {
	in, at := f.in, f.at
	if at >= len(in) {
		return false
	}
	// Nearly every tag and most lengths are of one byte.
	tag := uint64(in[at])
	at++
	if tag >= 0x80 {
		tag, at = varint(in, at-1)
	}
	number := tag >> 3
	if number == 0 || number > 1<<29-1 {
		panic(malformed{})
	}
	f.number, f.typ = int(number), int(tag&7)
	switch f.typ {
	case typeLength, typeVarint:
		if at >= len(in) {
			panic(malformed{})
		}
		n := uint64(in[at])
		at++
		if n >= 0x80 {
			if at < len(in) && in[at] < 0x80 { // or of two, as most others
				n += uint64(in[at])<<7 - 0x80
				at++
			} else {
				n, at = varint(in, at-1)
			}
		}
		f.bits = n
		if f.typ == typeLength {
			if n > uint64(len(in)-at) {
				panic(malformed{})
			}
			f.start = at
			at += int(n)
			f.end = at
		}
	case typeFixed64:
		f.bits = fixed(in, at, 8)
		at += 8
	case typeFixed32:
		f.bits = fixed(in, at, 4)
		at += 4
	default: // groups, which no version of the contract has
		panic(malformed{})
	}
	f.at = at
	return true
}

// varint reads a number of at most ten bytes, and returns where it ends.
func varint(in string, at int) (n uint64, end int) {
	for shift := 0; at < len(in) && shift < 70; shift += 7 {
		b := in[at]
		at++
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, at
		}
	}
	panic(malformed{})
}

func fixed(in string, at, bytes int) (n uint64) {
	if len(in)-at < bytes {
		panic(malformed{})
	}
	for i := at + bytes - 1; i >= at; i-- {
		n = n<<8 | uint64(in[i])
	}
	return n
}

// text is the value of a string, bytes or message field.
func (f *fields) text() string {
	if f.typ != typeLength {
		panic(malformed{})
	}
	return f.in[f.start:f.end]
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
	// As every host writes it: both texts, in order, the first a short one.
	const tagFirst, tagSecond = 1<<3 | typeLength, 2<<3 | typeLength
	if len(message) >= 2 && message[0] == tagFirst {
		if n := int(message[1]) + 2; n < 0x80+2 && n+2 <= len(message) && message[n] == tagSecond {
			length, at := uint64(message[n+1]), n+2
			if length >= 0x80 {
				length, at = varint(message, n+1)
			}
			if length == uint64(len(message)-at) {
				return message[2:n], message[at:]
			}
		}
	}
	f := fields{in: message}
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
	f := fields{in: message}
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
	out := *w
	if len(s) < 0x80 {
		out = append(out, byte(number<<3|typeLength), byte(len(s)))
	} else {
		out = appendVarint(append(out, byte(number<<3|typeLength)), uint64(len(s)))
	}
	*w = append(out, s...)
}

func (w *writer) bytes(number int, b []byte) {
	if len(b) != 0 {
		*w = append(appendVarint(append(*w, byte(number<<3|typeLength)), uint64(len(b))), b...)
	}
}

// head begins a field of a length that is known, and headBytes is how long it is.
func (w *writer) head(number, length int) {
	if length >= 0x80 && length < 0x80<<7 { // as most of what is worth a head
		*w = append(*w, byte(number<<3|typeLength), byte(length)|0x80, byte(length>>7))
		return
	}
	*w = appendVarint(append(*w, byte(number<<3|typeLength)), uint64(length))
}

func headBytes(length int) int {
	n := 2
	for ; length >= 0x80; length >>= 7 {
		n++
	}
	return n
}

// begin starts a field whose length is not known yet, and end ends it, given
// what begin returned.
func (w *writer) begin(number int) (at int) {
	if number < 16 {
		*w = append(*w, byte(number<<3|typeLength), 0)
	} else { // two bytes; no other writer meets such a number
		tag := number<<3 | typeLength
		*w = append(*w, byte(tag)|0x80, byte(tag>>7), 0)
	}
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
