package main

import (
	"net/url"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// lookup says who a party is, as FSPIOP describes one.
func lookup(c *connector.Context, job *connector.Job) connector.Outcome {
	s, end := open(c, job, "partyLookupFailed")
	if end != nil {
		return *end
	}
	who := partyVariables(job)
	if !who.named() {
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
	r, err := readRequest(job, "quoteSwitchRequest")
	p, no := payment{account: account{party: r.Payee.PartyIDInfo}, amount: r.Amount}, (*refusal)(nil)
	switch {
	case err != nil:
		no = invalid("quoteSwitchRequest is not a quote request")
	case !p.account.known():
		no = invalid("quoteSwitchRequest names no payee")
	case !p.amount.ok():
		no = invalid("quoteSwitchRequest has no amount with a currency")
	}
	return quote(c, job, p, no, "incoming", "quoteFailed")
}

func quote(c *connector.Context, job *connector.Job, p payment, no *refusal, direction, flag string) connector.Outcome {
	s, end := open(c, job, flag)
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	body := p.order()
	body["direction"] = direction
	var q struct {
		Account  string  `json:"account"`
		Amount   decimal `json:"amount"`
		Fee      decimal `json:"fee"`
		Currency string  `json:"currency"`
	}
	if end := s.read("POST", "/quotes", body, &q); end != nil {
		return *end
	}
	fee := amount{q.Fee, q.Currency}
	if q.Account == "" || !fee.ok() || !p.amount.same(amount{q.Amount, q.Currency}) {
		return unreadable()
	}
	commission := connector.Vars{"amount": "0", "currency": q.Currency}
	return connector.Complete(connector.Vars{
		flag: false, "externalAccountId": q.Account, "fspFee": fee.vars(), "fspCommission": commission,
		"localQuoteResponse": string(connector.Vars{
			"transactionCode": job.Payment, "fspFee": fee.vars(), "fspCommission": commission,
		}.JSON()),
	})
}

// hold sets the payer's money aside.
func hold(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	if no == nil {
		p, no = p.withFee(job)
	}
	s, end := open(c, job, "transferPrepareFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	return s.perform(deed{
		key: "hold", path: "/holds", body: p.order(), moved: p.amount, debtor: p.account.term(), creditor: s.config.Institution,
	}, func(a done) connector.Vars {
		return connector.Vars{"externalAccountId": a.Account, "holdId": a.ID, "transferCode": a.ID, "heldAmount": p.amount.vars()}
	})
}

// held is the hold that an earlier job of the payment placed.
func held(job *connector.Job) (id string, p payment, no *refusal) {
	if id = job.String("holdId"); id == "" {
		id = job.String("transferCode")
	}
	if id == "" {
		return "", p, &refusal{Code: "NO_HOLD", Message: "the payment has no hold"}
	}
	m, there, err := moneyVariable(job, "heldAmount")
	switch {
	case err != nil:
		return id, p, invalid("heldAmount: " + err.Error())
	case !there: // a flow that keeps no account of what was held
		p, no = readPayer(job)
		return id, p, no
	}
	r, err := readRequest(job, "channelRequest")
	p = payment{account: account{party: r.Payer.PartyIDInfo, id: job.String("externalAccountId")}, amount: m}
	if err != nil || !p.account.known() {
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
		key: key, path: "/holds/" + url.PathEscape(id) + "/" + key, moved: p.amount, debtor: p.account.term(), creditor: s.config.Institution,
		body: connector.Vars{"amount": string(p.amount.Value), "currency": p.amount.Currency},
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
		p, no = p.withFee(job)
	}
	return credit(c, job, p, no)
}

// deposit credits the payee with money that comes from elsewhere. A fee there may
// be in fspFee is the payer's.
func deposit(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayee(job, "channelRequest")
	return credit(c, job, p, no)
}

func credit(c *connector.Context, job *connector.Job, p payment, no *refusal) connector.Outcome {
	s, end := open(c, job, "transferCreateFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	return s.perform(deed{
		key: "credit", path: "/deposits", body: p.order(), moved: p.amount, debtor: s.config.Institution, creditor: p.account.term(),
	}, func(a done) connector.Vars {
		return connector.Vars{"bookingId": a.ID, "transferCode": a.ID, "externalAccountId": a.Account}
	})
}

// transfer moves money from the payer to the payee when both are customers here.
func transfer(c *connector.Context, job *connector.Job) connector.Outcome {
	p, no := readPayer(job)
	if no == nil {
		p, no = p.withFee(job)
	}
	r, err := readRequest(job, "channelRequest")
	payee := account{party: r.Payee.PartyIDInfo}
	if no == nil && (err != nil || !payee.known()) {
		no = invalid("channelRequest names no payee")
	}
	s, end := open(c, job, "internalTransferFailed")
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	body := p.order()
	body["payee"] = payee.vars()
	return s.perform(deed{
		key: "internal-transfer", path: "/transfers", body: body, moved: p.amount, debtor: p.account.term(), creditor: payee.term(),
	}, func(a done) connector.Vars { return connector.Vars{"bookingId": a.ID} })
}
