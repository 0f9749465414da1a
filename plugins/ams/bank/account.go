package main

import (
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

func partyPath(institution string, who order.Party) string {
	return "/parties/" + url.PathEscape(who.Type) + "/" + url.PathEscape(who.ID) + "?institution=" + url.QueryEscape(institution)
}

// bankAccount is the bank's account of an account.
type bankAccount struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	State     string        `json:"state"`
	Currency  string        `json:"currency"`
	Balance   order.Decimal `json:"balance"`
	Available order.Decimal `json:"available"`
}

// account finds the account that the job asks about: externalAccountId, or that
// of a party in a currency. A party with one account needs no currency.
func (l *ledger) account() (a bankAccount, no *refusal, end *connector.Outcome) {
	id := l.job.String("externalAccountId")
	if id == "" {
		p, no, end := l.party(order.ReadParty(l.job))
		if no != nil || end != nil {
			return a, no, end
		}
		currency := l.job.String("currency")
		for _, have := range p.Accounts {
			if have.Currency == currency || currency == "" && len(p.Accounts) == 1 {
				id = have.ID
			}
		}
		if id == "" {
			return a, &refusal{Code: "CURRENCY_MISMATCH", Message: "the party has no account in the currency " + strconv.Quote(currency)}, nil
		}
	}
	answer, no, end := l.read("GET", "/accounts/"+url.PathEscape(id), nil)
	if no == nil && end == nil && (json.Unmarshal(answer, &a) != nil || a.ID == "") {
		end = new(l.unreadable())
	}
	return a, no, end
}

// status says whether an account can pay and be paid.
func status(c *connector.Context, job *connector.Job) connector.Outcome {
	return aboutAccount(c, job, "accountStatusFailed", func(_ *ledger, a bankAccount) (connector.Vars, *refusal, *connector.Outcome) {
		return connector.Vars{"accountStatus": a.State, "accountName": a.Name}, nil, nil
	})
}

// balance says what is in an account, and what of it is not held.
func balance(c *connector.Context, job *connector.Job) connector.Outcome {
	return aboutAccount(c, job, "accountBalanceFailed", func(_ *ledger, a bankAccount) (connector.Vars, *refusal, *connector.Outcome) {
		return connector.Vars{
			"accountBalance":   connector.Vars{"amount": string(a.Balance), "currency": a.Currency},
			"availableBalance": connector.Vars{"amount": string(a.Available), "currency": a.Currency},
		}, nil, nil
	})
}

// statement lists the entries of an account: up to statementLimit (100 unless
// set) after the cursor statementAfter, which it moves on.
func statement(c *connector.Context, job *connector.Job) connector.Outcome {
	return aboutAccount(c, job, "accountStatementFailed", func(l *ledger, a bankAccount) (connector.Vars, *refusal, *connector.Outcome) {
		limit, ok := job.Int("statementLimit")
		if !ok || limit < 1 || limit > 1000 {
			limit = 100
		}
		after, _ := job.Int("statementAfter")
		answer, no, end := l.read("GET", "/accounts/"+url.PathEscape(a.ID)+"/statement?after="+
			strconv.FormatInt(max(after, 0), 10)+"&limit="+strconv.FormatInt(limit, 10), nil)
		if no != nil || end != nil {
			return nil, no, end
		}
		var list struct {
			Entries *json.RawMessage `json:"entries"`
		}
		var ids []struct {
			ID int64 `json:"id"`
		}
		if json.Unmarshal(answer, &list) != nil || list.Entries == nil || json.Unmarshal(*list.Entries, &ids) != nil {
			return nil, nil, new(l.unreadable())
		}
		if len(ids) > 0 {
			after = ids[len(ids)-1].ID
		}
		return connector.Vars{"accountStatement": connector.RawJSON(*list.Entries), "statementAfter": after}, nil, nil
	})
}

// aboutAccount completes with what tell says of the account, and the flag.
func aboutAccount(c *connector.Context, job *connector.Job, flag string, tell func(*ledger, bankAccount) (connector.Vars, *refusal, *connector.Outcome)) connector.Outcome {
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	a, no, end := l.account()
	var vars connector.Vars
	if no == nil && end == nil {
		vars, no, end = tell(l, a)
	}
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	vars[flag], vars["externalAccountId"] = false, a.ID
	return connector.Complete(vars)
}

// transfer moves money from the payer to the payee when both are customers here.
func transfer(c *connector.Context, job *connector.Job) connector.Outcome {
	const key, flag = "internal-transfer", "internalTransferFailed"
	p, no := readPayer(job)
	if no == nil {
		p, no = withFee(p, job)
	}
	if no != nil {
		return no.failed(flag)
	}
	r, err := order.ReadRequest(job, "channelRequest")
	if payee := r.Payee.PartyIDInfo; err != nil || !payee.Named() {
		return invalid("channelRequest names no payee").failed(flag)
	}
	payee := order.Account{Party: r.Payee.PartyIDInfo}
	l, end := open(c, job)
	if end != nil {
		return *end
	}
	body := connector.Vars{
		"debit": named(p.Account, l.config.Institution), "credit": named(payee, l.config.Institution),
		"amount": string(p.Amount.Value), "currency": p.Amount.Currency,
		"reference": job.Payment, "purpose": key,
	}
	if p.Fee != "" {
		body["fee"] = string(p.Fee)
	}
	done, no, end := l.perform(deed{
		key: key, path: "/transfers", body: body,
		terms: p.Amount.Terms(p.Account.Term(), payee.Term()),
		sound: func(answer []byte) bool { return readBooking(answer).of(job, p.Amount) },
		find:  findBooking(key),
	})
	switch {
	case end != nil:
		return *end
	case no != nil:
		return no.failed(flag)
	}
	return connector.Complete(connector.Vars{flag: false, "bookingId": readBooking(done).ID})
}
