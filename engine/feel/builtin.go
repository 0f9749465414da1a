package feel

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// builtin is one of FEEL's own functions.
type builtin struct {
	name string
	// forms are the parameter lists it can be called with; "…" ends one that takes
	// any number of further arguments of the last kind.
	forms [][]string
	// call gets the arguments in the order of the form; those left out at the end
	// are missing, those left out before are null.
	call func(r *run, args []Value) Value
}

// order says which parameter each argument fills; nil means in order. ok is false if
// no form takes such arguments.
func (b *builtin) order(names []string, count int) (order []int, ok bool) {
	for _, form := range b.forms {
		open := len(form) > 0 && form[len(form)-1] == "…"
		if len(names) == 0 {
			if count >= b.required(form) && (open || count <= len(form)) {
				return nil, true
			}
			continue
		}
		if order, ok := place(form, names); ok {
			return order, true
		}
	}
	return nil, false
}

// required is the number of parameters before the first optional one, which is
// marked by a question mark.
func (b *builtin) required(form []string) int {
	for i, name := range form {
		if name == "…" || strings.HasSuffix(name, "?") {
			return i
		}
	}
	return len(form)
}

func place(form, names []string) ([]int, bool) {
	order := make([]int, len(names))
	filled := make([]bool, len(form))
	for i, name := range names {
		found := false
		for at, param := range form {
			if strings.TrimSuffix(param, "?") == name && !filled[at] {
				order[i], filled[at], found = at, true, true
			}
		}
		if !found {
			return nil, false
		}
	}
	for at, param := range form {
		if param != "…" && !strings.HasSuffix(param, "?") && !filled[at] {
			return nil, false
		}
	}
	return order, true
}

// builtins by name; spokenBuiltins are those names that are more than one word,
// longest first, with the property names that are.
var (
	builtins       = map[string]*builtin{}
	spokenBuiltins []string
)

func init() {
	p := &parser{}
	for _, table := range [][]builtin{conversions, texts, numbers, lists, contexts, times, intervals, extras} {
		for i := range table {
			builtins[table[i].name] = &table[i]
			p.learn(table[i].name)
		}
	}
	for _, name := range []string{"time offset", "start included", "end included", "random number"} {
		p.learn(name)
	}
	spokenBuiltins = p.spoken
}

// one takes a list of one for its element, as DMN converts arguments.
func one(v Value) Value {
	if items := v.Items(); len(items) == 1 {
		return items[0]
	}
	return v
}

// arg is the argument at i, or null.
func arg(args []Value, i int) Value {
	if i < len(args) {
		return args[i]
	}
	return Null
}

// truncated is a number without its fraction, if it fits.
func truncated(v Value) (int64, bool) {
	return rounded(v, apd.RoundDown)
}

func floored(v Value) (int64, bool) {
	return rounded(v, apd.RoundFloor)
}

func rounded(v Value, rounder apd.Rounder) (int64, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	return round(v, 0, rounder).Int64()
}

// round rounds a number to places after the point (before it if negative).
func round(v Value, places int64, rounder apd.Rounder) Value {
	if v.ref == nil && places >= 0 {
		return v
	}
	if places > 6176 || places < -6144 {
		return Null
	}
	d := v.decimal()
	if int64(d.Exponent) >= -places {
		return v
	}
	// Taking places away leaves at most one digit more than there were.
	c := apd.Context{
		Precision: uint32(d.NumDigits()) + 2, Rounding: rounder,
		MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent,
	}
	out := new(apd.Decimal)
	if _, err := c.Quantize(out, d, int32(-places)); err != nil {
		return Null
	}
	if out.Exponent > 0 {
		if _, err := decimals.Round(out, out); err != nil || out.NumDigits()+int64(out.Exponent) > math.MaxInt16 {
			return Null
		}
	}
	return tidy(out)
}
