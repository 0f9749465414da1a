package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/railhead-hub/railhead/plugins/money"
	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/conformance"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TestVectors runs testdata/*.txt on the Go code and on the compiled module.
func TestVectors(t *testing.T) { conformance.Test(t, connector.Step, ".") }

// FuzzVariables gives every money job variables of any shape: it ends, or asks for
// an effect whose terms are an amount.
func FuzzVariables(f *testing.F) {
	f.Add(`{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"1"}}}`, `{"amount":"1","currency":"USD"}`, `"USD"`, `{"amount":0.5,"currency":"USD"}`)
	f.Add(`"{\"payee\":{}}"`, `1e3`, `null`, `[]`)
	f.Add(`"{"`, `"-1"`, `7`, `{"amount":{}}`)
	f.Fuzz(func(t *testing.T, request, amount, currency, fee string) {
		given := map[string]string{
			"channelRequest": request, "quoteSwitchRequest": request, "amount": amount, "heldAmount": amount,
			"currency": currency, "fspFee": fee, "holdId": currency, "externalAccountId": currency,
		}
		job := &sdkv1.Job{Payment: "p", Attempt: 1}
		for _, name := range []string{"amount", "channelRequest", "currency", "externalAccountId", "fspFee", "heldAmount", "holdId", "quoteSwitchRequest"} {
			if json.Valid([]byte(given[name])) {
				job.Variables = append(job.Variables, &sdkv1.Variable{Name: name, Json: []byte(given[name])})
			}
		}
		for _, job.Type = range []string{"block-funds", "book-funds", "release-block", "payee-commit-transfer-{tenant}", "payee-deposit-transfer-{tenant}", "internal-transfer-{tenant}"} {
			encoded, err := (&sdkv1.StepRequest{
				Seed: bytes.Repeat([]byte{1}, abi.SeedBytes), Trigger: &sdkv1.Trigger{Tenant: "t", Kind: &sdkv1.Trigger_Job{Job: job}},
			}).MarshalVTStrict()
			if err != nil {
				t.Fatal(err)
			}
			reply := new(sdkv1.StepReply)
			if err := reply.UnmarshalVT(connector.Step(encoded)); err != nil {
				t.Fatal(err)
			}
			if reply.Error != "" || (reply.Outcome == nil) == (len(reply.Effects) == 0) {
				t.Fatalf("%s: %s", job.Type, conformance.Render(reply))
			}
			for _, e := range reply.Effects {
				terms := e.GetHttp().GetTerms()
				if _, err := money.Parse(terms.GetAmount(), terms.GetCurrency()); err != nil || !json.Valid(e.GetHttp().GetBody()) {
					t.Fatalf("%s: %v in %s", job.Type, err, conformance.Render(reply))
				}
			}
		}
	})
}
