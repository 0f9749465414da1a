package feel

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Kind is the type of a value.
type Kind uint8

// The types of FEEL.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindList
	KindContext
	KindDate
	KindTime
	KindDateTime
	KindDuration // days and time duration
	KindMonths   // years and months duration
	KindRange
	KindFunction
)

var kindNames = [...]string{
	"null", "boolean", "number", "string", "list", "context", "date", "time", "date and time",
	"days and time duration", "years and months duration", "range", "function",
}

// String is the name FEEL gives the type.
func (k Kind) String() string { return kindNames[k] }

// Value is one FEEL value. The zero Value is null. Values are immutable and may be
// shared; those whose meaning fits the struct (null, booleans, integers, strings,
// dates, durations) need no further memory.
type Value struct {
	kind Kind
	nano int32  // KindDuration: nanoseconds, 0 … 999,999,999
	num  int64  // KindBool: 0 or 1; KindNumber without ref: the integer; days, seconds or months
	text string // KindString
	ref  any    // *apd.Decimal, *list, *Context, *clock, *interval, *function
}

// Limits on what one evaluation or one JSON text may build. They keep a hostile
// expression from exhausting a node: beyond them the answer is null (or an error
// from FromJSON).
const (
	maxWeight = 1 << 20 // elements, entries and bytes of text in one value
	maxHeight = 128     // nesting of lists and contexts
)

type list struct {
	items  []Value
	weight int
	height int
}

// Context is an ordered set of named values.
type Context struct {
	entries []Entry
	weight  int
	height  int
}

// Entry is one name of a context and its value.
type Entry struct {
	Key   string
	Value Value
}

// Null is the value null.
var Null Value

// Bool is a boolean value.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int is a number.
func Int(n int64) Value { return Value{kind: KindNumber, num: n} }

// String is a text.
func String(s string) Value { return Value{kind: KindString, text: s} }

// List is a list of the values, which the caller no longer changes. A list beyond
// the limits of this package is null.
func List(items ...Value) Value {
	weight, height := 1, 1
	for i := range items {
		weight += items[i].weight()
		height = max(height, items[i].height()+1)
		if weight > maxWeight {
			return Null
		}
	}
	if height > maxHeight {
		return Null
	}
	return Value{kind: KindList, ref: &list{items: items, weight: weight, height: height}}
}

// NewContext is a context of the entries, which the caller no longer changes. Of two
// entries with one key the later wins. A context beyond the limits of this package
// is null.
func NewContext(entries ...Entry) Value {
	weight, height := 1, 1
	for i := range entries {
		weight += entries[i].Value.weight() + len(entries[i].Key)
		height = max(height, entries[i].Value.height()+1)
		if weight > maxWeight {
			return Null
		}
	}
	if height > maxHeight {
		return Null
	}
	return Value{kind: KindContext, ref: &Context{entries: unique(entries), weight: weight, height: height}}
}

// unique drops all but the last entry of each key.
func unique(entries []Entry) []Entry {
	if len(entries) < 2 {
		return entries
	}
	last := make(map[string]int, len(entries))
	for i := range entries {
		last[entries[i].Key] = i
	}
	if len(last) == len(entries) {
		return entries
	}
	kept := make([]Entry, 0, len(last))
	for i := range entries {
		if last[entries[i].Key] == i {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

func (v Value) weight() int {
	switch ref := v.ref.(type) {
	case *list:
		return ref.weight
	case *Context:
		return ref.weight
	}
	return 1 + len(v.text)
}

func (v Value) height() int {
	switch ref := v.ref.(type) {
	case *list:
		return ref.height
	case *Context:
		return ref.height
	}
	return 0
}

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Bool is the boolean; ok is false for any other type.
func (v Value) Bool() (b, ok bool) { return v.num == 1 && v.kind == KindBool, v.kind == KindBool }

// Text is the string; ok is false for any other type.
func (v Value) Text() (s string, ok bool) { return v.text, v.kind == KindString }

// Int64 is the number if it is an integer that fits.
func (v Value) Int64() (n int64, ok bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	if v.ref == nil {
		return v.num, true
	}
	return integer(v.ref.(*apd.Decimal))
}

// Items are the elements of a list, not to be changed; nil for any other type.
func (v Value) Items() []Value {
	if l, ok := v.ref.(*list); ok {
		return l.items
	}
	return nil
}

// Entries are the entries of a context in order, not to be changed; nil for any
// other type.
func (v Value) Entries() []Entry {
	if c, ok := v.ref.(*Context); ok {
		return c.entries
	}
	return nil
}

// Get is the value of a context's key.
func (v Value) Get(key string) (Value, bool) {
	c, ok := v.ref.(*Context)
	if !ok {
		return Null, false
	}
	for i := range c.entries {
		if c.entries[i].Key == key {
			return c.entries[i].Value, true
		}
	}
	return Null, false
}

// String is the value as FEEL's string function writes it. Null is "null".
func (v Value) String() string {
	switch v.kind {
	case KindString:
		return v.text
	default:
		var b strings.Builder
		v.write(&b)
		return b.String()
	}
}

// write appends the value as it stands inside a list: strings are quoted.
func (v Value) write(b *strings.Builder) {
	switch v.kind {
	case KindNull:
		b.WriteString("null")
	case KindBool:
		if v.num == 1 {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case KindNumber:
		b.Write(appendNumber(nil, v))
	case KindString:
		writeQuoted(b, v.text)
	case KindList:
		b.WriteByte('[')
		for i, item := range v.Items() {
			if i > 0 {
				b.WriteString(", ")
			}
			item.write(b)
		}
		b.WriteByte(']')
	case KindContext:
		b.WriteByte('{')
		for i, entry := range v.Entries() {
			if i > 0 {
				b.WriteString(", ")
			}
			writeKey(b, entry.Key)
			b.WriteString(": ")
			entry.Value.write(b)
		}
		b.WriteByte('}')
	case KindRange:
		v.ref.(*interval).write(b)
	case KindFunction:
		b.WriteString("function")
	default:
		b.WriteString(v.temporal())
	}
}

func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	b.WriteString(strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`))
	b.WriteByte('"')
}

// writeKey writes a context's key bare if it is a name, else as a string.
func writeKey(b *strings.Builder, key string) {
	for i, r := range key {
		if !nameStart(r) && (i == 0 || !namePart(r) && r != ' ') {
			writeQuoted(b, key)
			return
		}
	}
	b.WriteString(key)
}
