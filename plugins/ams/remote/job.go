package main

import (
	"net/url"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// lookup says who a party is, as FSPIOP describes one.
func lookup(c *connector.Context, job *connector.Job) connector.Outcome {
	s, end := open(c, job, "partyLookupFailed")
	if end != nil {
		return *end
	}
	who := order.ReadParty(job)
	if !who.Named() {
		return s.refused(invalid("partyIdType or partyId is missing"))
	}
	var party struct {
		Account string `json:"account"`
		Name    string `json:"name"`
	}
	if end := s.read("GET", "/parties/"+url.PathEscape(who.Type)+"/"+url.PathEscape(who.ID), nil, &party); end != nil {
		return *end
	}
	if party.Account == "" {
		return unreadable()
	}
	return connector.Complete(connector.Vars{
		s.flag: false,
		"payeePartyResponse": string(connector.Vars{
			"partyIdInfo": connector.Vars{"partyIdType": who.Type, "partyIdentifier": who.ID, "fspId": s.config.FSPID},
			"name":        party.Name,
		}.JSON()),
	})
}

// status says whether an account can pay and be paid.
func status(c *connector.Context, job *connector.Job) connector.Outcome {
	s, end := open(c, job, "accountStatusFailed")
	if end != nil {
		return *end
	}
	id := job.String("externalAccountId")
	if id == "" {
		return s.refused(invalid("no account is named"))
	}
	var account struct {
		Account string `json:"account"`
		Name    string `json:"name"`
		State   string `json:"state"`
	}
	if end := s.read("GET", "/accounts/"+url.PathEscape(id), nil, &account); end != nil {
		return *end
	}
	if account.Account != id || account.State == "" {
		return unreadable()
	}
	return connector.Complete(connector.Vars{
		s.flag: false, "externalAccountId": id, "accountStatus": account.State, "accountName": account.Name,
	})
}

// payerQuote asks what the payment costs the payer at the own bank.
func payerQuote(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	return quote(c, job, p, no, "outgoing", "localQuoteFailed")
}

// payeeQuote asks what it costs the payee to be paid.
func payeeQuote(c *connector.Context, job *connector.Job) connector.Outcome {
	r, err := order.ReadRequest(job, "quoteSwitchRequest")
	p, no := order.Order{Account: order.Account{Party: r.Payee.PartyIDInfo}, Amount: r.Amount}, (*refusal)(nil)
	switch {
	case err != nil:
		no = invalid("quoteSwitchRequest is not a quote request")
	case !p.Account.Known():
		no = invalid("quoteSwitchRequest names no payee")
	case !p.Amount.OK():
		no = invalid("quoteSwitchRequest has no amount with a currency")
	}
	return quote(c, job, p, no, "incoming", "quoteFailed")
}

func quote(c *connector.Context, job *connector.Job, p order.Order, no *refusal, direction, flag string) connector.Outcome {
	s, end := open(c, job, flag)
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	body := body(p)
	body["direction"] = direction
	var q struct {
		Account  string        `json:"account"`
		Amount   order.Decimal `json:"amount"`
		Fee      order.Decimal `json:"fee"`
		Currency string        `json:"currency"`
	}
	if end := s.read("POST", "/quotes", body, &q); end != nil {
		return *end
	}
	fee := order.Amount{Value: q.Fee, Currency: q.Currency}
	if q.Account == "" || !fee.OK() || !p.Amount.Same(order.Amount{Value: q.Amount, Currency: q.Currency}) {
		return unreadable()
	}
	commission := connector.Vars{"amount": "0", "currency": q.Currency}
	return connector.Complete(connector.Vars{
		flag: false, "externalAccountId": q.Account, "fspFee": fee.Vars(), "fspCommission": commission,
		"localQuoteResponse": string(connector.Vars{
			"transactionCode": job.Payment, "fspFee": fee.Vars(), "fspCommission": commission,
		}.JSON()),
	})
}

// hold sets the payer's money aside.
func hold(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	if no == nil {
		p, no = withFee(p, job)
	}
	s, end := open(c, job, "transferPrepareFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	return s.perform(deed{
		key: "hold", path: "/holds", body: body(p), moved: p.Amount, debtor: p.Account.Term(), creditor: s.config.Institution,
	}, func(a done) connector.Vars {
		return connector.Vars{"externalAccountId": a.Account, "holdId": a.ID, "transferCode": a.ID, "heldAmount": p.Amount.Vars()}
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
	m, there, err := order.ReadAmount(job, "heldAmount")
	switch {
	case err != nil:
		return id, p, invalid("heldAmount: " + err.Error())
	case !there: // a flow that keeps no account of what was held
		p, no = readPayer(job)
		return id, p, no
	}
	r, err := order.ReadRequest(job, "channelRequest")
	p = order.Order{Account: order.Account{Party: r.Payer.PartyIDInfo, ID: job.String("externalAccountId")}, Amount: m}
	if err != nil || !p.Account.Known() {
		return id, p, invalid("no account is named")
	}
	return id, p, nil
}

// book debits the payer: the hold becomes a booking.
func book(c *connector.Context, job *connector.Job) connector.Outcome {
	return ofHold(c, job, "book", "transferCreateFailed", func(a done) connector.Vars { return connector.Vars{"bookingId": a.ID} })
}

// release makes the held money available again.
func release(c *connector.Context, job *connector.Job) connector.Outcome {
	return ofHold(c, job, "release", "transferReleaseFailed", func(done) connector.Vars { return connector.Vars{} })
}

// ofHold does what ends a hold.
func ofHold(c *connector.Context, job *connector.Job, key, flag string, complete func(done) connector.Vars) connector.Outcome {
	id, p, no := held(job)
	s, end := open(c, job, flag)
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	d := deed{
		key: key, path: "/holds/" + url.PathEscape(id) + "/" + key, moved: p.Amount, debtor: p.Account.Term(), creditor: s.config.Institution,
		body: connector.Vars{"amount": string(p.Amount.Value), "currency": p.Amount.Currency},
	}
	if key == "release" {
		d.debtor, d.creditor = d.creditor, d.debtor
	}
	return s.perform(d, complete)
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
	s, end := open(c, job, "transferCreateFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	return s.perform(deed{
		key: "credit", path: "/deposits", body: body(p), moved: p.Amount, debtor: s.config.Institution, creditor: p.Account.Term(),
	}, func(a done) connector.Vars {
		return connector.Vars{"bookingId": a.ID, "transferCode": a.ID, "externalAccountId": a.Account}
	})
}

// transfer moves money from the payer to the payee when both are customers here.
func transfer(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	if no == nil {
		p, no = withFee(p, job)
	}
	r, err := order.ReadRequest(job, "channelRequest")
	payee := order.Account{Party: r.Payee.PartyIDInfo}
	if no == nil && (err != nil || !payee.Known()) {
		no = invalid("channelRequest names no payee")
	}
	s, end := open(c, job, "internalTransferFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	body := body(p)
	body["payee"] = payee.Vars()
	return s.perform(deed{
		key: "internal-transfer", path: "/transfers", body: body, moved: p.Amount, debtor: p.Account.Term(), creditor: payee.Term(),
	}, func(a done) connector.Vars { return connector.Vars{"bookingId": a.ID} })
}
