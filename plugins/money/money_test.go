package money

import (
	"errors"
	"math"
	"strconv"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		decimal, currency string
		minor             uint64
		text              string
		err               error
	}{
		{"100.25", "USD", 10025, "100.25", nil},
		{"100.50", "USD", 10050, "100.5", nil},
		{"100.00", "USD", 10000, "100", nil},
		{"100.000000", "USD", 10000, "100", nil},
		{"0.01", "USD", 1, "0.01", nil},
		{"0", "USD", 0, "0", nil},
		{"7", "JPY", 7, "7", nil},
		{"7.0", "JPY", 7, "7", nil},
		{"1.234", "KWD", 1234, "1.234", nil},
		{"0.004", "KWD", 4, "0.004", nil},
		{"92233720368547758.07", "USD", math.MaxInt64, "92233720368547758.07", nil},
		{"92233720368547758.08", "USD", 0, "", ErrRange},
		{"184467440737095516.15", "USD", 0, "", ErrRange},
		{"184467440737095516.16", "USD", 0, "", ErrRange},
		{"999999999999999999.99", "USD", 0, "", ErrRange},
		{"999999999999999999", "JPY", 999999999999999999, "999999999999999999", nil},
		{"1000000000000000000", "JPY", 0, "", ErrRange},
		{"1.234", "USD", 0, "", ErrDecimals},
		{"1.5", "JPY", 0, "", ErrDecimals},
		{"", "USD", 0, "", ErrSyntax},
		{".5", "USD", 0, "", ErrSyntax},
		{"5.", "USD", 0, "", ErrSyntax},
		{"05", "USD", 0, "", ErrSyntax},
		{"-5", "USD", 0, "", ErrSyntax},
		{"+5", "USD", 0, "", ErrSyntax},
		{"5e3", "USD", 0, "", ErrSyntax},
		{" 5", "USD", 0, "", ErrSyntax},
		{"5,00", "USD", 0, "", ErrSyntax},
		{"٥", "USD", 0, "", ErrSyntax},
		{"NaN", "USD", 0, "", ErrSyntax},
		{"5", "usd", 0, "", ErrCurrency},
		{"5", "", 0, "", ErrCurrency},
		{"5", "ABC", 0, "", ErrCurrency},
		{"5", "D A", 0, "", ErrCurrency},
	} {
		a, err := Parse(c.decimal, c.currency)
		if !errors.Is(err, c.err) || a.Minor != c.minor || err == nil && a.String() != c.text {
			t.Errorf("Parse(%q, %q) = %d %q, %v", c.decimal, c.currency, a.Minor, a, err)
		}
	}
}

// FuzzParse holds that what is read is written again, and read again the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"100.25", "0.01", "000", "1e9", ".", "18446744073709551616"} {
		f.Add(seed, "USD")
	}
	f.Fuzz(func(t *testing.T, decimal, currency string) {
		a, err := Parse(decimal, currency)
		if err != nil {
			return
		}
		again, err := Parse(a.String(), currency)
		if err != nil || again != a {
			t.Fatalf("%q is %d, written %q, read %d (%v)", decimal, a.Minor, a, again.Minor, err)
		}
		if exponent, _ := Exponent(currency); exponent == 0 && a.String() != strconv.FormatUint(a.Minor, 10) {
			t.Fatalf("%q has no decimals but reads %q", currency, a)
		}
	})
}
