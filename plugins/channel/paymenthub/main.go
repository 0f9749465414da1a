// The connector paymenthub is Payment Hub EE's customer channel: POST
// /channel/transfer starts a transfer, GET /channel/transfer/{transactionId} and GET
// /channel/txnState/{X-CorrelationID} tell what became of it. Paths, headers, bodies
// and the flow's start variables are Payment Hub EE's, so that its clients and its
// flows need no change.
//
// It differs where Payment Hub EE loses track of money. X-CorrelationID is required
// and makes the start idempotent: the same request again gets the first answer,
// another one under the same id gets 409. What is malformed gets a 400 that says
// which field, and starts nothing. A status is known to the hub itself, not to a
// reporting database, and a failed transfer does not look as if it were under way.
//
// Begin with transfer.go.
package main

import connector "github.com/railhead-hub/railhead/sdk/go"

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"payer-request-confirm-{tenant}": confirm,
			"send-success-to-channel":        tellSuccess,
			"send-error-to-channel":          tellError,
			"send-unknown-to-channel":        tellUnknown,
			"notify-operator":                callOperator,
			"notify-ams-failure":             callOperator,
		},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{
			"transfer":        startTransfer,
			"transfer-status": statusByID,
			"txn-state":       stateByCorrelation,
		},
	})
}

func main() {}
