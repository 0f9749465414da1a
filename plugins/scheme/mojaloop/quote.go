package main

import (
	"encoding/json"
	"time"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// askQuote asks the payee's DFSP on which terms it would take the transfer. The
// body is the same each time, down to its expiration: a scheme takes a changed
// request under the same quote id for a conflict.
func askQuote(c *connector.Context, job *connector.Job) connector.Outcome {
	cfg, request, end := begin(c, job)
	if end != nil {
		return *end
	}
	payee := payeeFSP(job.String)
	if !fspiop.ValidFSP(payee) {
		return connector.Fail("PAYEE_FSP", "no look-up has told the payee's FSP")
	}
	id := quoteID(job.Payment)
	vars := connector.Vars{"quoteId": id, "quoteRetryCount": count(job, "quoteRetryCount")}
	body := connector.Vars{
		"quoteId": id, "transactionId": job.Payment,
		"payee": partyVars(request.Payee.PartyIDInfo, payee), "payer": partyVars(request.Payer.PartyIDInfo, cfg.FSP),
		"amountType": request.AmountType,
		"amount":     connector.Vars{"amount": request.money.String(), "currency": request.money.Currency},
		"transactionType": connector.Vars{
			"scenario": request.TransactionType.Scenario, "initiator": request.TransactionType.Initiator,
			"initiatorType": request.TransactionType.InitiatorType,
		},
		"expiration": fspiop.FormatTime(begun(job).Add(millis(cfg.QuoteTTLMS))),
	}
	if request.Note != "" {
		body["note"] = request.Note
	}
	state, failure := judge(c.HTTP(connector.HTTP{
		Endpoint: "hub-query", Method: "POST", Path: "/quotes",
		Headers: cfg.headers(c, "quotes", job.Payment, payee), Body: body.JSON(),
	}))
	switch {
	case state == refused:
		if end := publish(c, connector.Message{
			Name: "quote-error", Key: id, ID: "quotes/" + id + "/refused",
			Variables: failureVars(failure, connector.Vars{"quoteFailed": true}),
		}); end != nil {
			return *end
		}
	case state == later && job.Retries > 0:
		return connector.Fail("HUB_UNAVAILABLE", failure.Description).Retry(backoff(job))
	}
	return connector.Complete(vars)
}

// begun is when the payment began, as its own variable says; a flow started by hand
// may not have it.
func begun(job *connector.Job) time.Time {
	if ms, ok := job.Int("originDate"); ok && ms > 0 && ms < 253402300800000 {
		return time.UnixMilli(ms)
	}
	return job.PaymentStarted
}

// payeeFSP is where the payee is: what the look-up found, or what the payer said.
func payeeFSP(variable func(string) string) string {
	if fsp := variable("partyLookupFspId"); fsp != "" {
		return fsp
	}
	return variable("destinationFspId")
}

func partyVars(p fspiop.PartyIDInfo, fsp string) connector.Vars {
	info := connector.Vars{"partyIdType": p.Type, "partyIdentifier": p.ID, "fspId": fsp}
	if p.SubID != "" {
		info["partySubIdOrType"] = p.SubID
	}
	return connector.Vars{"partyIdInfo": info}
}

// quoteGiven is the payee's answer. A quote whose packet does not say what was
// asked for is a failed quote: nothing has been held yet and nothing will leave.
func quoteGiven(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := quoteCallback(c, r)
	if no != nil {
		return *no
	}
	var q quote
	if json.Unmarshal(r.Body, &q) != nil {
		return *refuse(400, "3101", "the body is not a quote")
	}
	if missing := q.missing(); missing != "" {
		return *refuse(400, "3102", missing+" is missing")
	}
	id, payment := r.Param("id"), cb.payment.Payment
	expires, problem := q.check(cb.request, payeeFSP(cb.payment.String), id, payment)
	if problem == "" && !expires.After(c.Now()) {
		problem = "the quote has expired"
	}
	message := connector.Message{Name: "quote-callback", Key: id}
	if problem != "" {
		failure := fspiop.Failure{Code: "4100", Description: problem}
		message.Variables = failureVars(failure, connector.Vars{"quoteFailed": true})
		return *cb.publish(message, "quotes/"+id+"/unacceptable")
	}
	message.Variables = connector.Vars{
		"quoteFailed": false, "payeeQuoteResponse": string(q.JSON()), "condition": q.Condition,
	}
	return *cb.publish(message, "quotes/"+id+"/"+q.Condition)
}

// quoteFailed is the payee's or the hub's refusal of a quote.
func quoteFailed(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := quoteCallback(c, r)
	if no != nil {
		return *no
	}
	failure, no := cb.failure()
	if no != nil {
		return *no
	}
	id := r.Param("id")
	return *cb.publish(connector.Message{
		Name: "quote-error", Key: id, Variables: failureVars(failure, connector.Vars{"quoteFailed": true}),
	}, "quotes/"+id+"/error/"+failure.Code)
}

func quoteCallback(c *connector.Context, r *connector.Request) (*callback, *connector.Reply) {
	cb, no := admit(c, r, "quotes")
	if no != nil {
		return nil, no
	}
	id := r.Param("id")
	if !fspiop.ValidID(id) {
		return nil, refuse(400, "3101", "the id in the path is not a UUID that FSPIOP accepts")
	}
	if no := cb.find(paymentOf(id), "partyLookupFspId", "destinationFspId"); no != nil {
		return nil, no
	}
	if cb.ended() {
		return nil, taken()
	}
	if no := cb.fromCounterparty(); no != nil {
		return nil, no
	}
	return cb, nil
}
