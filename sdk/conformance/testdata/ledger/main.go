// Command ledger is a connector small enough to read at a glance: it holds money
// at a ledger, and enquires when it does not know whether that happened. The
// tests of sdk/conformance run it.
package main

import (
	"errors"
	"strings"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"hold-{tenant}": hold,
		},
	})
}

func main() {}

func hold(c *connector.Context, job *connector.Job) connector.Outcome {
	if !decimal(job.String("amount")) || !job.Has("currency") {
		return connector.Fail("MISSING", "the job needs an amount and a currency")
	}
	if doubt, ok := job.Doubt("hold"); ok {
		return enquire(c, doubt.IdempotencyKey)
	}
	resp, err := c.HTTP(connector.HTTP{
		Endpoint: "ledger",
		Method:   "POST",
		Path:     "/holds",
		Headers: map[string]string{
			"content-type":  "application/json",
			"authorization": "Bearer {{secret:ledger_token}}",
		},
		Body:  connector.Vars{"account": job.String("account"), "amount": job.String("amount")}.JSON(),
		Key:   "hold",
		Terms: &connector.Terms{Amount: job.String("amount"), Currency: job.String("currency"), Debtor: job.String("account")},
	})
	var doubt *connector.InDoubt
	switch {
	case errors.As(err, &doubt):
		return enquire(c, doubt.IdempotencyKey)
	case err != nil:
		return connector.Fail("LEDGER", err.Error()).Retry(2 * time.Second)
	case resp.Status == 201:
		c.Log(connector.Info, "held", "status", resp.Status)
		return connector.Complete(connector.Vars{"held": true, "heldAt": c.Now().Format(time.RFC3339)})
	case resp.Status == 422:
		return connector.BpmnError("INSUFFICIENT_FUNDS", "the ledger refused the hold")
	}
	return connector.Fail("LEDGER", "the ledger answered with an unexpected status").Retry(2 * time.Second)
}

// decimal reports whether a text is an amount: digits, perhaps a point and digits.
func decimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(fraction))
}

// enquire asks what became of a hold.
func enquire(c *connector.Context, key string) connector.Outcome {
	resp, err := c.HTTP(connector.HTTP{Endpoint: "enquiry", Method: "GET", Path: "/holds/" + key})
	switch {
	case err == nil && resp.Status == 200:
		c.Settle("hold", true)
		return connector.Complete(connector.Vars{"held": true})
	case err == nil && resp.Status == 404:
		c.Settle("hold", false)
		return connector.Fail("NOT_HELD", "the hold did not arrive").Retry(0)
	}
	return connector.Doubtful("hold", "the ledger does not say whether it holds the money")
}
