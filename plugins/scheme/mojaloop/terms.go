package main

import (
	"encoding/json"
	"time"

	"github.com/railhead-hub/railhead/plugins/money"
	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/ilp"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// quote is what the payee's DFSP offers.
type quote struct {
	TransferAmount amount `json:"transferAmount"`
	Expiration     string `json:"expiration"`
	IlpPacket      string `json:"ilpPacket"`
	Condition      string `json:"condition"`
	// The others are for people; only the four above are agreed upon.
	PayeeReceiveAmount *amount `json:"payeeReceiveAmount,omitempty"`
	PayeeFspFee        *amount `json:"payeeFspFee,omitempty"`
	PayeeFspCommission *amount `json:"payeeFspCommission,omitempty"`
}

type amount struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
}

// agreed is what an ILP packet carries: the terms in the payee's own words.
type agreed struct {
	QuoteID       string                                   `json:"quoteId"`
	TransactionID string                                   `json:"transactionId"`
	Payee         struct{ PartyIDInfo fspiop.PartyIDInfo } `json:"payee"`
	Amount        amount                                   `json:"amount"`
}

func (q quote) missing() string {
	switch {
	case q.TransferAmount.Amount == "" || q.TransferAmount.Currency == "":
		return "transferAmount"
	case q.Expiration == "":
		return "expiration"
	case q.IlpPacket == "":
		return "ilpPacket"
	case q.Condition == "":
		return "condition"
	}
	return ""
}

// check compares a quote with what was asked for. A problem is a text for people
// without personal data; without one, expires is when the quote ends.
//
// The packet must say the very amount that was asked for: what we hold at the bank
// is that amount, so that fees the payee adds on top would not be covered.
func (q quote) check(asked channelRequest, payee, id, payment string) (expires time.Time, problem string) {
	expires, ok := fspiop.ParseTime(q.Expiration)
	if !ok {
		return expires, "the quote's expiration is malformed"
	}
	if !fspiop.ValidDigest(q.Condition) {
		return expires, "the quote's condition is malformed"
	}
	if offered, err := money.Parse(q.TransferAmount.Amount, q.TransferAmount.Currency); err != nil || offered != asked.money {
		return expires, "the quote's transferAmount is not the amount asked for"
	}
	packet, err := ilp.Decode(q.IlpPacket)
	if err != nil {
		return expires, "the quote's ILP packet cannot be read"
	}
	var said agreed
	if json.Unmarshal(packet.Data, &said) != nil {
		return expires, "the quote's ILP packet carries no transaction"
	}
	promised, err := money.Parse(said.Amount.Amount, said.Amount.Currency)
	party := said.Payee.PartyIDInfo
	switch {
	case packet.Amount != asked.money.Minor:
		return expires, "the ILP packet promises another amount"
	case err != nil || promised != asked.money:
		return expires, "the ILP packet's transaction has another amount or currency"
	case said.QuoteID != id || said.TransactionID != payment:
		return expires, "the ILP packet belongs to another quote"
	case !party.Same(asked.Payee.PartyIDInfo) || party.FSP != "" && party.FSP != payee:
		return expires, "the ILP packet names another payee"
	}
	return expires, ""
}

// JSON is the quote as Payment Hub EE keeps it, with only the fields we know.
func (q quote) JSON() []byte { return connector.Value(q) }
