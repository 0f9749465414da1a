package main

import (
	"encoding/json"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// request is what this connector reads of Payment Hub EE's channelRequest and of
// an FSPIOP quote request: who pays, who is paid, how much.
type request struct {
	Payer  side   `json:"payer"`
	Payee  side   `json:"payee"`
	Amount amount `json:"amount"`
}

type side struct {
	PartyIDInfo party `json:"partyIdInfo"`
}

// party names an account's holder to the outside.
type party struct {
	Type string `json:"partyIdType"`
	ID   string `json:"partyIdentifier"`
}

func (p party) named() bool { return p.Type != "" && p.ID != "" }

// readRequest reads a variable that holds a request, as an object or, as Payment
// Hub EE has it, as a string of JSON.
func readRequest(job *connector.Job, name string) (r request, err error) {
	text := job.JSON(name)
	if !job.Has(name) {
		return r, nil
	}
	if text[0] == '"' {
		text = []byte(job.String(name))
	}
	return r, json.Unmarshal(text, &r)
}

// account is how the service is told which account: by identifier or by its id.
type account struct {
	party party
	id    string
}

func (a account) known() bool { return a.party.named() || a.id != "" }

// vars is the account as the service's interface names it.
func (a account) vars() connector.Vars {
	if a.party.named() {
		return connector.Vars{"type": a.party.Type, "value": a.party.ID}
	}
	return connector.Vars{"id": a.id}
}

// term is the account in the terms of a money effect.
func (a account) term() string {
	if a.party.named() {
		return a.party.Type + ":" + a.party.ID
	}
	return a.id
}

// partyVariables is the party in the variables partyIdType and partyId.
func partyVariables(job *connector.Job) party {
	return party{job.String("partyIdType"), job.String("partyId")}
}

// payment is what a job's variables say about the money to move.
type payment struct {
	account account
	amount  amount
	fee     decimal // in the currency of amount; empty: none
}

// order is the body of a deed on the customer's account: a hold or a deposit.
func (p payment) order() connector.Vars {
	body := connector.Vars{
		"account": p.account.vars(), "amount": string(p.amount.Value), "currency": p.amount.Currency,
	}
	if p.fee != "" {
		body["fee"] = string(p.fee)
	}
	return body
}

// readPayer reads the payer's account and what leaves it.
func readPayer(job *connector.Job) (p payment, no *refusal) {
	r, err := readRequest(job, "channelRequest")
	if err != nil {
		return p, invalid("channelRequest is not a transfer request")
	}
	p.account = account{party: r.Payer.PartyIDInfo, id: job.String("externalAccountId")}
	return p.read(job, r.Amount)
}

// readPayee reads the payee's account and what reaches it.
func readPayee(job *connector.Job, source string) (p payment, no *refusal) {
	r, err := readRequest(job, source)
	if err != nil {
		return p, invalid(source + " is not a request")
	}
	p.account = account{party: r.Payee.PartyIDInfo, id: job.String("externalAccountId")}
	if !p.account.party.named() {
		p.account.party = partyVariables(job)
	}
	return p.read(job, r.Amount)
}

// read takes the amount from the variable amount, or else from the request.
func (p payment) read(job *connector.Job, asked amount) (payment, *refusal) {
	m, there, err := moneyVariable(job, "amount")
	if err != nil {
		return p, invalid("amount: " + err.Error())
	}
	if p.amount = asked; there {
		p.amount = m
	}
	switch {
	case !p.account.known():
		return p, invalid("no account is named")
	case !p.amount.ok():
		return p, invalid("no amount with a currency is given")
	}
	return p, nil
}

// withFee adds the fee that the service has quoted for this side of the payment.
func (p payment) withFee(job *connector.Job) (payment, *refusal) {
	fee, there, err := moneyVariable(job, "fspFee")
	switch {
	case err != nil:
		return p, invalid("fspFee: " + err.Error())
	case there && fee.Currency != p.amount.Currency:
		return p, &refusal{Code: "CURRENCY_MISMATCH", Message: "the fee is in " + fee.Currency + ", the amount in " + p.amount.Currency}
	case there && !fee.zero():
		p.fee = fee.Value
	}
	return p, nil
}

func invalid(message string) *refusal { return &refusal{Code: "INVALID_REQUEST", Message: message} }
