package connector

import (
	"slices"
	"strconv"
	"strings"
)

// Vars are named JSON values. A value is nil, a string, a bool, an integer, a
// float64, a json.Number, RawJSON, a Vars, a map[string]any, a map[string]string,
// a slice of strings, of any, of Vars or of map[string]any, or has a method
// MarshalJSON.
// Wrap anything else, such as a struct, in Value. Keys are written in ascending
// order. A value of another type panics, naming the key.
//
// Amounts of money are strings, never float64.
type Vars map[string]any

// RawJSON is JSON text that is used as it is. Empty means null.
type RawJSON []byte

// JSON is the object's text; of nil Vars it is {}.
func (v Vars) JSON() []byte { return appendObject(make([]byte, 0, 2+48*len(v)), v) }

// encode writes the variables as fields of that number.
func (v Vars) encode(w *writer, number int) {
	var room [pairsRoom]pairOf[any]
	for _, p := range sortedPairs(room[:0], v) {
		// What begin, text and end do, in one place, since in a guest a call is dear.
		if len(p.name) == 0 || len(p.name) >= 0x80 {
			variable := w.begin(number)
			w.text(1, p.name)
			json := w.begin(2)
			*w = appendValue(*w, p.name, p.value)
			w.end(json)
			w.end(variable)
			continue
		}
		out := append(*w, byte(number<<3|typeLength), 0, 1<<3|typeLength, byte(len(p.name)))
		variable := len(out) - 2
		out = append(append(out, p.name...), 2<<3|typeLength, 0)
		json := len(out)
		out = appendValue(out, p.name, p.value)
		if n := len(out) - variable; n < 0x80 {
			out[json-1], out[variable-1] = byte(len(out)-json), byte(n)
			*w = out
			continue
		}
		*w = out
		w.end(json)
		w.end(variable)
	}
}

func (v Vars) encoded(number int) writer {
	if len(v) == 0 {
		return nil
	}
	w := pieces.room(96 * len(v))
	v.encode(&w, number)
	return pieces.taken(w)
}

// pairsRoom is how many pairs of a map are sorted without an allocation.
const pairsRoom = 8

type pairOf[V any] struct {
	name  string
	value V
}

// sortedPairs puts the map in ascending order into the room of pairs, if it fits.
func sortedPairs[V any](pairs []pairOf[V], m map[string]V) []pairOf[V] {
	if len(m) > cap(pairs) {
		pairs = make([]pairOf[V], 0, len(m))
	}
	for k, v := range m {
		pairs = append(pairs, pairOf[V]{k, v})
	}
	if len(pairs) <= pairsRoom {
		for i := range pairs {
			for j := i; j > 0 && pairs[j].name < pairs[j-1].name; j-- {
				pairs[j], pairs[j-1] = pairs[j-1], pairs[j]
			}
		}
		return pairs
	}
	slices.SortFunc(pairs, func(a, b pairOf[V]) int { return strings.Compare(a.name, b.name) })
	return pairs
}

// appendObject has no type parameter, so that the compiler sees that a Vars does
// not outlive the call, and leaves it on the stack.
func appendObject(dst []byte, m map[string]any) []byte {
	var room [pairsRoom]pairOf[any]
	dst = append(dst, '{')
	for i, p := range sortedPairs(room[:0], m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, p.name), ':')
		dst = appendValue(dst, p.name, p.value)
	}
	return append(dst, '}')
}

func appendTexts(dst []byte, m map[string]string) []byte {
	var room [pairsRoom]pairOf[string]
	dst = append(dst, '{')
	for i, p := range sortedPairs(room[:0], m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, p.name), ':')
		dst = appendString(dst, p.value)
	}
	return append(dst, '}')
}

func appendArray[V any](dst []byte, name string, s []V) []byte {
	dst = append(dst, '[')
	for i, v := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, name, v)
	}
	return append(dst, ']')
}

func appendValue(dst []byte, name string, v any) []byte {
	// As most are; the long switch of appendJSON is for the others.
	switch v := v.(type) {
	case string:
		return appendString(dst, v)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case RawJSON:
		if len(v) > 0 {
			return append(dst, v...)
		}
	}
	dst, ok := appendJSON(dst, name, v)
	if !ok {
		panic("connector: the value of " + strconv.Quote(name) + " is of a type that Vars does not write: wrap it in connector.Value")
	}
	return dst
}

// appendJSON writes a value without reflection; ok is false for types it does
// not know.
func appendJSON(dst []byte, name string, v any) (_ []byte, ok bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), true
	case string:
		return appendString(dst, v), true
	case bool:
		return strconv.AppendBool(dst, v), true
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int64:
		return strconv.AppendInt(dst, v, 10), true
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case uint64:
		return strconv.AppendUint(dst, v, 10), true
	case float64:
		if v-v != 0 { // NaN and the infinities have no JSON
			panic("connector: the value of " + strconv.Quote(name) + " is not a finite number")
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64), true
	case RawJSON:
		if len(v) == 0 {
			return append(dst, "null"...), true
		}
		return append(dst, v...), true
	case Vars:
		return appendObject(dst, v), true
	case map[string]any:
		return appendObject(dst, v), true
	case map[string]string:
		return appendTexts(dst, v), true
	case []string:
		return appendArray(dst, name, v), true
	case []any:
		return appendArray(dst, name, v), true
	case []Vars:
		return appendArray(dst, name, v), true
	case []map[string]any:
		return appendArray(dst, name, v), true
	case interface { // json.Number, without importing its package
		Float64() (float64, error)
		Int64() (int64, error)
		String() string
	}:
		if v.String() == "" {
			return append(dst, '0'), true
		}
		return append(dst, v.String()...), true
	case interface{ MarshalJSON() ([]byte, error) }:
		out, err := v.MarshalJSON()
		if err != nil {
			panic("connector: the value of " + strconv.Quote(name) + ": " + err.Error())
		}
		return append(dst, out...), true
	}
	return dst, false
}
