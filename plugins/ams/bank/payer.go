package main

import (
	"cmp"
	"encoding/json"
	"net/url"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// payerQuote asks what the payment costs the payer at the own bank.
func payerQuote(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	if no != nil {
		return no.failed("localQuoteFailed")
	}
	return quote(c, job, p, "outgoing", "localQuoteFailed")
}

// quote is common to both sides.
func quote(c *connector.Context, job *connector.Job, p order.Order, direction, flag string) connector.Outcome {
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	answer, no, end := l.read("POST", "/quotes", connector.Vars{
		"account": named(p.Account, l.config.Institution), "direction": direction,
		"amount": string(p.Amount.Value), "currency": p.Amount.Currency,
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	var q struct {
		Account  string        `json:"account"`
		Amount   order.Decimal `json:"amount"`
		Fee      order.Decimal `json:"fee"`
		Currency string        `json:"currency"`
	}
	if json.Unmarshal(answer, &q) != nil || q.Account == "" {
		return l.unreadable()
	}
	fee := order.Amount{Value: q.Fee, Currency: q.Currency}
	if !fee.OK() || !p.Amount.Same(order.Amount{Value: q.Amount, Currency: q.Currency}) {
		return (&refusal{Code: "QUOTE_MISMATCH", Message: "the bank's quote is not for the amount that was asked", payload: answer}).failed(flag)
	}
	commission := connector.Vars{"amount": "0", "currency": q.Currency}
	return connector.Complete(connector.Vars{
		flag: false, "externalAccountId": q.Account, "fspFee": fee.Vars(), "fspCommission": commission,
		"localQuoteResponse": string(connector.Vars{
			"transactionCode": job.Payment, "fspFee": fee.Vars(), "fspCommission": commission,
		}.JSON()),
	})
}

// bankHold is the bank's account of a hold.
type bankHold struct {
	ID        string        `json:"id"`
	Account   string        `json:"account"`
	Amount    order.Decimal `json:"amount"`
	Fee       order.Decimal `json:"fee"`
	Currency  string        `json:"currency"`
	State     string        `json:"state"`
	Reference string        `json:"reference"`
}

func readHold(answer []byte) (h bankHold) {
	if json.Unmarshal(answer, &h) != nil {
		return bankHold{}
	}
	return h
}

// hold sets the payer's money aside.
func hold(c *connector.Context, job *connector.Job) connector.Outcome {
	const key, flag = "hold", "transferPrepareFailed"
	p, no := readPayer(job)
	if no == nil {
		p, no = withFee(p, job)
	}
	if no != nil {
		return no.failed(flag)
	}
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	done, no, end := l.perform(deed{
		key: key, path: "/holds", body: body(p, job, l.config.Institution, key),
		terms: p.Amount.Terms(p.Account.Term(), l.config.Institution),
		sound: func(answer []byte) bool {
			h := readHold(answer)
			return h.ID != "" && h.Account != "" && h.State == "open" && h.Reference == job.Payment && p.Amount.Same(order.Amount{Value: h.Amount, Currency: h.Currency}) &&
				order.Amount{Value: h.Fee, Currency: h.Currency}.Same(order.Amount{Value: cmp.Or(p.Fee, "0"), Currency: h.Currency})
		},
		find: func(l *ledger) finding {
			var list struct {
				Holds *[]json.RawMessage `json:"holds"`
			}
			if !l.look("/holds"+l.reference(key), &list) {
				return finding{reason: "the bank does not list the payment's holds"}
			}
			return one(list.Holds)
		},
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	h := readHold(done)
	return connector.Complete(connector.Vars{
		flag: false, "externalAccountId": h.Account, "holdId": h.ID, "transferCode": h.ID, "heldAmount": p.Amount.Vars(),
	})
}

// held is the hold that an earlier job of the payment placed.
func held(job *connector.Job) (id string, p order.Order, no *refusal) {
	if id = job.String("holdId"); id == "" {
		id = job.String("transferCode")
	}
	if id == "" {
		return "", p, &refusal{Code: "NO_HOLD", Message: "the payment has no hold"}
	}
	p, no = readPayer(job)
	if no != nil {
		return id, p, no
	}
	m, there, err := order.ReadAmount(job, "heldAmount")
	if err != nil {
		return id, p, invalid("heldAmount: " + err.Error())
	}
	if there {
		p.Amount = m
	}
	return id, p, nil
}

// book debits the payer: the hold becomes a booking.
func book(c *connector.Context, job *connector.Job) connector.Outcome {
	const key, flag = "book", "transferCreateFailed"
	id, p, no := held(job)
	if no != nil {
		return no.failed(flag)
	}
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	done, no, end := l.perform(deed{
		key: key, path: "/bookings",
		body: connector.Vars{
			"hold": id, "amount": string(p.Amount.Value), "currency": p.Amount.Currency,
			"reference": job.Payment, "purpose": key,
		},
		terms: p.Amount.Terms(p.Account.Term(), l.config.Institution),
		sound: func(answer []byte) bool {
			b := readBooking(answer)
			return b.Hold == id && b.of(job, p.Amount)
		},
		find: findBooking(key),
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	return connector.Complete(connector.Vars{flag: false, "bookingId": readBooking(done).ID})
}

// release makes the held money available again.
func release(c *connector.Context, job *connector.Job) connector.Outcome {
	const key, flag = "release", "transferReleaseFailed"
	id, p, no := held(job)
	if no != nil {
		return no.failed(flag)
	}
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	_, no, end = l.perform(deed{
		key: key, path: "/holds/" + url.PathEscape(id) + "/release",
		body:  connector.Vars{"reason": "payment " + job.Payment},
		terms: p.Amount.Terms(l.config.Institution, p.Account.Term()),
		sound: func(answer []byte) bool {
			h := readHold(answer)
			return h.ID == id && h.State == "released"
		},
		find: func(l *ledger) finding {
			var raw json.RawMessage
			if !l.look("/holds/"+url.PathEscape(id), &raw) {
				return finding{reason: "the bank does not show the hold"}
			}
			switch h := readHold(raw); {
			case h.ID != id:
				return finding{reason: "the bank does not show the hold"}
			case h.State == "released":
				return finding{state: found, answer: raw}
			case h.State == "open":
				return finding{state: absent}
			default:
				return finding{state: declined, no: &refusal{Code: "HOLD_NOT_OPEN", Message: "the hold is " + h.State, payload: raw}}
			}
		},
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	return connector.Complete(connector.Vars{flag: false})
}
