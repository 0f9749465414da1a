package main

import (
	"testing"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	"github.com/railhead-hub/railhead/sdk/conformance"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func TestConnector(t *testing.T) { conformance.Test(t, connector.Step, ".") }

// TestHugeBody sends more than the manifest lets the host pass on: the connector
// does not rely on it.
func TestHugeBody(t *testing.T) {
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Tenant: "greenbank", Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
		Route: "transfer", Method: "PUT", Path: "/transfers/x", Body: make([]byte, bodyMax+1),
	}}}}
	raw, err := request.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(connector.Step(raw)); err != nil {
		t.Fatal(err)
	}
	if status := reply.GetOutcome().GetReply().GetStatus(); status != 413 {
		t.Errorf("answered %d", status)
	}
}

// TestQuoteID holds that a quote's id is another than its payment's, keeps the form
// FSPIOP demands, and leads back.
func TestQuoteID(t *testing.T) {
	for _, payment := range []string{
		"6b29fc40-ca47-4067-b31d-00dd010662da", "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff",
	} {
		quote := quoteID(payment)
		if quote == payment || !fspiop.ValidID(quote) || paymentOf(quote) != payment {
			t.Errorf("%s has quote %s, which leads to %s", payment, quote, paymentOf(quote))
		}
		if got, ok := paymentOfTrace(traceparent(payment)); !ok || got != payment {
			t.Errorf("trace %s leads to %s", traceparent(payment), got)
		}
	}
	for _, trace := range []string{"", "00-", "00-6b29fc40ca474067b31d00dd010662da-b31d00dd010662d-01", "00-6b29fc40ca477067b31d00dd010662da-b31d00dd010662da-01"} {
		if payment, ok := paymentOfTrace(trace); ok {
			t.Errorf("%q leads to %s", trace, payment)
		}
	}
}
