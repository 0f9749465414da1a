package main

import connector "github.com/railhead-hub/railhead/sdk/go"

// refusal is the body of every answer that is not the asked one. The fields are
// those of Payment Hub EE's PhErrorDTO.
type refusal struct {
	status      int
	category    string // Validation, Conflict, NotFound, System
	code        string
	description string
	field       string // the header, parameter or body field that is wrong
}

// invalid is a refusal for a field.
func invalid(code, field, description string) *refusal {
	return &refusal{status: 400, category: "Validation", code: code, description: description, field: field}
}

// The codes of validation.
const (
	codeMissing = "mandatoryValueNotSupplied"
	codeFormat  = "formatError"
	codeLength  = "lengthError"
	codeRange   = "valueOutOfRange"
)

func (n *refusal) reply() connector.Reply {
	body := connector.Vars{"errorCategory": n.category, "errorCode": n.code, "errorDescription": n.description}
	if n.field != "" {
		body["errorParameters"] = []connector.Vars{{"key": "field", "value": n.field}}
	}
	r := connector.JSON(n.status, body)
	if n.status == 503 {
		r.Headers["retry-after"] = "1"
	}
	return r
}

// unavailable says that nothing can be promised now: the caller sends the same
// request again, under the same X-CorrelationID, and learns what happened.
func unavailable() *refusal {
	return &refusal{status: 503, category: "System", code: "serviceUnavailable", description: "the hub cannot take the request now; send it again"}
}

func misconfigured(c *connector.Context, problem string) *refusal {
	c.Log(connector.Error, "the configuration is wrong", "problem", problem)
	return &refusal{status: 500, category: "System", code: "configurationError", description: "the channel is not configured properly"}
}
