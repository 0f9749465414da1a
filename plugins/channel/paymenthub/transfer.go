package main

import (
	"crypto/sha256"
	"errors"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// correlationMax bounds an X-CorrelationID, in characters.
const correlationMax = 64

// startTransfer starts a payment and answers with its id once it is durable.
func startTransfer(c *connector.Context, r *connector.Request) connector.Reply {
	cfg, problem := configOf(c)
	if problem != "" {
		return misconfigured(c, problem).reply()
	}
	correlation := r.Header("X-CorrelationID")
	if no := checkCorrelation("X-CorrelationID", correlation); no != nil {
		return no.reply()
	}
	for _, name := range []string{"X-BatchID", "X-Registering-Institution-ID", "X-PayeeDFSP-ID"} {
		if value := r.Header(name); value != "" && !visible(value, 64) {
			return invalid(codeFormat, name, name+" is longer than 64 characters or not printable").reply()
		}
	}
	request, no := parseTransfer(r.Body)
	if no != nil {
		return no.reply()
	}
	destination := cfg.DestinationFSP
	if fsp := r.Header("X-PayeeDFSP-ID"); fsp != "" {
		destination = fsp
	}
	started, err := c.StartPayment(connector.StartPayment{
		Flow: cfg.Flow, ClientKey: correlation, RequestDigest: request.digest(cfg.Flow, r),
		UUIDVariable: "transactionId", Variables: request.variables(c, cfg, r, correlation, destination),
	})
	if err != nil {
		return startRefused(c, err).reply()
	}
	return connector.JSON(200, connector.Vars{"transactionId": started.Payment})
}

// digest tells the same request from another under the same correlation id. It is
// taken over everything that decides what happens: the flow, the headers that become
// variables, and the body in canonical form.
func (t *transfer) digest(flow string, r *connector.Request) []byte {
	text := connector.Vars{
		"flow": flow, "batch": r.Header("X-BatchID"), "institution": r.Header("X-Registering-Institution-ID"),
		"payeeFsp": r.Header("X-PayeeDFSP-ID"), "body": connector.RawJSON(t.canonical),
	}.JSON()
	sum := sha256.Sum256(text)
	return sum[:]
}

// variables are those Payment Hub EE starts its transfer flows with.
func (t *transfer) variables(c *connector.Context, cfg config, r *connector.Request, correlation, destination string) connector.Vars {
	vars := connector.Vars{
		"channelRequest":      string(t.channelRequest(cfg.FSP, destination)),
		"originDate":          c.Now().UnixMilli(),
		"tenantId":            c.Tenant(),
		"clientCorrelationId": correlation,
		"isRtpRequest":        false,
		"amount":              connector.Vars{"amount": t.money.String(), "currency": t.money.Currency},
		"currency":            t.money.Currency,
		"initiator":           "PAYER",
		"initiatorType":       "CONSUMER",
		"scenario":            "TRANSFER",
		"initiatorFspId":      cfg.FSP,
		"destinationFspId":    nil,
		"batchId":             nil,
		"customData":          nil,
		"specialTermination":  false,
	}
	for name, value := range map[string]string{
		"destinationFspId": destination, "batchId": r.Header("X-BatchID"),
		"registeringInstitutionId": r.Header("X-Registering-Institution-ID"), "customData": t.customData(),
	} {
		if value != "" {
			vars[name] = value
		}
	}
	return vars
}

func startRefused(c *connector.Context, err error) *refusal {
	var failure *connector.Failure
	if !errors.As(err, &failure) {
		return unavailable() // in doubt: the same request again finds out
	}
	switch failure.Code {
	case connector.Conflict:
		return &refusal{
			status: 409, category: "Conflict", code: "duplicateRequest", field: "X-CorrelationID",
			description: "another request was made under this X-CorrelationID",
		}
	case connector.NotFound:
		c.Log(connector.Error, "the payment flow is not deployed", "text", failure.Text)
		return &refusal{status: 412, category: "System", code: "processDefinitionNotFound", description: "the payment flow is not deployed"}
	case connector.TooLarge:
		return &refusal{status: 413, category: "Validation", code: codeLength, description: "the request is too large"}
	case connector.Invalid:
		return &refusal{status: 500, category: "System", code: "internalError", description: "the payment could not be started"}
	}
	return unavailable()
}

func checkCorrelation(field, id string) *refusal {
	switch {
	case id == "":
		return invalid(codeMissing, field, field+" is required: it makes sending again harmless")
	case len(id) > correlationMax:
		return invalid(codeLength, field, field+" is longer than 64 characters")
	case !visible(id, correlationMax):
		return invalid(codeFormat, field, field+" has characters other than printable ASCII without blanks")
	}
	return nil
}

// visible reports whether s is printable ASCII without blanks, at most so long.
func visible(s string, most int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}
