package feel

import "strings"

// Values built during an evaluation are paid for from its budget, and none passes
// the limits on one value.

func makeList(r *run, items []Value) Value {
	if !r.spend(len(items)) {
		return Null
	}
	v := List(items...)
	if v.IsNull() {
		r.warn("a list that is too large")
	}
	return v
}

func makeContext(r *run, entries []Entry) Value {
	if !r.spend(len(entries)) {
		return Null
	}
	v := NewContext(entries...)
	if v.IsNull() {
		r.warn("a context that is too large")
	}
	return v
}

func makeText(r *run, s string) Value {
	if len(s) > maxWeight || !r.spend(len(s)/16+1) {
		return r.warn("a text that is too long")
	}
	return String(s)
}

// interval is a range. One-sided ranges have an op and only low.
type interval struct {
	low, high             Value
	lowClosed, highClosed bool
	op                    string
}

func makeRange(r *run, i interval) Value {
	if i.low.IsNull() && i.high.IsNull() {
		return r.warn("a range without ends")
	}
	if !i.low.IsNull() && !i.high.IsNull() {
		order, ok := compare(i.low, i.high)
		if !ok {
			return r.warn("a range from a ", i.low.kind.String(), " to a ", i.high.kind.String())
		}
		if order > 0 {
			return r.warn("a range whose end is below its start")
		}
	}
	return Value{kind: KindRange, ref: &i}
}

func oneSided(r *run, op string, bound Value) Value {
	if op != "=" && op != "!=" {
		if _, ok := compare(bound, bound); !ok {
			return r.warn("a range bounded by a ", bound.kind.String())
		}
	}
	i := &interval{op: op}
	switch op {
	case "<", "<=":
		i.high, i.highClosed = bound, op == "<="
	case ">", ">=":
		i.low, i.lowClosed = bound, op == ">="
	default:
		i.low, i.high, i.lowClosed, i.highClosed = bound, bound, op == "=", op == "="
	}
	return Value{kind: KindRange, ref: i}
}

func (i *interval) holds(r *run, v Value) Value {
	if i.op != "" {
		return comparison(i.op)(r, v, i.bound())
	}
	if v.IsNull() || i.low.IsNull() || i.high.IsNull() {
		return Null
	}
	above, below := moreThan, lessThan
	if i.lowClosed {
		above = atLeast
	}
	if i.highClosed {
		below = atMost
	}
	return both(above(r, v, i.low), below(r, v, i.high))
}

func (i *interval) bound() Value {
	if i.op == "<" || i.op == "<=" {
		return i.high
	}
	return i.low
}

func (i *interval) write(b *strings.Builder) {
	if i.op != "" {
		b.WriteByte('(')
		b.WriteString(i.op)
		b.WriteByte(' ')
		i.bound().write(b)
		b.WriteByte(')')
		return
	}
	b.WriteByte(map[bool]byte{true: '[', false: '('}[i.lowClosed])
	i.low.write(b)
	b.WriteString("..")
	i.high.write(b)
	b.WriteByte(map[bool]byte{true: ']', false: ')'}[i.highClosed])
}

// property is value.name: a context's entry, the part of a date or duration, or the
// property of each element of a list.
func property(r *run, v Value, name string) Value {
	switch v.kind {
	case KindContext:
		if !r.spend(len(v.Entries()) / 8) {
			return Null
		}
		entry, ok := v.Get(name)
		if !ok {
			return r.warn("a context has no entry ", name)
		}
		return entry
	case KindList:
		items := v.Items()
		values := make([]Value, len(items))
		for i, item := range items {
			if !r.spend(1) {
				return Null
			}
			values[i] = property(r, item, name)
		}
		return makeList(r, values)
	}
	if part, ok := part(v, name); ok {
		return part
	}
	return r.warn("a ", v.kind.String(), " has no property ", name)
}

func part(v Value, name string) (Value, bool) {
	switch v.kind {
	case KindDate:
		return datePart(v.num, name)
	case KindTime:
		return clockPart(v.ref.(*clock), name)
	case KindDateTime:
		if p, ok := datePart(v.num, name); ok {
			return p, true
		}
		return clockPart(v.ref.(*clock), name)
	case KindMonths:
		switch name {
		case "years":
			return Int(v.num / 12), true
		case "months":
			return Int(v.num % 12), true
		case "days", "hours", "minutes", "seconds":
			return Null, true
		}
	case KindDuration:
		return durationPart(v, name)
	case KindRange:
		i := v.ref.(*interval)
		switch name {
		case "start":
			return i.low, true
		case "end":
			return i.high, true
		case "start included":
			return Bool(i.lowClosed), true
		case "end included":
			return Bool(i.highClosed), true
		}
	}
	return Null, false
}

func datePart(days int64, name string) (Value, bool) {
	year, month, day := civilFromDays(days)
	switch name {
	case "year":
		return Int(year), true
	case "month":
		return Int(int64(month)), true
	case "day":
		return Int(int64(day)), true
	case "weekday":
		return Int(weekday(days)), true
	}
	return Null, false
}

func clockPart(c *clock, name string) (Value, bool) {
	seconds := c.nanos / second
	switch name {
	case "hour":
		return Int(seconds / 3600), true
	case "minute":
		return Int(seconds / 60 % 60), true
	case "second":
		return Int(seconds % 60), true
	case "time offset":
		if !c.zone.known {
			return Null, true
		}
		return durationValue(int64(c.zone.offset), 0), true
	case "timezone":
		if c.zone.name == "" {
			return Null, true
		}
		return String(c.zone.name), true
	}
	return Null, false
}

func durationPart(v Value, name string) (Value, bool) {
	seconds := v.num
	if seconds < 0 && v.nano > 0 {
		seconds++ // parts are cut off towards zero
	}
	switch name {
	case "days":
		return Int(seconds / daySeconds), true
	case "hours":
		return Int(seconds % daySeconds / 3600), true
	case "minutes":
		return Int(seconds % 3600 / 60), true
	case "seconds":
		return Int(seconds % 60), true
	case "years", "months":
		return Null, true
	}
	return Null, false
}
