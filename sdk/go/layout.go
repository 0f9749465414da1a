package connector

// layout is where the fields of a message lie: by their numbers, where a value of a
// length begins, shifted by 32, and where it ends, and of an integer the integer.
// Zero is a field that is not there, which reads as the default.
type layout [16]uint64

// read finds the fields of a message as every host writes it: in ascending order,
// with numbers below 16, no more than one of each but of those in repeats. The
// places of those of number listed go to list; of other repeated ones the last is
// found. Integers are the fields in integers. It returns the last field's number,
// and is not ok for any other message, of which fields makes what can be made.
//
// It is what most of a step's reading goes through, and written for the way that Go
// compiles to WebAssembly: there a branch that is taken costs as much as ten
// instructions, so that there are as few as can be and the fields are sorted by
// storing and not by a switch.
func (l *layout) read(message string, integers, repeats uint32, listed int, list []variable) (_ []variable, last int, ok bool) {
	// Sixteen stores, since clearing an array is a call in a guest.
	l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7] = 0, 0, 0, 0, 0, 0, 0, 0
	l[8], l[9], l[10], l[11], l[12], l[13], l[14], l[15] = 0, 0, 0, 0, 0, 0, 0, 0
	for at := 0; at < len(message); {
		tag := int(message[at])
		number := tag >> 3
		if tag >= 0x80 || at+1 >= len(message) {
			return list, 0, false
		}
		n := uint64(message[at+1])
		at += 2
		if n >= 0x80 {
			if at < len(message) && message[at] < 0x80 {
				n += uint64(message[at])<<7 - 0x80
				at++
			} else {
				n, at = varint(message, at-1)
			}
		}
		if number <= last && (number != last || repeats>>number&1 == 0) {
			return list, 0, false
		}
		last = number
		// What follows the tag is an integer or the length of what is there.
		if uint32(tag&7) != typeLength-typeLength*(integers>>number&1) {
			return list, 0, false
		}
		if tag&7 == typeLength {
			if n > uint64(len(message)-at) {
				return list, 0, false
			}
			end := at + int(n)
			if number == listed {
				list = append(list, variable{name: uint32(at), nameEnd: uint32(end)})
			}
			n = uint64(at)<<32 | uint64(end)
			at = end
		}
		l[number] = n
	}
	return list, last, true
}

// text is the value of a text or message field.
func (l *layout) text(message string, number int) string {
	return message[l[number]>>32 : uint32(l[number])]
}
