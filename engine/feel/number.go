package feel

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

// decimals is IEEE 754 decimal128, as DMN asks: 34 digits, half-even. Nothing
// traps; conditions are looked at after each operation.
var decimals = apd.Context{
	Precision:   34,
	MaxExponent: 6144,
	MinExponent: -6143,
	Rounding:    apd.RoundHalfEven,
}

// number makes a value of a decimal that the caller no longer changes. Integers are
// kept in the value itself. What is not finite is null.
func number(d *apd.Decimal) Value {
	if d.Form != apd.Finite {
		return Null
	}
	if d.Exponent == 0 {
		if n, ok := integer(d); ok {
			return Int(n)
		}
	}
	if d.IsZero() {
		return Int(0) // also -0, which is not a FEEL number
	}
	return Value{kind: KindNumber, ref: d}
}

// integer is the decimal as an int64 if it is one exactly.
func integer(d *apd.Decimal) (int64, bool) {
	if d.Form != apd.Finite || d.Exponent > 18 {
		return 0, false
	}
	if d.Exponent == 0 && d.Coeff.IsInt64() {
		n := d.Coeff.Int64()
		if d.Negative {
			n = -n
		}
		return n, true
	}
	n, err := d.Int64()
	return n, err == nil
}

// decimal is the number as a decimal, to be read only.
func (v Value) decimal() *apd.Decimal {
	if v.ref == nil {
		return apd.New(v.num, 0)
	}
	return v.ref.(*apd.Decimal)
}

// parseNumber reads digits with an optional sign, fraction and exponent.
func parseNumber(s string) (Value, bool) {
	if len(s) < 19 {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Int(n), true
		}
	}
	digits := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E':
		default:
			return Null, false // also "Infinity" and "NaN", which apd would read
		}
	}
	if !digits || len(s) > 10_000 {
		return Null, false
	}
	d, condition, err := decimals.NewFromString(s)
	if err != nil || condition&(apd.Overflow|apd.InvalidOperation) != 0 {
		return Null, false
	}
	v := number(d)
	return v, v.kind == KindNumber
}

// plainDigits bounds how far a number is written without an exponent.
const plainDigits = 64

// appendNumber writes a number as a plain decimal without trailing zeros after an
// exponent; only numbers of absurd size get an exponent.
func appendNumber(dst []byte, v Value) []byte {
	if v.ref == nil {
		return strconv.AppendInt(dst, v.num, 10)
	}
	d := v.decimal()
	if d.Exponent > plainDigits || d.Exponent < -plainDigits {
		return d.Append(dst, 'E')
	}
	return d.Append(dst, 'f')
}

func addNumbers(a, b Value) Value {
	if a.ref == nil && b.ref == nil {
		if sum := a.num + b.num; (sum > a.num) == (b.num > 0) {
			return Int(sum)
		}
	}
	switch {
	case absorbed(a, b):
		return a
	case absorbed(b, a):
		return b
	}
	return calculate(decimals.Add, a, b)
}

func subtractNumbers(a, b Value) Value {
	if a.ref == nil && b.ref == nil {
		if difference := a.num - b.num; (difference < a.num) == (b.num > 0) {
			return Int(difference)
		}
	}
	switch {
	case absorbed(a, b):
		return a
	case absorbed(b, a):
		return negateNumber(b)
	}
	return calculate(decimals.Sub, a, b)
}

func multiplyNumbers(a, b Value) Value {
	if a.ref == nil && b.ref == nil {
		if high, low := bits.Mul64(magnitude(a.num), magnitude(b.num)); high == 0 && low <= math.MaxInt64 {
			return Int(a.num * b.num)
		}
	}
	return calculate(decimals.Mul, a, b)
}

func divideNumbers(a, b Value) Value {
	if b.decimal().IsZero() {
		return Null
	}
	if a.ref == nil && b.ref == nil && a.num%b.num == 0 && b.num != -1 {
		return Int(a.num / b.num)
	}
	return reduced(calculate(decimals.Quo, a, b))
}

// powNumbers raises a to b. The exponent is bounded, since the work grows with it.
func powNumbers(a, b Value) Value {
	if n, ok := b.Int64(); ok && (n > 100_000 || n < -100_000) {
		if one, ok := a.Int64(); !ok || one > 1 || one < -1 {
			return Null
		}
	}
	if n, ok := b.Int64(); ok && n == 0 {
		return Int(1)
	}
	return reduced(calculate(decimals.Pow, a, b))
}

func negateNumber(v Value) Value {
	if v.ref == nil && v.num != math.MinInt64 {
		return Int(-v.num)
	}
	d := new(apd.Decimal)
	d.Neg(v.decimal())
	return number(d)
}

func calculate(operation func(d, x, y *apd.Decimal) (apd.Condition, error), a, b Value) Value {
	d := new(apd.Decimal)
	condition, err := operation(d, a.decimal(), b.decimal())
	if err != nil || condition&(apd.Overflow|apd.InvalidOperation|apd.DivisionByZero|apd.DivisionUndefined|apd.DivisionImpossible) != 0 {
		return Null
	}
	return tidy(d)
}

// reduced drops the zeros a division or power pads its answer with.
func reduced(v Value) Value {
	if v.ref == nil {
		return v
	}
	d := new(apd.Decimal)
	d.Reduce(v.decimal())
	return tidy(d)
}

// tidy makes a whole number of one written with zeros behind the point, so that
// 2.5 * 2 is 5; any other keeps the places it was written with.
func tidy(d *apd.Decimal) Value {
	if d.Form == apd.Finite && d.Exponent < 0 {
		if n, ok := integer(d); ok {
			return Int(n)
		}
	}
	return number(d)
}

func compareNumbers(a, b Value) int {
	if a.ref == nil && b.ref == nil {
		switch {
		case a.num < b.num:
			return -1
		case a.num > b.num:
			return 1
		}
		return 0
	}
	x, y := a.decimal(), b.decimal()
	// Cmp would write both out to one exponent, which is slow if they are far apart.
	if order := sign(int64(x.Sign()), int64(y.Sign())); order != 0 {
		return order
	}
	if order := sign(adjusted(x), adjusted(y)); order != 0 && !x.IsZero() {
		return order * x.Sign()
	}
	return x.Cmp(y)
}

// adjusted is the exponent of the first digit, plus one.
func adjusted(d *apd.Decimal) int64 { return d.NumDigits() + int64(d.Exponent) }

// absorbed tells whether b is so small, or nothing so far from a's last digit, that
// a + b is a or rounds to it.
func absorbed(a, b Value) bool {
	if a.ref == nil && b.ref == nil {
		return false
	}
	const far = 2*34 + 2
	x, y := a.decimal(), b.decimal()
	if y.IsZero() {
		return x.Exponent < -far || x.Exponent > far
	}
	return !x.IsZero() && adjusted(x)-adjusted(y) > far
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
