package feel

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
)

// FromJSON is the value of one JSON text. Literals, integers and strings without
// escapes take a short way, since the engine reads variables by it whenever an
// expression looks one up. Objects become contexts in the order of their members.
func FromJSON(text []byte) (Value, error) {
	if v, ok := scalar(text); ok {
		return v, nil
	}
	if !json.Valid(text) {
		return Null, errors.New("not a JSON text")
	}
	d := decoder{text: text}
	v, err := d.value(0)
	if err != nil {
		return Null, err
	}
	return v, nil
}

// scalar reads the plain texts; ok is false where the full decoder must look.
func scalar(text []byte) (Value, bool) {
	switch string(text) {
	case "true":
		return Bool(true), true
	case "false":
		return Bool(false), true
	case "null":
		return Null, true
	case "":
		return Null, false
	}
	if text[0] == '"' {
		s, ok := plainText(text)
		if !ok {
			return Null, false
		}
		return String(string(s)), true
	}
	return smallNumber(text)
}

// plainText is what stands between the quotes of a JSON string of ASCII without
// escapes.
func plainText(text []byte) ([]byte, bool) {
	last := len(text) - 1
	if last < 1 || last > maxWeight || text[0] != '"' || text[last] != '"' {
		return nil, false
	}
	for _, c := range text[1:last] {
		if c < 0x20 || c >= utf8.RuneSelf || c == '\\' || c == '"' {
			return nil, false
		}
	}
	return text[1:last], true
}

// smallNumber reads a number of at most 18 digits without an exponent, such as an
// amount.
func smallNumber(text []byte) (Value, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(digits) > 1 && digits[1] != '.' {
		return Null, false
	}
	n, point := int64(0), -1
	for i, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && i > 0 && i < len(digits)-1:
			point = i
		default:
			return Null, false
		}
	}
	if len(digits) < len(text) {
		n = -n
	}
	switch {
	case point >= 0:
		return number(apd.New(n, int32(point+1-len(digits)))), true
	case len(digits) > 18:
		return Null, false
	}
	return Int(n), true
}

// decoder walks a text that json.Valid has accepted, so it checks only our limits.
type decoder struct {
	text []byte
	at   int
}

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (Value, error) {
	if depth >= maxHeight {
		return Null, fmt.Errorf("JSON nested deeper than %d", maxHeight)
	}
	d.space()
	switch c := d.text[d.at]; c {
	case 'n':
		d.at += 4
		return Null, nil
	case 't':
		d.at += 4
		return Bool(true), nil
	case 'f':
		d.at += 5
		return Bool(false), nil
	case '"':
		s, err := d.string()
		return String(s), err
	case '[':
		return d.list(depth)
	case '{':
		return d.object(depth)
	default:
		return d.number()
	}
}

func (d *decoder) string() (string, error) {
	start, plain := d.at, true
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if d.text[d.at] == '\\' {
			plain = false
			d.at++
		}
	}
	d.at++
	raw := d.text[start:d.at]
	if plain && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", errors.New("not a JSON text")
	}
	return s, nil
}

func (d *decoder) number() (Value, error) {
	start := d.at
	for d.at < len(d.text) {
		c := d.text[d.at]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		d.at++
	}
	v, ok := parseNumber(string(d.text[start:d.at]))
	if !ok {
		return Null, fmt.Errorf("the number %s is beyond 34 digits and exponent 6144", clip(string(d.text[start:d.at])))
	}
	return v, nil
}

func (d *decoder) list(depth int) (Value, error) {
	var items []Value
	for d.at++; ; d.at++ {
		d.space()
		if d.text[d.at] == ']' {
			break
		}
		item, err := d.value(depth + 1)
		if err != nil {
			return Null, err
		}
		items = append(items, item)
		if d.space(); d.text[d.at] == ']' {
			break
		}
	}
	d.at++
	return limited(List(items...))
}

func (d *decoder) object(depth int) (Value, error) {
	var entries []Entry
	for d.at++; ; d.at++ {
		d.space()
		if d.text[d.at] == '}' {
			break
		}
		key, err := d.string()
		if err != nil {
			return Null, err
		}
		d.space()
		d.at++ // the colon
		value, err := d.value(depth + 1)
		if err != nil {
			return Null, err
		}
		entries = append(entries, Entry{key, value})
		if d.space(); d.text[d.at] == '}' {
			break
		}
	}
	d.at++
	return limited(NewContext(entries...))
}

func limited(v Value) (Value, error) {
	if v.IsNull() {
		return Null, fmt.Errorf("JSON of more than %d elements and bytes of text", maxWeight)
	}
	return v, nil
}

// AppendJSON appends the value as canonical JSON: no spaces, members in the
// context's order, numbers as plain decimals. Dates, times and durations become
// their ISO 8601 texts, ranges their FEEL text, functions null.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case KindNull, KindFunction:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, v.num == 1)
	case KindNumber:
		return appendNumber(dst, v)
	case KindString:
		return appendQuoted(dst, v.text)
	case KindList:
		dst = append(dst, '[')
		for i, item := range v.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.AppendJSON(dst)
		}
		return append(dst, ']')
	case KindContext:
		dst = append(dst, '{')
		for i, entry := range v.Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(dst, entry.Key)
			dst = append(dst, ':')
			dst = entry.Value.AppendJSON(dst)
		}
		return append(dst, '}')
	}
	return appendQuoted(dst, v.String())
}

// appendQuoted writes a JSON string with the fewest escapes; what is not UTF-8
// becomes U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
