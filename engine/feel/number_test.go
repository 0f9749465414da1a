package feel

import (
	"math"
	"testing"

	"github.com/cockroachdb/apd/v3"
)

// TestIntegers compares the arithmetic on machine integers with plain decimal
// arithmetic of ample precision, at the edges and in between.
func TestIntegers(t *testing.T) {
	numbers := []int64{0, 1, -1, 2, -2, 3, 7, -7, 10, 99, 1 << 31, -1 << 31, 1<<32 + 1, 3_037_000_499, 3_037_000_500,
		math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, math.MaxInt64 / 2, math.MinInt64 / 2}
	seed := uint64(1)
	for range 60 {
		seed = seed*6364136223846793005 + 1442695040888963407
		numbers = append(numbers, int64(seed)>>(seed%60))
	}
	for _, a := range numbers {
		for _, b := range numbers {
			for _, op := range []struct {
				name  string
				ours  func(a, b Value) Value
				plain func(d, x, y *apd.Decimal) (apd.Condition, error)
			}{
				{"+", addNumbers, decimals.Add}, {"-", subtractNumbers, decimals.Sub},
				{"*", multiplyNumbers, decimals.Mul}, {"/", divideNumbers, decimals.Quo},
			} {
				got := op.ours(Int(a), Int(b))
				if op.name == "/" && b == 0 {
					if !got.IsNull() {
						t.Fatalf("%d / 0 = %s", a, got)
					}
					continue
				}
				want := new(apd.Decimal)
				if _, err := op.plain(want, apd.New(a, 0), apd.New(b, 0)); err != nil {
					t.Fatal(err)
				}
				if got.decimal().Cmp(want) != 0 {
					t.Fatalf("%d %s %d = %s, want %s", a, op.name, b, got, want)
				}
			}
			if got, want := compareNumbers(Int(a), Int(b)), apd.New(a, 0).Cmp(apd.New(b, 0)); got != want {
				t.Fatalf("%d compared with %d: %d, want %d", a, b, got, want)
			}
			if compareNumbers(Value{kind: KindNumber, ref: apd.New(a, 0)}, Int(b)) != sign(a, b) {
				t.Fatalf("%d as a decimal compared with %d", a, b)
			}
		}
		if got := negateNumber(Int(a)); addNumbers(got, Int(a)).String() != "0" {
			t.Fatalf("-(%d) = %s", a, got)
		}
	}
}

// TestFarApart: numbers far apart are added and compared without being written out,
// with the same answer.
func TestFarApart(t *testing.T) {
	texts := []string{"0", "1", "-1", "1e40", "-1e40", "9.999999999999999999999999999999999e39", "1e-40", "-1e-40", "5e5", "1e71",
		"1e72", "1e200", "-1e200", "1e-200", "1234567890123456789012345678901234", "0.1", "4.5e-35", "1e34", "1e33"}
	for _, x := range texts {
		for _, y := range texts {
			a, aOK := parseNumber(x)
			b, bOK := parseNumber(y)
			if !aOK || !bOK {
				t.Fatal(x, y)
			}
			if got, want := compareNumbers(a, b), a.decimal().Cmp(b.decimal()); got != want {
				t.Errorf("%s compared with %s: %d, want %d", x, y, got, want)
			}
			for _, op := range []struct {
				name  string
				ours  func(a, b Value) Value
				plain func(d, x, y *apd.Decimal) (apd.Condition, error)
			}{{"+", addNumbers, decimals.Add}, {"-", subtractNumbers, decimals.Sub}} {
				want := new(apd.Decimal)
				if _, err := op.plain(want, a.decimal(), b.decimal()); err != nil {
					t.Fatal(err)
				}
				if got := op.ours(a, b); got.decimal().Cmp(want) != 0 {
					t.Errorf("%s %s %s = %s, want %s", x, op.name, y, got, want)
				}
			}
		}
	}
}

// TestRounding: to each side, at halves, before and behind the point.
func TestRounding(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{`decimal(0.5, 0)`, `0`}, {`decimal(1.5, 0)`, `2`}, {`decimal(2.5, 0)`, `2`}, {`decimal(-2.5, 0)`, `-2`},
		{`decimal(1/3, 2)`, `0.33`}, {`decimal(1234.5, -2)`, `1200`}, {`decimal(1e33 + 0.5, 0)`, `1000000000000000000000000000000000`},
		{`floor(-1.01)`, `-2`}, {`floor(1.99)`, `1`}, {`ceiling(-1.99)`, `-1`}, {`ceiling(1.01)`, `2`}, {`ceiling(99.999, 2)`, `100`},
		{`round up(5.5, 0)`, `6`}, {`round up(-5.5, 0)`, `-6`}, {`round down(5.5, 0)`, `5`},
		{`round half up(5.5, 0)`, `6`}, {`round half up(-2.5, 0)`, `-3`}, {`round half down(5.5, 0)`, `5`},
		{`round half up(9999999999999999999999999999999999.5 / 10, 0)`, `1000000000000000000000000000000000`},
		{`modulo(10, 3)`, `1`}, {`modulo(-10, 3)`, `2`}, {`modulo(10, -3)`, `-2`}, {`modulo(5.5, 2)`, `1.5`}, {`modulo(1, 0)`, `null`},
		{`abs(-9223372036854775808)`, `9223372036854775808`},
		{`sqrt(16)`, `4`}, {`sqrt(-1)`, `null`}, {`log(0)`, `null`}, {`exp(0)`, `1`},
		{`odd(3)`, `true`}, {`even(-2)`, `true`}, {`even(2.5)`, `false`},
		{`1e6144 * 10`, `null`}, {`0.1 + 0.2`, `0.3`}, {`1.10 * 3`, `3.30`}, {`100 * 1.175`, `117.500`},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Errorf("%s: %v", row.src, err)
			continue
		}
		if got := x.Eval(nil).String(); got != row.want {
			t.Errorf("%s = %s, want %s", row.src, got, row.want)
		}
	}
}
