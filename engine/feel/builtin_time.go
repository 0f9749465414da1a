package feel

// times are the functions on dates and times (DMN 1.3, tables 79 and 80).
var times = []builtin{
	{"day of year", [][]string{{"date"}}, ofDate(func(days int64) Value {
		year, _, _ := civilFromDays(days)
		return Int(days - daysFromCivil(year, 1, 1) + 1)
	})},
	{"day of week", [][]string{{"date"}}, ofDate(func(days int64) Value {
		return String([]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}[weekday(days)-1])
	})},
	{"month of year", [][]string{{"date"}}, ofDate(func(days int64) Value {
		_, month, _ := civilFromDays(days)
		return String([]string{"January", "February", "March", "April", "May", "June", "July", "August",
			"September", "October", "November", "December"}[month-1])
	})},
	{"week of year", [][]string{{"date"}}, ofDate(func(days int64) Value { return Int(week(days)) })},
	{"last day of month", [][]string{{"date"}}, ofDate(func(days int64) Value {
		year, month, _ := civilFromDays(days)
		return dateValue(daysFromCivil(year, month, daysInMonth(year, month)))
	})},
	{"is", [][]string{{"value1?", "value2?"}}, func(r *run, args []Value) Value {
		return Bool(identical(r, arg(args, 0), arg(args, 1)))
	}},
	{"now", [][]string{{}}, func(r *run, _ []Value) Value {
		ms, ok := r.now()
		if !ok {
			return r.warn("now() where there is no clock")
		}
		days := floorDiv(ms, daySeconds*1000)
		return dateTimeValue(days, clock{nanos: floorMod(ms, daySeconds*1000) * 1_000_000, zone: zone{known: true}})
	}},
	{"today", [][]string{{}}, func(r *run, _ []Value) Value {
		ms, ok := r.now()
		if !ok {
			return r.warn("today() where there is no clock")
		}
		return dateValue(floorDiv(ms, daySeconds*1000))
	}},
}

// now asks the scope for the time.
func (r *run) now() (ms int64, ok bool) {
	if c, ok := r.scope.(Clock); ok {
		return c.NowMS(), true
	}
	return 0, false
}

func ofDate(f func(days int64) Value) func(*run, []Value) Value {
	return func(_ *run, args []Value) Value {
		switch v := one(args[0]); v.kind {
		case KindDate, KindDateTime:
			return f(v.num)
		}
		return Null
	}
}

// identical is equality without conversions: of one type, and times of one zone.
func identical(r *run, a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	if a.kind == KindTime || a.kind == KindDateTime {
		x, y := a.ref.(*clock), b.ref.(*clock)
		return a.num == b.num && x.nanos == y.nanos && x.zone == y.zone
	}
	return areEqual(r, a, b)
}
