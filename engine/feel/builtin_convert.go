package feel

import "strings"

// conversions make one type from another (DMN 1.3, table 71).
var conversions = []builtin{
	{"not", [][]string{{"negand"}}, func(_ *run, args []Value) Value {
		if b, ok := one(args[0]).Bool(); ok {
			return Bool(!b)
		}
		return Null
	}},
	{"string", [][]string{{"from"}}, func(r *run, args []Value) Value {
		if args[0].IsNull() || !r.spend(args[0].weight()/16+1) {
			return Null
		}
		return makeText(r, args[0].String())
	}},
	{"number", [][]string{{"from", "grouping separator?", "decimal separator?"}}, toNumber},
	{"date", [][]string{{"from"}, {"year", "month", "day"}}, toDate},
	{"time", [][]string{{"from"}, {"hour", "minute", "second", "offset?"}}, toTime},
	{"date and time", [][]string{
		{"from"}, {"date", "time"}, {"date", "timezone"},
		{"year", "month", "day", "hour", "minute", "second", "offset?"},
		{"year", "month", "day", "hour", "minute", "second", "timezone?"},
	}, toDateTime},
	{"duration", [][]string{{"from"}}, func(_ *run, args []Value) Value {
		switch v := one(args[0]); v.kind {
		case KindString:
			return parseDuration(v.text)
		case KindDuration, KindMonths:
			return v
		}
		return Null
	}},
	{"years and months duration", [][]string{{"from", "to"}}, monthsBetween},
	{"range", [][]string{{"from"}}, toRange},
}

func toNumber(_ *run, args []Value) Value {
	from := one(args[0])
	if from.kind == KindNumber && len(args) == 1 {
		return from
	}
	if from.kind != KindString {
		return Null
	}
	text := from.text
	group, point := one(arg(args, 1)), one(arg(args, 2))
	if !separator(group, " ,.") || !separator(point, ",.") || !group.IsNull() && group.text == point.text {
		return Null
	}
	if !group.IsNull() {
		text = strings.ReplaceAll(text, group.text, "")
	}
	if !point.IsNull() && point.text == "," {
		if strings.Contains(text, ".") {
			return Null
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	v, ok := parseNumber(strings.TrimSpace(text))
	if !ok || strings.HasPrefix(text, "+") {
		return Null
	}
	return v
}

// separator tells whether v is null or one of the characters.
func separator(v Value, characters string) bool {
	if v.IsNull() {
		return true
	}
	s, ok := v.Text()
	return ok && len(s) == 1 && strings.Contains(characters, s)
}

func toDate(_ *run, args []Value) Value {
	if len(args) == 3 {
		year, a := one(args[0]).Int64()
		month, b := one(args[1]).Int64()
		day, c := one(args[2]).Int64()
		if !a || !b || !c || year > maxYear || year < -maxYear || month < 1 || month > 12 ||
			day < 1 || day > int64(daysInMonth(year, int(month))) {
			return Null
		}
		return dateValue(daysFromCivil(year, int(month), int(day)))
	}
	switch v := one(args[0]); v.kind {
	case KindString:
		return parseDate(v.text)
	case KindDate, KindDateTime:
		return dateValue(v.num)
	}
	return Null
}

func toTime(r *run, args []Value) Value {
	if !r.spend(8) {
		return Null
	}
	if len(args) == 1 {
		switch v := one(args[0]); v.kind {
		case KindString:
			return parseTime(v.text)
		case KindTime:
			return v
		case KindDate:
			return timeValue(clock{zone: zone{known: true}})
		case KindDateTime:
			return ofDay(*v.ref.(*clock))
		}
		return Null
	}
	hour, a := one(args[0]).Int64()
	minute, b := one(args[1]).Int64()
	exact := one(args[2])
	whole, c := floored(exact)
	if !a || !b || !c || hour < 0 || hour > 23 || minute < 0 || minute > 59 || whole < 0 || whole > 59 {
		return Null
	}
	nanos, ok := truncated(multiplyNumbers(subtractNumbers(exact, Int(whole)), Int(second)))
	if !ok {
		return Null
	}
	t := clock{nanos: (hour*3600+minute*60+whole)*second + nanos}
	switch offset := one(arg(args, 3)); {
	case offset.IsNull():
	case offset.kind == KindDuration && offset.nano == 0 && offset.num <= 14*3600 && offset.num >= -14*3600:
		t.zone = zone{known: true, offset: int32(offset.num)}
	default:
		return Null
	}
	return timeValue(t)
}

// toDateTime makes a date and time of a text, of a date and a time, of numbers with
// an offset or a zone, or, as Camunda has it, of another one as a zone's clock shows
// it.
func toDateTime(r *run, args []Value) Value {
	v := one(args[0])
	if len(args) > 2 {
		zoned := one(arg(args, 6))
		name, named := zoned.Text()
		if named {
			zoned = Null
		}
		date, t := toDate(r, args[:3]), toTime(r, []Value{args[3], args[4], args[5], zoned})
		if date.IsNull() || t.IsNull() {
			return Null
		}
		c := *t.ref.(*clock)
		if named {
			z, ok := (&reader{"@" + name}).zone()
			if !ok {
				return Null
			}
			c.zone = z
		}
		return inZone(date.num, c)
	}
	if len(args) == 2 {
		t := one(args[1])
		if name, named := t.Text(); named && v.kind == KindDateTime {
			c := v.ref.(*clock)
			z, ok := findZone(name)
			if !ok || !c.zone.known {
				return Null
			}
			return z.at(v.num*daySeconds-int64(c.zone.offset)+c.nanos/second, c.nanos%second, name)
		}
		if v.kind == KindString {
			v = parseDate(v.text)
		}
		if v.kind != KindDate && v.kind != KindDateTime || t.kind != KindTime {
			return Null
		}
		return inZone(v.num, *t.ref.(*clock))
	}
	switch v.kind {
	case KindString:
		return parseDateTime(v.text)
	case KindDateTime:
		return v
	case KindDate:
		return midnight(v)
	}
	return Null
}

// monthsBetween is the whole months from one date to another; times of day do not
// count.
func monthsBetween(_ *run, args []Value) Value {
	from, to := one(args[0]), one(args[1])
	if from.kind != KindDate && from.kind != KindDateTime || to.kind != KindDate && to.kind != KindDateTime {
		return Null
	}
	year, month, _ := civilFromDays(from.num)
	lastYear, lastMonth, _ := civilFromDays(to.num)
	months := (lastYear-year)*12 + int64(lastMonth-month)
	// One month less if the last one is not full.
	moved, ok := addMonths(from.num, months)
	if !ok {
		return Null
	}
	if order := sign(moved, to.num); months > 0 && order > 0 {
		months--
	} else if months < 0 && order < 0 {
		months++
	}
	return monthsValue(months)
}

// toRange reads a range from a text such as "[1..3)", whose ends are literals.
func toRange(r *run, args []Value) Value {
	text, ok := one(args[0]).Text()
	if !ok || len(text) > 1024 {
		return Null
	}
	p := &parser{src: text, spoken: spokenBuiltins}
	n, isRange := p.primary().(*rangeNode)
	if p.space(); p.err != nil || p.at < len(text) || !isRange || n.op != "" {
		return Null
	}
	low, lowOK := constant(n.low)
	high, highOK := constant(n.high)
	if !lowOK || !highOK {
		return Null
	}
	return makeRange(r, interval{low: low, high: high, lowClosed: n.lowClosed && !low.IsNull(), highClosed: n.highClosed && !high.IsNull()})
}

// constant is the value of a literal, or of a date or duration made from one.
func constant(n node) (Value, bool) {
	if literal, ok := n.(*literalNode); ok {
		return literal.value, true
	}
	call, ok := n.(*callNode)
	if !ok || len(call.args) != 1 || len(call.names) > 0 {
		return Null, false
	}
	name, ok := call.callee.(*nameNode)
	argument, isLiteral := call.args[0].(*literalNode)
	if !ok || !isLiteral {
		return Null, false
	}
	switch name.name {
	case "date", "time", "date and time", "duration":
		v := builtins[name.name].call(&run{budget: 100}, []Value{argument.value})
		return v, !v.IsNull()
	}
	return Null, false
}
