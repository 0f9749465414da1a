package feel

import (
	"encoding/base64"
	"strings"
)

// extras are functions that Camunda's FEEL adds to DMN's, since the flows of the
// Zeebe dialect may use them.
var extras = []builtin{
	{"is defined", [][]string{{"value"}}, func(_ *run, args []Value) Value { return Bool(!args[0].IsNull()) }},
	{"is blank", [][]string{{"string"}}, func(r *run, args []Value) Value {
		s, ok := one(args[0]).Text()
		if !ok || !r.spend(len(s)/16+1) {
			return Null
		}
		return Bool(strings.TrimSpace(s) == "")
	}},
	{"get or else", [][]string{{"value", "default"}}, func(_ *run, args []Value) Value {
		if args[0].IsNull() {
			return args[1]
		}
		return args[0]
	}},
	// Where Camunda stops with an error, null goes on, as everywhere here.
	{"assert", [][]string{{"value", "condition", "cause?"}}, func(r *run, args []Value) Value {
		if holds, _ := one(args[1]).Bool(); !holds {
			return r.warn("an assertion does not hold")
		}
		return args[0]
	}},
	{"duplicate values", [][]string{{"list"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		var twice []Value
		for i, item := range items {
			if contains(r, items[i+1:], item) && !contains(r, twice, item) {
				twice = append(twice, item)
			}
		}
		return makeList(r, twice)
	}},
	{"partition", [][]string{{"list", "size"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		size, whole := one(args[1]).Int64()
		if !ok || !whole || size < 1 {
			return Null
		}
		var parts []Value
		for len(items) > 0 {
			n := int(min(size, int64(len(items))))
			part := makeList(r, items[:n])
			if part.IsNull() {
				return Null
			}
			parts, items = append(parts, part), items[n:]
		}
		return makeList(r, parts)
	}},
	{"extract", [][]string{{"string", "pattern"}}, func(r *run, args []Value) Value {
		input, ok := one(args[0]).Text()
		pattern := compilePattern(r, input, args[1], Null)
		if !ok || pattern == nil {
			return Null
		}
		var found []Value
		places, ok := pattern.all(r, input)
		if !ok {
			return Null
		}
		for _, at := range places {
			found = append(found, String(input[at[0]:at[1]]))
		}
		return makeList(r, found)
	}},
	{"to base64", [][]string{{"value"}}, func(r *run, args []Value) Value {
		s, ok := one(args[0]).Text()
		if !ok || !r.spend(len(s)/16+1) {
			return Null
		}
		return makeText(r, base64.StdEncoding.EncodeToString([]byte(s)))
	}},
	{"to json", [][]string{{"value"}}, func(r *run, args []Value) Value {
		if !r.spend(args[0].weight()) {
			return Null
		}
		return makeText(r, string(args[0].AppendJSON(nil)))
	}},
	{"from json", [][]string{{"value"}}, func(r *run, args []Value) Value {
		s, ok := one(args[0]).Text()
		if !ok || !r.spend(len(s)) {
			return Null
		}
		v, err := FromJSON([]byte(s))
		if err != nil {
			return r.warn("a text that is no JSON")
		}
		return v
	}},
}

// refused are functions that flows of the Zeebe dialect may ask for and no expression
// here can have: all replicas evaluate it and must come to the same value.
var refused = map[string]string{
	"random number": "random number() would differ from node to node; let a connector choose and return it",
	"uuid":          "uuid() would differ from node to node; the engine mints the ids of a payment, or a connector returns one",
}

// contains tells whether a list has a value.
func contains(r *run, items []Value, v Value) bool {
	for _, item := range items {
		if !r.spend(1) {
			return false
		}
		if areEqual(r, item, v) {
			return true
		}
	}
	return false
}
