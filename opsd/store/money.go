package store

import (
	"math"
	"strconv"
	"strings"
)

// exponents are the ISO 4217 currencies whose minor unit is not a hundredth.
var exponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// Exponent is the number of decimals of the currency's minor unit.
func Exponent(currency string) int {
	if e, ok := exponents[currency]; ok {
		return e
	}
	return 2
}

// ParseAmount reads a decimal such as 12.50 into minor units of the currency. It
// is not ok when the text is no plain decimal, is negative, does not fit 63 bits,
// or has digits below the minor unit that are not zero.
func ParseAmount(text, currency string) (minor int64, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	exponent := Exponent(currency)
	fraction = strings.TrimRight(fraction, "0")
	if whole == "" || len(whole) > 18 || len(fraction) > exponent || !digits(whole) || !digits(fraction) {
		return 0, false
	}
	fraction += strings.Repeat("0", exponent-len(fraction))
	v, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil || v > math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}

// FormatAmount is the decimal text of minor units.
func FormatAmount(minor int64, currency string) string {
	exponent := Exponent(currency)
	s := strconv.FormatInt(minor, 10)
	if exponent == 0 {
		return s
	}
	if len(s) <= exponent {
		s = strings.Repeat("0", exponent+1-len(s)) + s
	}
	return s[:len(s)-exponent] + "." + s[len(s)-exponent:]
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
