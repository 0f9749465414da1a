// Package handler is what each guest of the benchmark of guests does, in Go. It
// stands apart from its main package so that the benchmark can run it natively.
package handler

import connector "github.com/railhead-hub/railhead/sdk/go"

// Connector looks at a payment and says what it thinks of it; asks a bank for a
// hold; and never ends.
var Connector = connector.Connector{
	Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
		"work": work,
		"hold": hold,
		"spin": spin,
	},
}

func work(_ *connector.Context, job *connector.Job) connector.Outcome {
	if job.String("currency") != "TZS" {
		return connector.Fail("CURRENCY", "only shillings are taken")
	}
	return connector.Complete(connector.Vars{
		"accepted": true,
		"note":     note,
		"transfer": connector.RawJSON(job.JSON("transfer")),
	})
}

const note = "The payment is in shillings, which this connector takes. It asks nobody, and says so in a sentence of length."

func hold(c *connector.Context, job *connector.Job) connector.Outcome {
	amount, currency := job.String("amount"), job.String("currency")
	resp, err := c.HTTP(connector.HTTP{
		Endpoint: "bank", Method: "POST", Path: "/holds",
		Body:  connector.Vars{"account": job.String("account"), "amount": amount, "currency": currency}.JSON(),
		Key:   "hold",
		Terms: &connector.Terms{Amount: amount, Currency: currency},
	})
	if err != nil {
		return connector.Fail("BANK", err.Error())
	}
	return connector.Complete(connector.Vars{"held": resp.Status == 201})
}

// spin counts for ever.
func spin(*connector.Context, *connector.Job) connector.Outcome {
	for n := 0; n >= 0; {
		n = (n + 1) & 1
	}
	return connector.Complete(nil)
}
