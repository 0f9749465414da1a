// The connector mojaloop takes part in a Mojaloop scheme over FSPIOP 1.x, as the
// payer's DFSP: it looks payees up, asks for quotes and sends transfers, and it
// receives the scheme's callbacks. It serves Payment Hub EE's job types and
// publishes its messages, so that its payer flows run unmodified.
//
// What it believes, and on what evidence, is the point of it:
//
//   - A quote is good when its ILP packet says what was asked for: amount, currency,
//     payee, quote and transaction. Otherwise no transfer leaves (quote.go, terms.go).
//   - A transfer was made when the hub says COMMITTED with a fulfilment that answers
//     the quote's condition. It was not made when the hub says so and means it.
//     Everything else is doubt, publishes nothing, and is asked about again
//     (transfer.go, judge.go).
//
// The connector keeps no state. A callback finds its payment by the id in its path:
// the transfer id is the payment's UUID, the quote id follows from it; only a party
// look-up, whose path names the party alone, needs the traceparent we sent. What was
// agreed it reads from the payment's variables.
//
// Signing and mutual TLS belong to the host. Begin with party.go.
package main

import connector "github.com/railhead-hub/railhead/sdk/go"

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"party-lookup-request-{tenant}":  lookUpParty,
			"quote-{tenant}":                 askQuote,
			"send-transfer-request-{tenant}": sendTransfer,
		},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{
			"party":           partyFound,
			"party-sub":       partyFound,
			"party-error":     partyFailed,
			"party-sub-error": partyFailed,
			"quote":           quoteGiven,
			"quote-error":     quoteFailed,
			"transfer":        transferAnswered,
			"transfer-error":  transferFailed,
		},
	})
}

func main() {}
