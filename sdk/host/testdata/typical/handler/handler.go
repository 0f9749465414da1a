// Package handler is what the connector of the sandbox's benchmark does. It
// stands apart from its main package so that the benchmark can run the same code
// natively.
package handler

import (
	"errors"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// Connector serves a job that does nothing, one that is like most jobs of a
// payment, one with a longer history, and two that read their configuration, once
// and in each step.
var Connector = connector.Connector{
	Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
		"empty":           empty,
		"block-funds":     blockFunds,
		"three-questions": threeQuestions,
		"config-once":     configured(connector.PerConfig(readConfig)),
		"config-each":     configured(readConfig),
	},
}

func empty(*connector.Context, *connector.Job) connector.Outcome { return connector.Complete(nil) }

// blockFunds asks a bank for a hold, under a money key.
func blockFunds(c *connector.Context, job *connector.Job) connector.Outcome {
	amount, currency := job.String("amount"), job.String("currency")
	resp, err := c.HTTP(connector.HTTP{
		Endpoint: "bank", Method: "POST", Path: "/holds",
		Headers: map[string]string{"content-type": "application/json"},
		Body: connector.Vars{
			"account": job.String("payerAccount"), "amount": amount, "currency": currency, "reference": job.Payment,
		}.JSON(),
		Key:   "hold",
		Terms: &connector.Terms{Amount: amount, Currency: currency, Debtor: job.String("payerAccount")},
	})
	var doubt *connector.InDoubt
	switch {
	case errors.As(err, &doubt):
		return connector.Doubtful("hold", doubt.Reason)
	case err != nil:
		return connector.Fail("BANK", err.Error()).Retry(5 * time.Second)
	}
	return connector.Complete(connector.Vars{
		"transferPrepareFailed": resp.Status != 201, "holdReference": resp.Header("location"),
	})
}

// threeQuestions asks for an account, a quote and a status, one after the other.
func threeQuestions(c *connector.Context, job *connector.Job) connector.Outcome {
	path := "/accounts/" + job.String("payerAccount")
	for _, what := range [...]string{"", "/quote", "/status"} {
		resp, err := c.HTTP(connector.HTTP{Endpoint: "bank", Method: "GET", Path: path + what})
		if err != nil || resp.Status != 200 {
			return connector.Fail("BANK", "no answer").Retry(5 * time.Second)
		}
	}
	return connector.Complete(connector.Vars{"partyLookupFailed": false, "payeeName": job.String("payeeName")})
}

type config struct {
	Institution string `json:"institution"`
	Backoff     string `json:"backoff"`
}

func readConfig(c *connector.Context) (config, error) {
	var cfg config
	err := c.Config(&cfg)
	return cfg, err
}

func configured(read func(*connector.Context) (config, error)) func(*connector.Context, *connector.Job) connector.Outcome {
	return func(c *connector.Context, _ *connector.Job) connector.Outcome {
		if cfg, err := read(c); err != nil || cfg.Institution == "" {
			return connector.Fail("CONFIGURATION", "it cannot be read")
		}
		return connector.Complete(nil)
	}
}
