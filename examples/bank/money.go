package bank

import (
	"math"
	"strconv"
	"strings"
)

// amountMax bounds one amount, in minor units. Nine thousand of the largest still
// fit a balance; add refuses the one that does not.
const amountMax = 1_000_000_000_000_000

// currencies are the ISO 4217 codes in use, grouped by exponent: the number of
// decimal places between the major and the minor unit.
var currencies = func() map[string]int {
	byExponent := map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD " +
			"CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS " +
			"GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP " +
			"LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK " +
			"NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS " +
			"SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST " +
			"XCD XCG YER ZAR ZMW ZWG",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	}
	m := make(map[string]int)
	for exponent, codes := range byExponent {
		for code := range strings.FieldsSeq(codes) {
			m[code] = exponent
		}
	}
	return m
}()

// parseAmount reads a decimal string as minor units of the currency: digits, and
// at most as many decimal places as the currency has. Zero is an amount only
// where the caller allows it; a sign, an exponent or a leading zero never is.
func parseAmount(text, currency string, zero bool) (int64, error) {
	exponent, ok := currencies[currency]
	if !ok {
		return 0, refuse(BadRequest, "currency %q is not an ISO 4217 code in use", currency)
	}
	whole, fraction, dot := strings.Cut(text, ".")
	switch {
	case !digits(whole) || dot && !digits(fraction) || len(whole) > 1 && whole[0] == '0':
		return 0, refuse(BadRequest, "amount %q is not a decimal such as 10.50", clip(text))
	case len(fraction) > exponent:
		return 0, refuse(BadRequest, "amount %q has more than %d decimal places, which is all %s has", clip(text), exponent, currency)
	case len(whole) > 16:
		return 0, refuse(BadRequest, "amount %q is too large", clip(text))
	}
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", exponent-len(fraction)), 10, 64)
	if err != nil || minor > amountMax {
		return 0, refuse(BadRequest, "amount %q is too large", clip(text))
	}
	if minor == 0 && !zero {
		return 0, refuse(BadRequest, "amount is zero")
	}
	return minor, nil
}

// formatAmount writes minor units as a decimal string with every decimal place
// of the currency.
func formatAmount(minor int64, currency string) string {
	exponent := currencies[currency]
	sign, abs := "", uint64(minor)
	if minor < 0 {
		sign, abs = "-", -uint64(minor)
	}
	text := strconv.FormatUint(abs, 10)
	if exponent == 0 {
		return sign + text
	}
	if short := exponent + 1 - len(text); short > 0 {
		text = strings.Repeat("0", short) + text
	}
	return sign + text[:len(text)-exponent] + "." + text[len(text)-exponent:]
}

// add returns a+b, or a refusal where the sum leaves the range of a balance.
func add(a, b int64) (int64, error) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, refuse(BalanceTooLarge, "the balance would leave the range of the ledger")
	}
	return a + b, nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// clip bounds what a message repeats of a request.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
