package main

import connector "github.com/railhead-hub/railhead/sdk/go"

func main() {}

func init() {
	connector.Serve(connector.Connector{Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
		// The payer's side.
		"payer-local-quote-{tenant}": payerQuote,
		"block-funds":                hold,
		"book-funds":                 book,
		"release-block":              release,
		// The payee's side.
		"party-lookup-local-{tenant}":     lookup,
		"payee-quote-{tenant}":            payeeQuote,
		"payee-commit-transfer-{tenant}":  commit,
		"payee-deposit-transfer-{tenant}": deposit,
		// Within the bank.
		"internal-transfer-{tenant}": transfer,
		"account-status-{tenant}":    status,
	}})
}
