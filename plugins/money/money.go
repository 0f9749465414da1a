// Package money reads and writes amounts as connectors meet them on the wire:
// decimal strings beside a currency code. An amount is a whole number of the
// currency's smallest unit, never a float. It is for connectors; the engine has
// decimals of its own.
package money

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// The ways in which text can fail to be an amount.
var (
	ErrSyntax   = errors.New("amount is not a decimal number without sign or exponent")
	ErrCurrency = errors.New("currency is not a known ISO 4217 code")
	ErrDecimals = errors.New("amount has more decimals than its currency")
	ErrRange    = errors.New("amount is too large")
)

// digitsMax bounds the whole part, as FSPIOP and ISO 20022 do.
const digitsMax = 18

// Amount is money.
type Amount struct {
	Minor    uint64 // in the currency's smallest unit; a ledger's signed 64 bits hold it
	Currency string // ISO 4217
}

// Parse reads a decimal such as "100", "100.5" or "100.50" of a currency. A sign,
// an exponent, white space, a leading zero before another digit, and decimals the
// currency does not have are errors; zeros beyond them are not.
func Parse(decimal, currency string) (Amount, error) {
	exponent, ok := Exponent(currency)
	if !ok {
		return Amount{}, ErrCurrency
	}
	whole, fraction, point := strings.Cut(decimal, ".")
	if !digits(whole) || whole == "" || len(whole) > 1 && whole[0] == '0' || point && (!digits(fraction) || fraction == "") {
		return Amount{}, ErrSyntax
	}
	if len(whole) > digitsMax || len(fraction) > digitsMax {
		return Amount{}, ErrRange
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > exponent {
		return Amount{}, ErrDecimals
	}
	var minor uint64
	for _, d := range whole + fraction + strings.Repeat("0", exponent-len(fraction)) {
		high, low := bits.Mul64(minor, 10)
		sum, carry := bits.Add64(low, uint64(d-'0'), 0)
		if high != 0 || carry != 0 {
			return Amount{}, ErrRange
		}
		minor = sum
	}
	if minor > math.MaxInt64 {
		return Amount{}, ErrRange
	}
	return Amount{Minor: minor, Currency: currency}, nil
}

// String is the amount as a decimal without trailing zeros, which is the one form
// FSPIOP accepts: "100.5", "5", "0".
func (a Amount) String() string {
	exponent, _ := Exponent(a.Currency)
	text := strconv.FormatUint(a.Minor, 10)
	if exponent == 0 {
		return text
	}
	if len(text) <= exponent {
		text = strings.Repeat("0", exponent+1-len(text)) + text
	}
	whole, fraction := text[:len(text)-exponent], strings.TrimRight(text[len(text)-exponent:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Exponent is the number of decimals of a currency, and whether it is one: the
// codes of FSPIOP 1.1's CurrencyCode and the money that has been added to ISO 4217
// since.
func Exponent(currency string) (int, bool) {
	if len(currency) != 3 {
		return 0, false
	}
	for exponent, codes := range currencies {
		for at := 0; at < len(codes); at += 4 {
			if codes[at:at+3] == currency {
				return exponent, true
			}
		}
	}
	return 0, false
}

// currencies are the codes by their number of decimals, each four bytes apart.
var currencies = [4]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
	2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY " +
		"COP CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF " +
		"IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR " +
		"MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP " +
		"SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VEF VES WST XCD " +
		"XCG XTS YER ZAR ZMW ZWD ZWG ZWL",
	3: "BHD IQD JOD KWD LYD OMR TND",
}
