package mojaloophub

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// money is FSPIOP's {currency, amount}.
type money struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
}

var (
	amountPattern   = regexp.MustCompile(`^([0]|([1-9][0-9]{0,17}))([.][0-9]{0,3}[1-9])?$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// exponent is the number of decimals of a currency in ISO 4217.
func exponent(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// minor is the amount in the smallest unit of its currency.
func (m money) minor() (*big.Int, error) {
	if !amountPattern.MatchString(m.Amount) || !currencyPattern.MatchString(m.Currency) {
		return nil, fmt.Errorf("amount %q %q is malformed", m.Currency, m.Amount)
	}
	whole, fraction, _ := strings.Cut(m.Amount, ".")
	exp := exponent(m.Currency)
	if len(fraction) > exp {
		return nil, fmt.Errorf("%s has %d decimals, not %d", m.Currency, exp, len(fraction))
	}
	n, _ := new(big.Int).SetString(whole+fraction+strings.Repeat("0", exp-len(fraction)), 10)
	return n, nil
}

// decimal writes minor units as FSPIOP's amount, which has no trailing zeros.
func decimal(minor *big.Int, currency string) string {
	exp := exponent(currency)
	digits := minor.String()
	if exp == 0 {
		return digits
	}
	if len(digits) <= exp {
		digits = strings.Repeat("0", exp+1-len(digits)) + digits
	}
	fraction := strings.TrimRight(digits[len(digits)-exp:], "0")
	if fraction == "" {
		return digits[:len(digits)-exp]
	}
	return digits[:len(digits)-exp] + "." + fraction
}
