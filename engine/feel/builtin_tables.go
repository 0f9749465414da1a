package feel

var conversions = []builtin{
	{"not", [][]string{{"negand"}}, func(_ *run, args []Value) Value {
		if b, ok := args[0].Bool(); ok {
			return Bool(!b)
		}
		return Null
	}},
	{"date", [][]string{{"from"}, {"year", "month", "day"}}, func(_ *run, args []Value) Value {
		if len(args) == 3 {
			year, a := args[0].Int64()
			month, b := args[1].Int64()
			day, c := args[2].Int64()
			if !a || !b || !c || year > maxYear || year < -maxYear || month < 1 || month > 12 || day < 1 || day > int64(daysInMonth(year, int(month))) {
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
	}},
	{"date and time", [][]string{{"from"}, {"date", "time"}}, func(_ *run, args []Value) Value {
		if len(args) == 2 {
			if (args[0].kind != KindDate && args[0].kind != KindDateTime) || args[1].kind != KindTime {
				return Null
			}
			return dateTimeValue(args[0].num, *args[1].ref.(*clock))
		}
		switch v := one(args[0]); v.kind {
		case KindString:
			return parseDateTime(v.text)
		case KindDateTime:
			return v
		}
		return Null
	}},
	{"duration", [][]string{{"from"}}, func(_ *run, args []Value) Value {
		switch v := one(args[0]); v.kind {
		case KindString:
			return parseDuration(v.text)
		case KindDuration, KindMonths:
			return v
		}
		return Null
	}},
	{"string", [][]string{{"from"}}, func(r *run, args []Value) Value {
		if args[0].IsNull() {
			return Null
		}
		return makeText(r, args[0].String())
	}},
}

var texts = []builtin{}
var numbers = []builtin{}
var lists = []builtin{}
var contexts = []builtin{}
var times = []builtin{}
