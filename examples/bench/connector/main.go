// Command connector is the connector of the benchmark: it completes every job of
// the payer flow at once, with the answer that leads to success, and opens the
// routes through which the load comes in over HTTP. It is compiled to
// WebAssembly like any other; see examples/bench.
package main

import (
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"bench-work":                     answer(connector.Vars{"done": true}),
			"party-lookup-request-{tenant}":  answer(nil),
			"quote-{tenant}":                 quote,
			"payer-local-quote-{tenant}":     answer(connector.Vars{"localQuoteFailed": false}),
			"payer-request-confirm-{tenant}": answer(nil),
			"block-funds":                    answer(connector.Vars{"transferPrepareFailed": false}),
			"send-transfer-request-{tenant}": answer(nil),
			"book-funds":                     answer(connector.Vars{"transferCreateFailed": false}),
			"release-block":                  answer(connector.Vars{"transferReleaseFailed": false}),
			"send-success-to-channel":        answer(nil),
			"send-error-to-channel":          answer(nil),
			"send-unknown-to-channel":        answer(nil),
			"notify-operator":                answer(nil),
			"notify-ams-failure":             answer(nil),
		},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{
			"start":   start,
			"message": message,
			"result":  result,
		},
	})
}

func main() {}

func answer(variables connector.Vars) func(*connector.Context, *connector.Job) connector.Outcome {
	return func(*connector.Context, *connector.Job) connector.Outcome { return connector.Complete(variables) }
}

// quote names the quote after the payment, so that the load knows the key of the
// callback.
func quote(_ *connector.Context, job *connector.Job) connector.Outcome {
	return connector.Complete(connector.Vars{"quoteId": job.Payment})
}

// start begins a payment of the flow in the path, under the client's key. The
// body is the payment's one variable.
func start(c *connector.Context, r *connector.Request) connector.Reply {
	started, err := c.StartPayment(connector.StartPayment{
		Flow:         r.Param("flow"),
		ClientKey:    r.Header("x-correlationid"),
		Variables:    connector.Vars{"channelRequest": connector.RawJSON(r.Body)},
		UUIDVariable: "transactionId",
	})
	if err != nil {
		return refused(err)
	}
	return connector.Reply{Status: 202, Body: connector.Vars{"transactionId": started.Payment}.JSON()}
}

// message publishes a callback: its name and key are in the path, its variables
// are what that callback tells the flow.
func message(c *connector.Context, r *connector.Request) connector.Reply {
	name := r.Param("name")
	variables := map[string]connector.Vars{
		"party-lookup":      {"partyLookupFailed": false},
		"quote-callback":    {"quoteFailed": false},
		"accept-quote":      {"payerConfirmed": true},
		"transfer-response": {"transferFailed": false, "transferState": "COMMITTED"},
		"bench-callback":    {"answered": true},
	}[name]
	if variables == nil {
		return connector.Reply{Status: 404}
	}
	err := c.Publish(connector.Message{
		Name: name, Key: r.Param("key"), ID: name + r.Param("key"), TTL: time.Minute, Variables: variables,
	})
	if err != nil {
		return refused(err)
	}
	return connector.Reply{Status: 202}
}

// result waits for the end of a payment, as a channel that wants to know does.
func result(c *connector.Context, r *connector.Request) connector.Reply {
	p, err := c.AwaitResult(r.Param("payment"), 30*time.Second)
	switch {
	case err != nil:
		return refused(err)
	case !p.Found:
		return connector.Reply{Status: 404}
	case p.Pending:
		return connector.Reply{Status: 202}
	}
	return connector.Reply{Body: connector.Vars{"result": p.Result}.JSON()}
}

// refused answers what could not be done with the code that says why.
func refused(err error) connector.Reply {
	return connector.Reply{Status: 503, Body: connector.Vars{"error": err.Error()}.JSON()}
}
