package bank

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

// FuzzAmount holds parseAmount and formatAmount against arithmetic of any size.
func FuzzAmount(f *testing.F) {
	for _, text := range []string{"0", "0.00", "10.5", "10.50", "10000000000000.00", "10000000000000.01", "1e3", "-1", "+1", " 1", "01", "1.", ".1", "1,0", "٣"} {
		for _, currency := range []string{"USD", "JPY", "BHD", "CLF", "XXX"} {
			f.Add(text, currency)
		}
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		minor, err := parseAmount(text, currency, true)
		if err != nil {
			if e, ok := refusal(err); !ok || e.Code != BadRequest {
				t.Fatalf("%q %q: %v", text, currency, err)
			}
			return
		}
		value, ok := new(big.Rat).SetString(text)
		if !ok || minor < 0 || minor > amountMax {
			t.Fatalf("%q was taken as %d", text, minor)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(currencies[currency])), nil)
		if want := value.Mul(value, new(big.Rat).SetInt(scale)); !want.IsInt() || want.Num().Int64() != minor {
			t.Fatalf("%q %s is %d minor units, not %s", text, currency, minor, want)
		}
		again, err := parseAmount(formatAmount(minor, currency), currency, true)
		if err != nil || again != minor {
			t.Fatalf("%d is written %q and read %d, %v", minor, formatAmount(minor, currency), again, err)
		}
	})
}

func TestFormatAmount(t *testing.T) {
	for _, row := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{0, "USD", "0.00"}, {5, "USD", "0.05"}, {-5, "USD", "-0.05"}, {-12345, "USD", "-123.45"}, {7, "JPY", "7"},
		{7, "BHD", "0.007"}, {12345, "CLF", "1.2345"}, {math.MinInt64, "USD", "-92233720368547758.08"},
	} {
		if got := formatAmount(row.minor, row.currency); got != row.want {
			t.Errorf("%d %s is %s, want %s", row.minor, row.currency, got, row.want)
		}
	}
}

func TestCurrencies(t *testing.T) {
	if len(currencies) < 150 {
		t.Errorf("only %d currencies", len(currencies))
	}
	for code := range currencies {
		if len(code) != 3 || strings.ToUpper(code) != code {
			t.Errorf("currency %q", code)
		}
	}
}

func TestAdd(t *testing.T) {
	for _, row := range []struct {
		a, b int64
		ok   bool
	}{{math.MaxInt64, 1, false}, {math.MinInt64, -1, false}, {math.MaxInt64 - 1, 1, true}, {math.MinInt64 + 1, -1, true}, {-1, 1, true}} {
		if sum, err := add(row.a, row.b); (err == nil) != row.ok || row.ok && sum != row.a+row.b {
			t.Errorf("%d + %d: %d, %v", row.a, row.b, sum, err)
		}
	}
}
