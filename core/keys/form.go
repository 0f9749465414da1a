package keys

import (
	"bytes"
	"strings"
)

// form is one way in which a value is written: as it is, or as a number whose digits
// are packed two to a byte, which is how card networks write it. The first digit may be
// the lower half of a byte, and the last one the upper half of another; the other halves
// of those bytes belong to something else.
type form struct {
	value       int    // which of the veil's
	whole       []byte // what fills its bytes
	packed      bool
	first, last int // the digit in half a byte before and after whole; -1: none
}

// place is where a form of a value was found.
type place struct {
	value    int
	from, to int
	packed   bool
	// before and after are the halves of its outer bytes that are not its own; -1: none.
	before, after int
}

func formsOf(value string, n int) []form {
	forms := []form{{value: n, whole: []byte(value), first: -1, last: -1}}
	if strings.Trim(value, "0123456789") != "" {
		return forms
	}
	for _, first := range []int{0, 1} {
		f := form{value: n, packed: true, first: -1, last: -1}
		digits := value[first:]
		if first == 1 {
			f.first = int(value[0] - '0')
		}
		if len(digits)%2 == 1 {
			f.last = int(digits[len(digits)-1] - '0')
			digits = digits[:len(digits)-1]
		}
		for i := 0; i < len(digits); i += 2 {
			f.whole = append(f.whole, (digits[i]-'0')<<4|(digits[i+1]-'0'))
		}
		forms = append(forms, f)
	}
	return forms
}

// find is the first place of a form at or after from.
func (f form) find(b []byte, from int) (at place, found bool) {
	if f.first >= 0 {
		from++
	}
	for from < len(b) {
		i := bytes.Index(b[from:], f.whole)
		if i < 0 {
			return at, false
		}
		i += from
		at = place{value: f.value, from: i, to: i + len(f.whole), packed: f.packed, before: -1, after: -1}
		fits := true
		if f.first >= 0 {
			at.from--
			at.before = int(b[at.from] >> 4)
			fits = int(b[at.from]&0xf) == f.first
		}
		if f.last >= 0 {
			if fits = fits && at.to < len(b) && int(b[at.to]>>4) == f.last; fits {
				at.after = int(b[at.to] & 0xf)
				at.to++
			}
		}
		if fits {
			return at, true
		}
		from = i + 1
	}
	return at, false
}
