package main

import (
	"encoding/json"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// lookup says who a party is, as FSPIOP describes one.
func lookup(c *connector.Context, job *connector.Job) connector.Outcome {
	const flag = "partyLookupFailed"
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	who := order.ReadParty(job)
	p, no, end := l.party(who)
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	return connector.Complete(connector.Vars{
		flag: false,
		"payeePartyResponse": string(connector.Vars{
			"partyIdInfo": connector.Vars{"partyIdType": who.Type, "partyIdentifier": who.ID, "fspId": l.config.FSPID},
			"name":        p.Name,
		}.JSON()),
	})
}

// payeeQuote asks what it costs the payee to be paid.
func payeeQuote(c *connector.Context, job *connector.Job) connector.Outcome {
	r, err := order.ReadRequest(job, "quoteSwitchRequest")
	switch {
	case err != nil:
		return invalid("quoteSwitchRequest is not a quote request").failed("quoteFailed")
	case !r.Payee.PartyIDInfo.Named():
		return invalid("quoteSwitchRequest names no payee").failed("quoteFailed")
	case !r.Amount.OK():
		return invalid("quoteSwitchRequest has no amount with a currency").failed("quoteFailed")
	}
	return quote(c, job, order.Order{Account: order.Account{Party: r.Payee.PartyIDInfo}, Amount: r.Amount}, "incoming", "quoteFailed")
}

// commit credits the payee with a transfer that the scheme has prepared.
func commit(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayee(job, "quoteSwitchRequest")
	if no == nil {
		p, no = withFee(p, job)
	}
	return credit(c, job, p, no)
}

// deposit credits the payee with money that comes from elsewhere. A fee there may
// be in fspFee is the payer's.
func deposit(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayee(job, "channelRequest")
	return credit(c, job, p, no)
}

func credit(c *connector.Context, job *connector.Job, p order.Order, no *refusal) connector.Outcome {
	const key, flag = "credit", "transferCreateFailed"
	if no != nil {
		return no.failed(flag)
	}
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	done, no, end := l.perform(deed{
		key: key, path: "/deposits", body: body(p, job, l.config.Institution, key),
		terms: p.Amount.Terms(l.config.Institution, p.Account.Term()),
		sound: func(answer []byte) bool {
			b := readBooking(answer)
			return b.of(job, p.Amount) && b.customer() != ""
		},
		find: findBooking(key),
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	b := readBooking(done)
	return connector.Complete(connector.Vars{
		flag: false, "bookingId": b.ID, "transferCode": b.ID, "externalAccountId": b.customer(),
	})
}

// bankParty is who an identifier belongs to.
type bankParty struct {
	Name     string `json:"name"`
	Accounts []struct {
		ID       string `json:"id"`
		Currency string `json:"currency"`
		State    string `json:"state"`
	} `json:"accounts"`
}

func (l *ledger) party(who order.Party) (p bankParty, no *refusal, end *connector.Outcome) {
	if !who.Named() {
		return p, invalid("partyIdType or partyId is missing"), nil
	}
	answer, no, end := l.read("GET", partyPath(l.config.Institution, who), nil)
	if no == nil && end == nil && (json.Unmarshal(answer, &p) != nil || len(p.Accounts) == 0) {
		end = new(l.unreadable())
	}
	return p, no, end
}
