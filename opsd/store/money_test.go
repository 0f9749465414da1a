package store

import (
	"strings"
	"testing"
)

func TestAmounts(t *testing.T) {
	cases := []struct {
		text, currency string
		minor          int64
		ok             bool
		back           string
	}{
		{"12.5", "USD", 1250, true, "12.50"},
		{"12.500", "USD", 1250, true, "12.50"},
		{"0", "USD", 0, true, "0.00"},
		{"0.05", "USD", 5, true, "0.05"},
		{"100", "JPY", 100, true, "100"},
		{"1.005", "KWD", 1005, true, "1.005"},
		{"7", "ZZZ", 700, true, "7.00"},
		{"1.005", "USD", 0, false, ""},
		{"1.5", "JPY", 0, false, ""},
		{"-1", "USD", 0, false, ""},
		{"1e3", "USD", 0, false, ""},
		{"", "USD", 0, false, ""},
		{".5", "USD", 0, false, ""},
		{"1,5", "USD", 0, false, ""},
		{"999999999999999999", "USD", 0, false, ""},
		{"99999999999999999999", "USD", 0, false, ""},
	}
	for _, tc := range cases {
		minor, ok := ParseAmount(tc.text, tc.currency)
		if minor != tc.minor || ok != tc.ok {
			t.Errorf("ParseAmount(%s %s) = %d, %v; want %d, %v", tc.text, tc.currency, minor, ok, tc.minor, tc.ok)
		}
		if ok && FormatAmount(minor, tc.currency) != tc.back {
			t.Errorf("FormatAmount(%d %s) = %s, want %s", minor, tc.currency, FormatAmount(minor, tc.currency), tc.back)
		}
	}
}

func TestAnAmountIsFoundWhereverItIsWritten(t *testing.T) {
	cases := []struct{ vars, want string }{
		{`amount="12.50" currency="USD"`, "12.50 USD"},
		{`amount=12.5 currency="USD"`, "12.50 USD"},
		{`currency="USD" amount=12`, "12.00 USD"},
		{`amount={"amount":"12.50","currency":"TZS"}`, "12.50 TZS"},
		{`amount={"amount":{"amount":1},"currency":"TZS"}`, ""},
		{`amount="12.50"`, ""},
		{`amount="12.505" currency="USD"`, ""},
		{`amount="12" currency="usd"`, ""},
		{`amount=null currency="USD"`, ""},
	}
	for _, tc := range cases {
		e := newPayment(started(tc.vars))
		e.fold(started(tc.vars))
		got := ""
		if e.Amount != nil {
			got = FormatAmount(*e.Amount, e.Currency) + " " + e.Currency
		}
		if got != tc.want {
			t.Errorf("%s gives %q, want %q", tc.vars, got, tc.want)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	f.Add("12.50", "USD")
	f.Add("0.001", "KWD")
	f.Fuzz(func(t *testing.T, text, currency string) {
		minor, ok := ParseAmount(text, currency)
		if !ok {
			return
		}
		again, ok := ParseAmount(FormatAmount(minor, currency), currency)
		if !ok || again != minor || strings.HasPrefix(text, "-") {
			t.Errorf("%q %q: %d, then %d %v", text, currency, minor, again, ok)
		}
	})
}
