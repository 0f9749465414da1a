package main

import (
	"encoding/json"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// lookUpParty asks the scheme which DFSP the payee is at.
func lookUpParty(c *connector.Context, job *connector.Job) connector.Outcome {
	cfg, request, end := begin(c, job)
	if end != nil {
		return *end
	}
	vars := connector.Vars{"partyLookupRetryCount": count(job, "partyLookupRetryCount")}
	if !job.Has("initiatorFspId") {
		vars["initiatorFspId"] = cfg.FSP
	}
	state, failure := judge(c.HTTP(connector.HTTP{
		Endpoint: "hub-query", Method: "GET", Path: request.Payee.PartyIDInfo.Path(),
		Headers: cfg.headers(c, "parties", job.Payment, ""),
	}))
	switch {
	case state == refused:
		if end := publish(c, connector.Message{
			Name: "party-lookup", Key: job.Payment, ID: "parties/" + job.Payment + "/refused",
			Variables: failureVars(failure, connector.Vars{"partyLookupFailed": true}),
		}); end != nil {
			return *end
		}
	case state == later && job.Retries > 0:
		return connector.Fail("HUB_UNAVAILABLE", failure.Description).Retry(backoff(job))
	}
	return connector.Complete(vars)
}

// partyFound is the scheme's answer to a look-up.
func partyFound(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := partyCallback(c, r)
	if no != nil {
		return *no
	}
	var body struct {
		Party struct{ PartyIDInfo fspiop.PartyIDInfo }
	}
	if json.Unmarshal(r.Body, &body) != nil {
		return *refuse(400, "3101", "the body is not a party")
	}
	found := body.Party.PartyIDInfo
	switch {
	case found.FSP == "" || found.Type == "" || found.ID == "":
		return *refuse(400, "3102", "party.partyIdInfo does not name a party at an FSP")
	case !found.Valid() || !fspiop.ValidFSP(found.FSP):
		return *refuse(400, "3101", "party.partyIdInfo is malformed")
	case !found.Same(cb.request.Payee.PartyIDInfo):
		return *refuse(400, "3101", "party.partyIdInfo is another party than the path")
	case cb.source != found.FSP && !cb.isHub(cb.source):
		return *refuse(400, "3101", "FSPIOP-Source is not the party's FSP")
	}
	return *cb.publish(connector.Message{
		Name: "party-lookup", Key: cb.payment.Payment,
		Variables: connector.Vars{"partyLookupFailed": false, "partyLookupFspId": found.FSP},
	}, "parties/"+cb.payment.Payment+"/"+found.FSP)
}

// partyFailed is the scheme's refusal of a look-up.
func partyFailed(c *connector.Context, r *connector.Request) connector.Reply {
	cb, no := partyCallback(c, r)
	if no != nil {
		return *no
	}
	failure, no := cb.failure()
	if no != nil {
		return *no
	}
	return *cb.publish(connector.Message{
		Name: "party-lookup", Key: cb.payment.Payment,
		Variables: failureVars(failure, connector.Vars{"partyLookupFailed": true}),
	}, "parties/"+cb.payment.Payment+"/error/"+failure.Code)
}

// partyCallback finds the payment of a look-up. Its path names the party, not the
// look-up, so that only the trace we sent tells which payment asked. Without it
// nothing can be done but to say so; the flow asks again.
func partyCallback(c *connector.Context, r *connector.Request) (*callback, *connector.Reply) {
	cb, no := admit(c, r, "parties")
	if no != nil {
		return nil, no
	}
	payment, ok := paymentOfTrace(r.Header("traceparent"))
	if !ok {
		return nil, cb.note("party-lookup-unmatched", connector.Vars{"partyIdType": r.Param("type")})
	}
	if no := cb.find(payment); no != nil {
		return nil, no
	}
	if cb.ended() {
		return nil, taken()
	}
	named := fspiop.PartyIDInfo{Type: r.Param("type"), ID: r.Param("id"), SubID: r.Param("sub")}
	if !named.Same(cb.request.Payee.PartyIDInfo) {
		return nil, refuse(400, "3101", "the payment of this trace did not ask for this party")
	}
	return cb, nil
}
