package feel

import (
	"math/bits"
	"strings"
)

// arithmetic is one of + - * / ^ on what DMN's tables 50 to 54 allow.
func arithmetic(r *run, op byte, a, b Value) Value {
	// Whole numbers cost next to nothing; decimals, and durations by them, something.
	if (a.kind == KindNumber && a.ref != nil || b.kind == KindNumber && b.ref != nil || op == '/') && !r.spend(8) {
		return Null
	}
	if a.kind == KindNumber && b.kind == KindNumber {
		v := Null
		switch op {
		case '+':
			return addNumbers(a, b)
		case '-':
			return subtractNumbers(a, b)
		case '*':
			v = multiplyNumbers(a, b)
		case '/':
			v = divideNumbers(a, b)
		default:
			// A whole power costs some multiplications, any other a logarithm, which
			// costs the more the larger the number is.
			cost := 1000
			if n, whole := b.Int64(); whole {
				cost = 64 + 24*bits.Len64(magnitude(n))
			} else if size := adjusted(a.decimal()); size > 0 {
				cost += 4 * int(size)
			} else {
				cost -= 4 * int(size)
			}
			if r.spend(cost) {
				v = powNumbers(a, b)
			}
		}
		if v.IsNull() {
			return r.warn("a number that cannot be computed (", string(op), ")")
		}
		return v
	}
	v := Null
	switch op {
	case '+':
		v = add(r, a, b)
	case '-':
		v = subtract(a, b)
	case '*':
		v = scale(a, b)
		if v.IsNull() {
			v = scale(b, a)
		}
	case '/':
		v = split(a, b)
	}
	if v.IsNull() {
		return r.warn(a.kind.String(), " ", string(op), " ", b.kind.String(), " has no meaning")
	}
	return v
}

func add(r *run, a, b Value) Value {
	switch {
	case a.kind == KindString && b.kind == KindString:
		return makeText(r, a.text+b.text)
	case a.kind == KindDuration && b.kind == KindDuration:
		return durationValue(a.num+b.num, int64(a.nano)+int64(b.nano))
	case a.kind == KindMonths && b.kind == KindMonths:
		return monthsValue(a.num + b.num)
	case b.kind == KindDuration || b.kind == KindMonths:
		return shift(a, b, 1)
	case a.kind == KindDuration || a.kind == KindMonths:
		return shift(b, a, 1)
	}
	return Null
}

func subtract(a, b Value) Value {
	switch {
	case a.kind == KindDuration && b.kind == KindDuration:
		return durationValue(a.num-b.num, int64(a.nano)-int64(b.nano))
	case a.kind == KindMonths && b.kind == KindMonths:
		return monthsValue(a.num - b.num)
	case b.kind == KindDuration || b.kind == KindMonths:
		return shift(a, b, -1)
	}
	if a.kind == KindDate && b.kind == KindDateTime || a.kind == KindDateTime && b.kind == KindDate {
		// A date beside a moment is its midnight in UTC.
		a, b = midnight(a), midnight(b)
	}
	if a.kind != b.kind {
		return Null
	}
	switch a.kind {
	case KindDate:
		return durationValue((a.num-b.num)*daySeconds, 0)
	case KindTime, KindDateTime:
		x, y := a.ref.(*clock), b.ref.(*clock)
		if !haveOrder(x.zone, y.zone) {
			return Null
		}
		days := a.num - b.num // both zero for times
		return durationValue(days*daySeconds-int64(x.zone.offset)+int64(y.zone.offset), x.nanos-y.nanos)
	}
	return Null
}

func midnight(v Value) Value {
	if v.kind == KindDate {
		return dateTimeValue(v.num, clock{zone: zone{known: true}})
	}
	return v
}

// shift moves a date, time or moment by a duration.
func shift(v, by Value, sign int64) Value {
	if by.kind == KindMonths {
		if v.kind != KindDate && v.kind != KindDateTime {
			return Null
		}
		days, ok := addMonths(v.num, sign*by.num)
		if !ok {
			return Null
		}
		if v.kind == KindDate {
			return dateValue(days)
		}
		return inZone(days, *v.ref.(*clock))
	}
	var c clock
	switch v.kind {
	case KindDate:
	case KindTime, KindDateTime:
		c = *v.ref.(*clock)
	default:
		return Null
	}
	if v.kind == KindDateTime && c.zone.name != "" {
		if z, ok := findZone(c.zone.name); ok {
			nanos := c.nanos%second + sign*int64(by.nano)
			moment := v.num*daySeconds + c.nanos/second - int64(c.zone.offset) + sign*by.num + floorDiv(nanos, second)
			return z.at(moment, floorMod(nanos, second), c.zone.name)
		}
	}
	nanos := c.nanos + sign*int64(by.nano)
	seconds := sign*by.num + floorDiv(nanos, second)
	days := v.num + floorDiv(seconds, daySeconds)
	c.nanos = floorMod(seconds, daySeconds)*second + floorMod(nanos, second)
	if !validDay(days) {
		return Null
	}
	switch v.kind {
	case KindDate:
		return dateValue(days)
	case KindTime:
		return timeValue(c)
	}
	return dateTimeValue(days, c)
}

func validDay(days int64) bool {
	return days >= daysFromCivil(-maxYear, 1, 1) && days <= daysFromCivil(maxYear, 12, 31)
}

// scale multiplies a duration by a number.
func scale(a, b Value) Value {
	if b.kind != KindNumber {
		return Null
	}
	switch a.kind {
	case KindMonths:
		if n, ok := truncated(multiplyNumbers(Int(a.num), b)); ok {
			return monthsValue(n)
		}
	case KindDuration:
		return durationOf(multiplyNumbers(seconds(a), b))
	}
	return Null
}

// split divides a duration by a number or by a duration.
func split(a, b Value) Value {
	switch {
	case a.kind == KindMonths && b.kind == KindMonths:
		return divideNumbers(Int(a.num), Int(b.num))
	case a.kind == KindDuration && b.kind == KindDuration:
		return divideNumbers(seconds(a), seconds(b))
	case a.kind == KindMonths && b.kind == KindNumber:
		if n, ok := truncated(divideNumbers(Int(a.num), b)); ok {
			return monthsValue(n)
		}
	case a.kind == KindDuration && b.kind == KindNumber:
		return durationOf(divideNumbers(seconds(a), b))
	}
	return Null
}

// seconds is a days and time duration as a number.
func seconds(v Value) Value {
	if v.nano == 0 {
		return Int(v.num)
	}
	nanos := divideNumbers(Int(int64(v.nano)), Int(second))
	return addNumbers(Int(v.num), nanos)
}

// durationOf is a number of seconds as a duration, cut off at nanoseconds.
func durationOf(v Value) Value {
	if v.kind != KindNumber {
		return Null
	}
	whole, ok := floored(v)
	if !ok || whole > maxSeconds || whole < -maxSeconds {
		return Null
	}
	nanos, ok := truncated(multiplyNumbers(subtractNumbers(v, Int(whole)), Int(second)))
	if !ok {
		return Null
	}
	return durationValue(whole, nanos)
}

// equal is FEEL's "=": null if the types differ, except that null equals only null.
func equal(r *run, a, b Value) Value {
	if a.kind == KindNull || b.kind == KindNull {
		return Bool(a.kind == b.kind)
	}
	if a.kind != b.kind {
		return r.warn("comparing a ", a.kind.String(), " with a ", b.kind.String())
	}
	switch a.kind {
	case KindBool, KindDate, KindMonths:
		return Bool(a.num == b.num)
	case KindDuration:
		return Bool(a.num == b.num && a.nano == b.nano)
	case KindNumber:
		return Bool(compareNumbers(a, b) == 0)
	case KindString:
		if !r.spend(min(len(a.text), len(b.text)) / 64) {
			return Null
		}
		return Bool(a.text == b.text)
	case KindTime, KindDateTime:
		x, y := a.ref.(*clock), b.ref.(*clock)
		if x.zone == y.zone {
			return Bool(a.num == b.num && x.nanos == y.nanos)
		}
		if !haveOrder(x.zone, y.zone) {
			return Bool(false)
		}
		order, _ := compare(a, b)
		return Bool(order == 0)
	case KindList:
		return equalLists(r, a.Items(), b.Items())
	case KindContext:
		return equalContexts(r, a, b)
	case KindRange:
		x, y := a.ref.(*interval), b.ref.(*interval)
		same := x.op == y.op && x.lowClosed == y.lowClosed && x.highClosed == y.highClosed
		return Bool(same && areEqual(r, x.low, y.low) && areEqual(r, x.high, y.high))
	}
	return Bool(a.ref == b.ref)
}

// areEqual is equality as a plain yes or no, for members of larger values.
func areEqual(r *run, a, b Value) bool {
	holds, _ := equal(r, a, b).Bool()
	return holds
}

func equalLists(r *run, a, b []Value) Value {
	if len(a) != len(b) {
		return Bool(false)
	}
	for i := range a {
		if !r.spend(1) {
			return Null
		}
		if !areEqual(r, a[i], b[i]) {
			return Bool(false)
		}
	}
	return Bool(true)
}

func equalContexts(r *run, a, b Value) Value {
	if len(a.Entries()) != len(b.Entries()) {
		return Bool(false)
	}
	for _, entry := range a.Entries() {
		if !r.spend(1 + len(b.Entries())/8) {
			return Null
		}
		other, ok := b.Get(entry.Key)
		if !ok || !areEqual(r, entry.Value, other) {
			return Bool(false)
		}
	}
	return Bool(true)
}

// haveOrder tells whether times of the two zones have an order.
func haveOrder(a, b zone) bool { return a == b || a.known && b.known }

// compare orders two values of one ordered type.
func compare(a, b Value) (order int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case KindNumber:
		return compareNumbers(a, b), true
	case KindString:
		return strings.Compare(a.text, b.text), true
	case KindDate, KindMonths:
		return sign(a.num, b.num), true
	case KindDuration:
		if a.num != b.num {
			return sign(a.num, b.num), true
		}
		return sign(int64(a.nano), int64(b.nano)), true
	case KindTime, KindDateTime:
		x, y := a.ref.(*clock), b.ref.(*clock)
		if !haveOrder(x.zone, y.zone) {
			return 0, false
		}
		if s, t := a.num*daySeconds-int64(x.zone.offset), b.num*daySeconds-int64(y.zone.offset); s != t {
			s, t = s+x.nanos/second, t+y.nanos/second
			if s != t {
				return sign(s, t), true
			}
			return sign(x.nanos%second, y.nanos%second), true
		}
		return sign(x.nanos, y.nanos), true
	}
	return 0, false
}

func sign(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// comparison is the function of a comparison operator.
func comparison(op string) func(r *run, a, b Value) Value {
	switch op {
	case "=":
		return equal
	case "!=":
		return func(r *run, a, b Value) Value {
			v := equal(r, a, b)
			if v.kind == KindBool {
				v.num = 1 - v.num
			}
			return v
		}
	case "<":
		return ordered(func(order int) bool { return order < 0 })
	case "<=":
		return ordered(func(order int) bool { return order <= 0 })
	case ">":
		return ordered(func(order int) bool { return order > 0 })
	}
	return ordered(func(order int) bool { return order >= 0 })
}

func ordered(holds func(order int) bool) func(r *run, a, b Value) Value {
	return func(r *run, a, b Value) Value {
		order, ok := compare(a, b)
		if !ok {
			return r.warn("a ", a.kind.String(), " and a ", b.kind.String(), " have no order")
		}
		return Bool(holds(order))
	}
}

var (
	atLeast  = comparison(">=")
	atMost   = comparison("<=")
	moreThan = comparison(">")
	lessThan = comparison("<")
)

// both is "and" of two values already computed.
func both(a, b Value) Value {
	x, xOK := a.Bool()
	y, yOK := b.Bool()
	switch {
	case xOK && !x || yOK && !y:
		return Bool(false)
	case xOK && yOK:
		return Bool(true)
	}
	return Null
}

// matches is "v in test" for a test that is a value: a range holds v, a list has v
// as an element or one of its ranges holds v, anything else equals v.
func matches(r *run, v, test Value) Value {
	switch test.kind {
	case KindRange:
		return test.ref.(*interval).holds(r, v)
	case KindList:
		if v.kind == KindList {
			if holds, _ := equal(r, v, test).Bool(); holds {
				return Bool(true)
			}
		}
		for _, item := range test.Items() {
			if !r.spend(1) {
				return Null
			}
			if item.kind == KindRange && v.kind != KindRange {
				if holds, _ := item.ref.(*interval).holds(r, v).Bool(); holds {
					return Bool(true)
				}
			} else if areEqual(r, v, item) {
				return Bool(true)
			}
		}
		return Bool(false)
	}
	return equal(r, v, test)
}
