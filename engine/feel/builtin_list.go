package feel

import (
	"sort"

	"github.com/cockroachdb/apd/v3"
)

// lists are the functions on lists (DMN 1.3, table 75).
var lists = []builtin{
	{"list contains", [][]string{{"list", "element"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		holds := contains(r, items, args[1])
		if r.budget < 0 {
			return Null
		}
		return Bool(holds)
	}},
	{"count", [][]string{{"list"}}, func(_ *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		return Int(int64(len(items)))
	}},
	{"min", [][]string{{"list"}, {"c", "…"}}, extreme(-1)},
	{"max", [][]string{{"list"}, {"c", "…"}}, extreme(1)},
	{"sum", [][]string{{"list"}, {"n", "…"}}, func(r *run, args []Value) Value { return sum(r, several(args)) }},
	{"product", [][]string{{"list"}, {"n", "…"}}, func(r *run, args []Value) Value {
		return fold(r, several(args), multiplyNumbers)
	}},
	{"mean", [][]string{{"list"}, {"n", "…"}}, func(r *run, args []Value) Value {
		items := several(args)
		return quotient(sum(r, items), Int(int64(len(items))))
	}},
	{"median", [][]string{{"list"}, {"n", "…"}}, median},
	{"stddev", [][]string{{"list"}, {"n", "…"}}, deviation},
	{"mode", [][]string{{"list"}, {"n", "…"}}, mode},
	{"all", [][]string{{"list"}, {"b", "…"}}, decides(false)},
	{"any", [][]string{{"list"}, {"b", "…"}}, decides(true)},
	{"sublist", [][]string{{"list", "start position", "length?"}}, sublist},
	{"append", [][]string{{"list", "item", "…"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		return makeList(r, append(append([]Value(nil), items...), args[1:]...))
	}},
	{"concatenate", [][]string{{"list", "…"}}, func(r *run, args []Value) Value {
		all, ok := joined(r, args)
		if !ok {
			return Null
		}
		return makeList(r, all)
	}},
	{"insert before", [][]string{{"list", "position", "newItem"}}, func(r *run, args []Value) Value {
		items, at, ok := position(args)
		if !ok {
			return Null
		}
		grown := append(append([]Value(nil), items[:at]...), args[2])
		return makeList(r, append(grown, items[at:]...))
	}},
	{"remove", [][]string{{"list", "position"}}, func(r *run, args []Value) Value {
		items, at, ok := position(args)
		if !ok {
			return Null
		}
		return makeList(r, append(append([]Value(nil), items[:at]...), items[at+1:]...))
	}},
	{"list replace", [][]string{{"list", "position", "newItem"}, {"list", "match", "newItem"}}, listReplace},
	{"reverse", [][]string{{"list"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		turned := make([]Value, len(items))
		for i := range items {
			turned[len(items)-1-i] = items[i]
		}
		return makeList(r, turned)
	}},
	{"index of", [][]string{{"list", "match"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		var found []Value
		for i, item := range items {
			if !r.spend(1) {
				return Null
			}
			if areEqual(r, item, args[1]) {
				found = append(found, Int(int64(i+1)))
			}
		}
		return makeList(r, found)
	}},
	{"union", [][]string{{"list", "…"}}, func(r *run, args []Value) Value {
		all, ok := joined(r, args)
		if !ok {
			return Null
		}
		return distinct(r, all)
	}},
	{"distinct values", [][]string{{"list"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		return distinct(r, items)
	}},
	{"flatten", [][]string{{"list"}}, func(r *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		return makeList(r, flat(r, nil, items))
	}},
	{"sort", [][]string{{"list", "precedes?"}}, sortList},
	{"is empty", [][]string{{"list"}}, func(_ *run, args []Value) Value {
		items, ok := items(args[0])
		if !ok {
			return Null
		}
		return Bool(len(items) == 0)
	}},
}

// items are the elements of a list; anything else but null is a list of one.
func items(v Value) ([]Value, bool) {
	switch v.kind {
	case KindNull:
		return nil, false
	case KindList:
		return v.Items(), true
	}
	return []Value{v}, true
}

// several are the arguments themselves, or the elements of the only one.
func several(args []Value) []Value {
	if len(args) == 1 && args[0].kind == KindList {
		return args[0].Items()
	}
	return args
}

// extreme is the least (-1) or greatest (1) of the arguments.
func extreme(wanted int) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		best := Null
		for i, item := range several(args) {
			if item.IsNull() || !r.spend(1) {
				return Null
			}
			if i == 0 {
				best = item
			}
			order, ok := compare(item, best)
			if !ok {
				return r.warn("values that have no order")
			}
			if order == wanted {
				best = item
			}
		}
		return best
	}
}

// sum adds numbers, or durations of one type.
func sum(r *run, items []Value) Value {
	if len(items) > 0 && (items[0].kind == KindDuration || items[0].kind == KindMonths) {
		total := items[0]
		for _, item := range items[1:] {
			if item.kind != total.kind || !r.spend(1) {
				return Null
			}
			if total = add(r, total, item); total.IsNull() {
				return Null
			}
		}
		return total
	}
	return fold(r, items, addNumbers)
}

// fold combines numbers; without any the answer is null.
func fold(r *run, items []Value, combine func(a, b Value) Value) Value {
	total := Null
	for i, item := range items {
		if item.kind != KindNumber || !r.spend(1) {
			return Null
		}
		if i == 0 {
			total = item
		} else if total = combine(total, item); total.IsNull() {
			return Null
		}
	}
	return total
}

// quotient divides a number or duration by a number.
func quotient(a, b Value) Value {
	if a.kind == KindNumber {
		return divideNumbers(a, b)
	}
	return split(a, b)
}

func median(r *run, args []Value) Value {
	sorted, ok := sortedNumbers(r, several(args))
	if !ok || len(sorted) == 0 {
		return Null
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return divideNumbers(addNumbers(sorted[middle-1], sorted[middle]), Int(2))
}

// sortedNumbers is a sorted copy of a list of numbers.
func sortedNumbers(r *run, items []Value) ([]Value, bool) {
	if !r.spend(4 * len(items)) {
		return nil, false
	}
	for _, item := range items {
		if item.kind != KindNumber {
			return nil, false
		}
	}
	sorted := append([]Value(nil), items...)
	sort.SliceStable(sorted, func(i, j int) bool { return compareNumbers(sorted[i], sorted[j]) < 0 })
	return sorted, true
}

// deviation is the sample standard deviation.
func deviation(r *run, args []Value) Value {
	items := several(args)
	if len(items) < 2 || !r.spend(1000) {
		return Null
	}
	mean := quotient(sum(r, items), Int(int64(len(items))))
	if mean.kind != KindNumber {
		return Null
	}
	total := Int(0)
	for _, item := range items {
		difference := subtractNumbers(item, mean)
		if total = addNumbers(total, multiplyNumbers(difference, difference)); total.IsNull() || !r.spend(1) {
			return Null
		}
	}
	variance := divideNumbers(total, Int(int64(len(items)-1)))
	if variance.IsNull() {
		return Null
	}
	d := new(apd.Decimal)
	if _, err := decimals.Sqrt(d, variance.decimal()); err != nil {
		return Null
	}
	return reduced(number(d))
}

// mode is the list of the most frequent numbers, ascending.
func mode(r *run, args []Value) Value {
	sorted, ok := sortedNumbers(r, several(args))
	if !ok {
		return Null
	}
	var modes []Value
	most, length := 0, 0
	for i, item := range sorted {
		if i > 0 && compareNumbers(item, sorted[i-1]) == 0 {
			length++
		} else {
			length = 1
		}
		switch {
		case length > most:
			modes, most = append(modes[:0], item), length
		case length == most:
			modes = append(modes, item)
		}
	}
	return makeList(r, modes)
}

// decides is all (false) or any (true): an element with that value decides; without
// one, an element that is no boolean makes the answer null.
func decides(by bool) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		answer := Bool(!by)
		for _, item := range several(args) {
			b, ok := item.Bool()
			switch {
			case !ok && !item.IsNull():
				return Null
			case !ok:
				answer = Null
			case b == by:
				return Bool(by)
			}
			if !r.spend(1) {
				return Null
			}
		}
		return answer
	}
}

func sublist(r *run, args []Value) Value {
	items, ok := items(args[0])
	start, whole := one(args[1]).Int64()
	if !ok || !whole || start == 0 {
		return Null
	}
	count := int64(len(items))
	if start < 0 {
		start += count + 1
	}
	length := count - start + 1
	if len(args) > 2 {
		wanted, whole := one(args[2]).Int64()
		if !whole || wanted < 0 || wanted > length {
			return Null
		}
		length = wanted
	}
	if start < 1 || start > count || length < 0 {
		return Null
	}
	return makeList(r, items[start-1:start-1+length])
}

// joined are the elements of several lists.
func joined(r *run, args []Value) ([]Value, bool) {
	var all []Value
	for _, list := range args {
		items, ok := items(list)
		if !ok || !r.spend(len(items)+1) {
			return nil, false
		}
		all = append(all, items...)
	}
	return all, true
}

// position reads a list and an index into it, from 1 or from the end if negative.
func position(args []Value) (list []Value, at int64, ok bool) {
	list, ok = items(args[0])
	at, whole := truncated(one(args[1]))
	if at < 0 {
		at += int64(len(list)) + 1
	}
	return list, at - 1, ok && whole && at >= 1 && at <= int64(len(list))
}

// listReplace replaces the item at a position, or every item a function chooses.
func listReplace(r *run, args []Value) Value {
	choose, ok := args[1].ref.(*function)
	if !ok {
		items, at, ok := position(args)
		if !ok {
			return Null
		}
		changed := append([]Value(nil), items...)
		changed[at] = args[2]
		return makeList(r, changed)
	}
	items, isList := items(args[0])
	if !isList {
		return Null
	}
	changed := append([]Value(nil), items...)
	for i, item := range items {
		chosen, isBool := choose.call(r, nil, []Value{item, args[2]}).Bool()
		if !isBool {
			return Null
		}
		if chosen {
			changed[i] = args[2]
		}
	}
	return makeList(r, changed)
}

func distinct(r *run, items []Value) Value {
	var kept []Value
	for _, item := range items {
		if !contains(r, kept, item) {
			kept = append(kept, item)
		}
		if r.budget < 0 {
			return Null
		}
	}
	return makeList(r, kept)
}

// flat appends the elements of nested lists.
func flat(r *run, to, items []Value) []Value {
	for _, item := range items {
		if !r.spend(1) {
			return to
		}
		if item.kind == KindList {
			to = flat(r, to, item.Items())
		} else {
			to = append(to, item)
		}
	}
	return to
}

// sortList sorts by a function that says whether its first argument comes first, or
// in natural order. A merge sort: the function may be inconsistent.
func sortList(r *run, args []Value) Value {
	list, ok := items(args[0])
	if !ok {
		return Null
	}
	before := func(a, b Value) bool {
		order, _ := compare(a, b)
		return order < 0
	}
	failed := false
	if len(args) > 1 {
		f, ok := args[1].ref.(*function)
		if !ok {
			return Null
		}
		before = func(a, b Value) bool {
			holds, isBool := f.call(r, nil, []Value{a, b}).Bool()
			failed = failed || !isBool
			return holds
		}
	} else {
		for i := range list[min(1, len(list)):] {
			if _, ok := compare(list[i], list[i+1]); !ok {
				return Null
			}
		}
	}
	if !r.spend(len(list)) {
		return Null
	}
	sorted := append([]Value(nil), list...)
	sort.SliceStable(sorted, func(i, j int) bool { return !failed && before(sorted[i], sorted[j]) })
	if failed {
		return Null
	}
	return makeList(r, sorted)
}
