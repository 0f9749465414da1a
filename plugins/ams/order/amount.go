package order

import (
	"encoding/json"

	"github.com/railhead-hub/railhead/plugins/money"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// Amount is money as flows and core banking systems write it: a decimal, never a
// float.
type Amount struct {
	Value    Decimal `json:"amount"`
	Currency string  `json:"currency"`
}

// Decimal is the text of an amount. It is read from a JSON string or from the
// digits of a JSON number, never by way of a float.
type Decimal string

// UnmarshalJSON implements json.Unmarshaler.
func (d *Decimal) UnmarshalJSON(text []byte) error {
	s := string(text)
	if len(s) > 0 && s[0] == '"' {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
	}
	*d = Decimal(s)
	if s == "null" {
		*d = ""
	}
	return nil
}

// OK reports whether it is an amount of a currency there is.
func (a Amount) OK() bool {
	_, err := a.parse()
	return err == nil
}

func (a Amount) parse() (money.Amount, error) { return money.Parse(string(a.Value), a.Currency) }

// Same compares by value: 10.5 is 10.50. What is no amount is the same as nothing.
func (a Amount) Same(b Amount) bool {
	x, errX := a.parse()
	y, errY := b.parse()
	return errX == nil && errY == nil && x == y
}

// Zero reports whether it is an amount, of nothing.
func (a Amount) Zero() bool {
	m, err := a.parse()
	return err == nil && m.Minor == 0
}

// Vars is the amount as flows have it in a variable.
func (a Amount) Vars() connector.Vars {
	return connector.Vars{"amount": string(a.Value), "currency": a.Currency}
}

// Terms are those of a money effect that moves the amount.
func (a Amount) Terms(debtor, creditor string) *connector.Terms {
	return &connector.Terms{Amount: string(a.Value), Currency: a.Currency, Debtor: debtor, Creditor: creditor}
}

// ReadAmount reads a variable that holds an amount: an object with amount and
// currency, or a scalar beside the variable currency. A variable that is not
// there is no error; what is there must be an amount.
func ReadAmount(job *connector.Job, name string) (a Amount, there bool, err error) {
	if !job.Has(name) {
		return a, false, nil
	}
	if text := job.JSON(name); text[0] == '{' {
		err = job.Decode(name, &a)
	} else {
		a = Amount{Decimal(job.String(name)), job.String("currency")}
	}
	if err == nil {
		_, err = a.parse()
	}
	return a, true, err
}
