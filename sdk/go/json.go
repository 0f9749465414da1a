package connector

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plain holds the bytes that stand for themselves in a JSON string and are one
// character.
var plain = func() (plain [256]bool) {
	for b := byte(' '); b < utf8.RuneSelf; b++ {
		plain[b] = b != '"' && b != '\\'
	}
	return plain
}()

// plainEnd is where the plain bytes that begin at that place end. It goes in
// eights, since in a guest the turns of a loop cost more than what is done in
// them: of eight bytes below 0x80, one sets a top bit if it is below a blank or
// has become zero by exclusive or with a quote or a backslash.
func plainEnd(s string, at int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for at+8 <= len(s) {
		b := s[at : at+8]
		v := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if (v|(v-ones*' ')|((v^ones*'"')-ones)|((v^ones*'\\')-ones))&tops != 0 {
			break
		}
		at += 8
	}
	for at < len(s) && plain[s[at]] {
		at++
	}
	return at
}

// appendString writes a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := plainEnd(s, 0); i < len(s); i = plainEnd(s, i) {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// jsonText is the text of a JSON scalar: a string's contents, else the JSON
// itself; "" for null and for a string that is not well formed.
func jsonText(json string) string {
	if json == "" || json == "null" {
		return ""
	}
	if json[0] != '"' {
		return json
	}
	s, _ := unquote(json)
	return s
}

// jsonInt reads an integer, as a JSON number or in a JSON string.
func jsonInt(json string) (int64, bool) {
	n, err := strconv.ParseInt(jsonText(json), 10, 64)
	if err != nil {
		return 0, false // not the nearest number, which ParseInt gives
	}
	return n, true
}

// unquote reads a JSON string. One without escapes is a part of the input.
func unquote(json string) (string, bool) {
	if len(json) < 2 || json[0] != '"' || json[len(json)-1] != '"' {
		return "", false
	}
	in := json[1 : len(json)-1]
	from := plainEnd(in, 0)
	for from < len(in) && in[from] >= utf8.RuneSelf {
		from = plainEnd(in, from+1)
	}
	if from == len(in) {
		return in, true
	}
	out := append(make([]byte, 0, len(in)), in[:from]...)
	for i := from; i < len(in); i++ {
		b := in[i]
		if b == '"' || b < ' ' {
			return "", false
		}
		if b != '\\' {
			out = append(out, b)
			continue
		}
		i++
		if i == len(in) {
			return "", false
		}
		switch in[i] {
		case '"', '\\', '/':
			out = append(out, in[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(in, i+1)
			if !ok {
				return "", false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+2 < len(in) && in[i+1] == '\\' && in[i+2] == 'u' {
					if low, ok := hex4(in, i+3); ok {
						if pair = utf16.DecodeRune(r, low); pair != utf8.RuneError {
							i += 6
						}
					}
				}
				r = pair
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", false
		}
	}
	return string(out), true
}

func hex4(in string, at int) (rune, bool) {
	if at+4 > len(in) {
		return 0, false
	}
	n, err := strconv.ParseUint(in[at:at+4], 16, 16)
	return rune(n), err == nil
}
