package main

import (
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/railhead-hub/railhead/plugins/money"
	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// channelRequest is what the payer asked for, as Payment Hub EE keeps it in the
// variable of this name: JSON in a string.
type channelRequest struct {
	Payer      struct{ PartyIDInfo fspiop.PartyIDInfo }
	Payee      struct{ PartyIDInfo fspiop.PartyIDInfo }
	AmountType string
	Amount     struct{ Amount, Currency string }
	// TransactionType is CONSUMER's TRANSFER begun by the PAYER unless it says else.
	TransactionType struct{ Scenario, Initiator, InitiatorType string }
	Note            string

	money money.Amount
}

func parseRequest(text string) (channelRequest, bool) {
	var r channelRequest
	if json.Unmarshal([]byte(text), &r) != nil || !r.Payer.PartyIDInfo.Valid() || !r.Payee.PartyIDInfo.Valid() {
		return r, false
	}
	var err error
	r.money, err = money.Parse(r.Amount.Amount, r.Amount.Currency)
	if r.AmountType == "" {
		r.AmountType = "RECEIVE"
	}
	t := &r.TransactionType
	if t.Scenario == "" {
		t.Scenario, t.Initiator, t.InitiatorType = "TRANSFER", "PAYER", "CONSUMER"
	}
	return r, err == nil && r.money.Minor > 0
}

// begin reads what every job needs. An outcome that is not nil ends the job: what
// is wrong will not mend by itself, so that it is an incident.
func begin(c *connector.Context, job *connector.Job) (config, channelRequest, *connector.Outcome) {
	cfg, problem := configOf(c)
	if problem != "" {
		o := connector.Fail("CONFIGURATION", problem)
		return cfg, channelRequest{}, &o
	}
	request, ok := parseRequest(job.String("channelRequest"))
	if !ok {
		o := connector.Fail("CHANNEL_REQUEST", "the variable channelRequest does not describe a transfer")
		return cfg, request, &o
	}
	if !fspiop.ValidID(job.Payment) {
		o := connector.Fail("PAYMENT_ID", "the payment has no UUID that FSPIOP accepts")
		return cfg, request, &o
	}
	return cfg, request, nil
}

// count is how often a job of this kind has run before: 0, then 1, as Payment Hub
// EE's flows compare it. The workers keep these counters, not the engine.
func count(job *connector.Job, variable string) int64 {
	if n, ok := job.Int(variable); ok {
		return n + 1
	}
	return 0
}

// headers are those of a request; destination may be unknown.
func (cfg config) headers(c *connector.Context, resource, payment, destination string) map[string]string {
	h := map[string]string{
		"accept":        fspiop.MediaType(resource, cfg.Version[:1]),
		"content-type":  fspiop.MediaType(resource, cfg.Version),
		"date":          c.Now().Format(fspiop.Date),
		"fspiop-source": cfg.FSP,
		"traceparent":   traceparent(payment),
	}
	if destination != "" {
		h["fspiop-destination"] = destination
	}
	return h
}

// sent is what became of a request, in the terms a job decides by.
type sent int

const (
	accepted sent = iota // 202: the answer will be called back
	refused              // certainly not taken
	later                // not taken now, and perhaps not at all
)

// judge reads the synchronous answer to a request that may be repeated.
func judge(response *connector.Response, err error) (sent, fspiop.Failure) {
	var unsent *connector.Failure
	switch {
	case errors.As(err, &unsent) && unsent.Code == connector.Invalid:
		// It cannot be asked, now or later: a party named "..", say, has no path.
		return refused, fspiop.Failure{Code: "3101", Description: "the request cannot be made"}
	case err != nil:
		return later, fspiop.Failure{Code: "1001", Description: err.Error()}
	case response.Status/100 == 2:
		return accepted, fspiop.Failure{}
	case response.Status/100 == 4 && response.Status != 408 && response.Status != 425 && response.Status != 429,
		response.Status == 501:
		failure, ok := fspiop.ParseFailure(response.Body)
		if !ok {
			failure = fspiop.Failure{Code: "2000", Description: "the hub refused the request"}
		}
		return refused, failure
	}
	return later, fspiop.Failure{Code: "2003", Description: "the hub could not take the request"}
}

// backoff is the wait before the next attempt: a second, doubled each time.
func backoff(job *connector.Job) time.Duration { return time.Second << min(job.Attempt-1, 6) }

// failureVars tells a flow about a failure, as Payment Hub EE's workers do.
func failureVars(f fspiop.Failure, more connector.Vars) connector.Vars {
	v := connector.Vars{"errorInformation": string(f.JSON()), "errorCode": f.Code, "errorDescription": f.Description}
	maps.Copy(v, more)
	return v
}

// publish sends a message to the flow from a job. It outlives the moment between
// the job's end and the flow's wait.
func publish(c *connector.Context, m connector.Message) *connector.Outcome {
	if m.TTL == 0 {
		m.TTL = messageTTL
	}
	if err := c.Publish(m); err != nil {
		o := connector.Fail("PUBLISH", err.Error()).Retry(time.Second)
		return &o
	}
	return nil
}

// How long a message waits for the flow. A transfer's outcome waits longer: if it
// were lost, the hub's repetition would be dropped as a duplicate.
const (
	messageTTL = 10 * time.Minute
	outcomeTTL = 72 * time.Hour
)
