package feel

import "github.com/cockroachdb/apd/v3"

// numbers are the functions on numbers (DMN 1.3, table 74, and DMN 1.4's roundings).
var numbers = []builtin{
	{"decimal", [][]string{{"n", "scale"}}, rounding(apd.RoundHalfEven)},
	{"floor", [][]string{{"n", "scale?"}}, rounding(apd.RoundFloor)},
	{"ceiling", [][]string{{"n", "scale?"}}, rounding(apd.RoundCeiling)},
	{"round up", [][]string{{"n", "scale"}}, rounding(apd.RoundUp)},
	{"round down", [][]string{{"n", "scale"}}, rounding(apd.RoundDown)},
	{"round half up", [][]string{{"n", "scale"}}, rounding(apd.RoundHalfUp)},
	{"round half down", [][]string{{"n", "scale"}}, rounding(apd.RoundHalfDown)},
	{"abs", [][]string{{"n"}}, func(_ *run, args []Value) Value {
		switch v := one(args[0]); v.kind {
		case KindNumber:
			if v.decimal().Negative || v.ref == nil && v.num < 0 {
				return negateNumber(v)
			}
			return v
		case KindDuration:
			if v.num < 0 {
				return durationValue(-v.num, -int64(v.nano))
			}
			return v
		case KindMonths:
			if v.num < 0 {
				return monthsValue(-v.num)
			}
			return v
		}
		return Null
	}},
	{"modulo", [][]string{{"dividend", "divisor"}}, func(r *run, args []Value) Value {
		a, b := one(args[0]), one(args[1])
		if a.kind != KindNumber || b.kind != KindNumber || b.decimal().IsZero() || !r.spend(32+int(max(adjusted(a.decimal())-adjusted(b.decimal()), 0))) {
			return Null
		}
		return modulo(a, b)
	}},
	{"sqrt", [][]string{{"number"}}, analytic(decimals.Sqrt, func(v Value) bool { return compareNumbers(v, Int(0)) >= 0 })},
	{"log", [][]string{{"number"}}, analytic(decimals.Ln, func(v Value) bool { return compareNumbers(v, Int(0)) > 0 })},
	// e to the 14,000 is beyond a decimal's exponent.
	{"exp", [][]string{{"number"}}, analytic(decimals.Exp, func(v Value) bool { return compareNumbers(v, Int(14_500)) < 0 })},
	{"odd", [][]string{{"number"}}, parity(1)},
	{"even", [][]string{{"number"}}, parity(0)},
}

func rounding(rounder apd.Rounder) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		if !r.spend(4) {
			return Null
		}
		n, scale := one(args[0]), int64(0)
		if len(args) > 1 {
			var ok bool
			if scale, ok = truncated(one(args[1])); !ok {
				return Null
			}
		}
		if n.kind != KindNumber || scale > 6176 || scale < -6111 {
			return Null
		}
		return round(n, scale, rounder)
	}
}

// modulo has the sign of the divisor: dividend - divisor * floor(dividend / divisor).
func modulo(a, b Value) Value {
	if a.ref == nil && b.ref == nil && b.num != -1 {
		return Int(floorMod(a.num, b.num))
	}
	d := new(apd.Decimal)
	condition, err := decimals.Rem(d, a.decimal(), b.decimal())
	if err != nil || condition&(apd.DivisionImpossible|apd.InvalidOperation) != 0 {
		return Null
	}
	rest := tidy(d)
	if rest.kind == KindNumber && !rest.decimal().IsZero() && rest.decimal().Negative != b.decimal().Negative {
		return addNumbers(rest, b)
	}
	return rest
}

// analytic is a function that is computed to the full precision on its domain.
func analytic(f func(d, x *apd.Decimal) (apd.Condition, error), domain func(Value) bool) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		v := one(args[0])
		if v.kind != KindNumber || !domain(v) || !r.spend(1000) {
			return Null
		}
		d := new(apd.Decimal)
		condition, err := f(d, v.decimal())
		if err != nil || condition&(apd.Overflow|apd.InvalidOperation) != 0 {
			return Null
		}
		return reduced(number(d))
	}
}

func parity(rest int64) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		v := one(args[0])
		if v.kind != KindNumber || !r.spend(int(max(adjusted(v.decimal()), 0))) {
			return Null
		}
		two := modulo(v, Int(2))
		n, whole := two.Int64()
		return Bool(whole && n == rest)
	}
}
