// Package order reads what the variables of a Payment Hub EE flow say about the money
// that a core banking system is to move: whose account, how much, with which fee. It
// asks nobody and decides nothing; the connectors that use it know their ledgers.
// Begin with ReadPayer and ReadPayee.
package order

import (
	"encoding/json"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// Request is what is read of Payment Hub EE's channelRequest and of an FSPIOP quote
// request: who pays, who is paid, how much.
type Request struct {
	Payer  Side   `json:"payer"`
	Payee  Side   `json:"payee"`
	Amount Amount `json:"amount"`
}

// Side is one of the two parties of a Request.
type Side struct {
	PartyIDInfo Party `json:"partyIdInfo"`
}

// Party names an account's holder to the outside.
type Party struct {
	Type string `json:"partyIdType"` // MSISDN, IBAN, ...
	ID   string `json:"partyIdentifier"`
}

// Named reports whether it names anybody.
func (p Party) Named() bool { return p.Type != "" && p.ID != "" }

// ReadRequest reads a variable that holds a request, as an object or, as Payment
// Hub EE has it, as a string of JSON. A variable that is not there is an empty one.
func ReadRequest(job *connector.Job, name string) (r Request, err error) {
	text := job.JSON(name)
	if !job.Has(name) {
		return r, nil
	}
	if text[0] == '"' {
		text = []byte(job.String(name))
	}
	return r, json.Unmarshal(text, &r)
}

// ReadParty is the party in the variables partyIdType and partyId.
func ReadParty(job *connector.Job) Party {
	return Party{job.String("partyIdType"), job.String("partyId")}
}

// Account says which account is meant: by its holder's identifier, or by its id at
// the core banking system.
type Account struct {
	Party Party
	ID    string
}

// Known reports whether it says so.
func (a Account) Known() bool { return a.Party.Named() || a.ID != "" }

// Vars is the account in the body of a request: type and value, or id.
func (a Account) Vars() connector.Vars {
	if a.Party.Named() {
		return connector.Vars{"type": a.Party.Type, "value": a.Party.ID}
	}
	return connector.Vars{"id": a.ID}
}

// Term is the account in the terms of a money effect.
func (a Account) Term() string {
	if a.Party.Named() {
		return a.Party.Type + ":" + a.Party.ID
	}
	return a.ID
}

// Order is what a job's variables say about the money to move.
type Order struct {
	Account Account
	Amount  Amount
	Fee     Decimal // in the currency of Amount; empty: none
}

// Fault is why a job's variables are no order, in words and codes of the flow.
type Fault struct {
	Code, Message string
}

func invalid(message string) *Fault { return &Fault{"INVALID_REQUEST", message} }

// ReadPayer reads the payer's account and what leaves it.
func ReadPayer(job *connector.Job) (Order, *Fault) {
	r, err := ReadRequest(job, "channelRequest")
	if err != nil {
		return Order{}, invalid("channelRequest is not a transfer request")
	}
	o := Order{Account: Account{Party: r.Payer.PartyIDInfo, ID: job.String("externalAccountId")}}
	return o.read(job, r.Amount)
}

// ReadPayee reads the payee's account and what reaches it; source is the variable of
// the request.
func ReadPayee(job *connector.Job, source string) (Order, *Fault) {
	r, err := ReadRequest(job, source)
	if err != nil {
		return Order{}, invalid(source + " is not a request")
	}
	o := Order{Account: Account{Party: r.Payee.PartyIDInfo, ID: job.String("externalAccountId")}}
	if !o.Account.Party.Named() {
		o.Account.Party = ReadParty(job)
	}
	return o.read(job, r.Amount)
}

// read takes the amount from the variable amount, or else from the request.
func (o Order) read(job *connector.Job, asked Amount) (Order, *Fault) {
	m, there, err := ReadAmount(job, "amount")
	if err != nil {
		return o, invalid("amount: " + err.Error())
	}
	if o.Amount = asked; there {
		o.Amount = m
	}
	switch {
	case !o.Account.Known():
		return o, invalid("no account is named")
	case !o.Amount.OK():
		return o, invalid("no amount with a currency is given")
	}
	return o, nil
}

// WithFee adds the fee that was quoted for this side of the payment, from the variable
// fspFee.
func (o Order) WithFee(job *connector.Job) (Order, *Fault) {
	fee, there, err := ReadAmount(job, "fspFee")
	switch {
	case err != nil:
		return o, invalid("fspFee: " + err.Error())
	case there && fee.Currency != o.Amount.Currency:
		return o, &Fault{"CURRENCY_MISMATCH", "the fee is in " + fee.Currency + ", the amount in " + o.Amount.Currency}
	case there && !fee.Zero():
		o.Fee = fee.Value
	}
	return o, nil
}
