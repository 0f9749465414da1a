package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// sendTransfer sends the transfer, once. When the flow comes back because nobody
// has answered, or when an earlier attempt is in doubt, it asks for the transfer's
// state instead: the answer comes by the same callback.
func sendTransfer(c *connector.Context, job *connector.Job) connector.Outcome {
	cfg, request, end := begin(c, job)
	if end != nil {
		return *end
	}
	vars := connector.Vars{"transferRetryCount": count(job, "transferRetryCount")}
	if job.Has("transferRetryCount") {
		return enquire(c, job, cfg, vars)
	}
	// After this a transfer sent now, or by an earlier attempt, cannot be made. The
	// callbacks need to know it.
	last := c.Now().Add(millis(cfg.TransferTTLMS))
	vars["transferExpiration"] = fspiop.FormatTime(last)
	if _, doubtful := job.Doubt("transfer"); doubtful {
		return enquire(c, job, cfg, vars)
	}
	payee := payeeFSP(job.String)
	var q quote
	if json.Unmarshal([]byte(job.String("payeeQuoteResponse")), &q) != nil || !fspiop.ValidFSP(payee) {
		return connector.Fail("QUOTE", "the payment has no quote that could be accepted")
	}
	// The callback has checked the terms. They are checked again at the last gate,
	// because a flow can be repaired and variables changed. That nothing leaves now
	// does not prove that nothing has left before, so the hub is asked.
	expires, problem := q.check(request, payee, quoteID(job.Payment), job.Payment)
	if problem == "" && !expires.After(c.Now()) {
		problem = "the quote has expired"
	}
	if problem != "" {
		if err := c.Emit("transfer-not-sent", connector.Vars{"reason": problem}); err != nil {
			return connector.Fail("EMIT", err.Error()).Retry(time.Second)
		}
		return enquire(c, job, cfg, vars)
	}
	if last.Before(expires) {
		expires = last
	}
	response, err := c.HTTP(connector.HTTP{
		Endpoint: "hub", Method: "POST", Path: "/transfers",
		Headers: cfg.headers(c, "transfers", job.Payment, payee),
		Body: connector.Vars{
			"transferId": job.Payment, "payerFsp": cfg.FSP, "payeeFsp": payee,
			"amount":    connector.Vars{"amount": request.money.String(), "currency": request.money.Currency},
			"ilpPacket": q.IlpPacket, "condition": q.Condition, "expiration": fspiop.FormatTime(expires),
		}.JSON(),
		Key: "transfer",
		Terms: &connector.Terms{
			Amount: request.money.String(), Currency: request.money.Currency, Debtor: cfg.FSP, Creditor: payee,
		},
	})
	var doubt *connector.InDoubt
	switch {
	case errors.As(err, &doubt):
		return enquire(c, job, cfg, vars)
	case err != nil && job.Retries > 0:
		return connector.Fail("HUB_UNAVAILABLE", err.Error()).Retry(backoff(job))
	case err != nil:
		// It never left. The flow's own enquiries will find that out and release.
		return connector.Complete(vars)
	case response.Status/100 == 3:
		return connector.Fail("HUB_REDIRECT", "the hub answered a transfer with a redirect, which is not followed")
	}
	state, failure := judge(response, nil)
	switch {
	case state == accepted:
		return connector.Complete(vars)
	case state == refused && failure.AtOnce():
		return notMade(c, job, vars, failure)
	}
	return enquire(c, job, cfg, vars)
}

// notMade tells the flow that no transfer was made, and certainly none will be: the
// hub has refused it.
func notMade(c *connector.Context, job *connector.Job, vars connector.Vars, failure fspiop.Failure) connector.Outcome {
	if end := publish(c, connector.Message{
		Name: "transfer-response", Key: job.Payment, ID: "transfers/" + job.Payment + "/refused", TTL: outcomeTTL,
		Variables: failureVars(failure, connector.Vars{"transferFailed": true, "transferState": "ABORTED"}),
	}); end != nil {
		return *end
	}
	return connector.Complete(vars)
}

// enquire asks the hub for the transfer's state. Whatever it says at once proves
// nothing; the flow waits and comes back.
func enquire(c *connector.Context, job *connector.Job, cfg config, vars connector.Vars) connector.Outcome {
	state, failure := judge(c.HTTP(connector.HTTP{
		Endpoint: "hub-query", Method: "GET", Path: "/transfers/" + job.Payment,
		Headers: cfg.headers(c, "transfers", job.Payment, payeeFSP(job.String)),
	}))
	if state == later && job.Retries > 0 {
		return connector.Fail("HUB_UNAVAILABLE", failure.Description).Retry(backoff(job))
	}
	return connector.Complete(vars)
}

// transferAnswered is the hub's answer to a transfer or to an enquiry. Only proof
// is published: COMMITTED with the fulfilment of the quote's condition, or ABORTED.
func transferAnswered(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := transferCallback(c, r)
	if no != nil {
		return *no
	}
	var body struct {
		TransferState string `json:"transferState"`
		Fulfilment    string `json:"fulfilment"`
	}
	if json.Unmarshal(r.Body, &body) != nil {
		return *refuse(400, "3101", "the body is not a transfer")
	}
	if cb.ended() {
		return *cb.late(body.TransferState)
	}
	payment := cb.payment.Payment
	message := connector.Message{Name: "transfer-response", Key: payment, TTL: outcomeTTL}
	switch body.TransferState {
	case "COMMITTED":
		return *cb.committed(message, body.Fulfilment)
	case "ABORTED":
		failure := fspiop.Failure{Code: "5000", Description: "the hub aborted the transfer"}
		message.Variables = failureVars(failure, connector.Vars{"transferFailed": true, "transferState": "ABORTED"})
		return *cb.publish(message, "transfers/"+payment+"/ABORTED")
	case "RECEIVED", "RESERVED":
		return *cb.note("transfer-pending", connector.Vars{"transferState": body.TransferState})
	case "":
		return *refuse(400, "3102", "transferState is missing")
	}
	return *refuse(400, "3101", "transferState is malformed")
}

// transferFailed is an error about a transfer, or about an enquiry.
func transferFailed(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := transferCallback(c, r)
	if no != nil {
		return *no
	}
	failure, no := cb.failure()
	if no != nil {
		return *no
	}
	if cb.ended() {
		if failure.OfTransfer() == fspiop.Refused {
			return *cb.late("ABORTED")
		}
		return *taken()
	}
	switch failure.OfTransfer() {
	case fspiop.Refused:
		return *cb.refused(failure)
	case fspiop.Unknown:
		return *cb.unknown(failure)
	}
	return *cb.note("transfer-doubt", connector.Vars{"errorCode": failure.Code, "errorDescription": failure.Description})
}

// unknown judges 3208. Before the transfer has expired it may still be on its way
// to the hub; afterwards it can no longer be made.
func (cb *callback) unknown(failure fspiop.Failure) *connector.Reply {
	expires, ok := fspiop.ParseTime(cb.payment.String("transferExpiration"))
	final := expires.Add(millis(cb.GraceMS))
	if !ok || cb.c.Now().Before(final) {
		detail := connector.Vars{"errorCode": failure.Code}
		if ok {
			detail["finalIn"] = shortly(final.Sub(cb.c.Now()))
		}
		return cb.note("transfer-doubt", detail)
	}
	return cb.refused(failure)
}

func (cb *callback) refused(failure fspiop.Failure) *connector.Reply {
	payment := cb.payment.Payment
	return cb.publish(connector.Message{
		Name: "transfer-response", Key: payment, TTL: outcomeTTL,
		Variables: failureVars(failure, connector.Vars{"transferFailed": true, "transferState": "ABORTED"}),
	}, "transfers/"+payment+"/error/"+failure.Code)
}

func transferCallback(c *connector.Context, r *connector.Request) (*callback, *connector.Reply) {
	cb, no := admit(c, r, "transfers")
	if no != nil {
		return nil, no
	}
	no = cb.find(r.Param("id"), "condition", "transferExpiration", "partyLookupFspId", "destinationFspId")
	if no != nil {
		return nil, no
	}
	if cb.ended() {
		return cb, nil
	}
	if no := cb.fromCounterparty(); no != nil {
		return nil, no
	}
	return cb, nil
}

// late is an answer for a payment that is over. One that contradicts its result
// must reach a person; RESERVED and the like, overtaken on their way, say nothing.
func (cb *callback) late(state string) *connector.Reply {
	made := state == "COMMITTED"
	if !made && state != "ABORTED" || made == (cb.payment.Result == "completed") {
		return taken()
	}
	return cb.note("transfer-contradicts-result", connector.Vars{
		"transferState": state, "result": cb.payment.Result, "ended": cb.payment.EndedAt.Format(time.RFC3339),
	})
}
