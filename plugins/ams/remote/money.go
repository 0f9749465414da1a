package main

import (
	"encoding/json"

	"github.com/railhead-hub/railhead/plugins/money"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// amount is money as flows and the service write it: a decimal, never a float.
type amount struct {
	Value    decimal `json:"amount"`
	Currency string  `json:"currency"`
}

// decimal is the text of an amount. It is read from a JSON string or from the
// digits of a JSON number, never by way of a float.
type decimal string

func (d *decimal) UnmarshalJSON(text []byte) error {
	s := string(text)
	if len(s) > 0 && s[0] == '"' {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
	}
	*d = decimal(s)
	if s == "null" {
		*d = ""
	}
	return nil
}

// ok reports whether it is an amount of a currency there is.
func (a amount) ok() bool {
	_, err := a.parse()
	return err == nil
}

func (a amount) parse() (money.Amount, error) { return money.Parse(string(a.Value), a.Currency) }

// same compares by value: 10.5 is 10.50.
func (a amount) same(b amount) bool {
	x, errX := a.parse()
	y, errY := b.parse()
	return errX == nil && errY == nil && x == y
}

func (a amount) zero() bool {
	m, err := a.parse()
	return err == nil && m.Minor == 0
}

func (a amount) vars() connector.Vars {
	return connector.Vars{"amount": string(a.Value), "currency": a.Currency}
}

func (a amount) terms(debtor, creditor string) *connector.Terms {
	return &connector.Terms{Amount: string(a.Value), Currency: a.Currency, Debtor: debtor, Creditor: creditor}
}

// moneyVariable reads a variable that holds an amount: an object with amount and
// currency, or a scalar beside the variable currency. A variable that is not
// there is no error; what is there must be an amount.
func moneyVariable(job *connector.Job, name string) (a amount, there bool, err error) {
	if !job.Has(name) {
		return a, false, nil
	}
	if text := job.JSON(name); text[0] == '{' {
		err = job.Decode(name, &a)
	} else {
		a = amount{decimal(job.String(name)), job.String("currency")}
	}
	if err == nil {
		_, err = a.parse()
	}
	return a, true, err
}
