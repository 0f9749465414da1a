package mojaloophub

import (
	"slices"
	"testing"
	"time"
)

func TestConnectorPays(t *testing.T) {
	h := newPayerHub(t)
	if end := h.job("party-lookup-request"); end != "complete" {
		t.Fatal(end)
	}
	h.want(h.receive("party-lookup"), "partyLookupFailed", "false", "partyLookupFspId", `"bluebank"`)
	h.job("quote")
	h.want(h.receive("quote-callback"), "quoteFailed", "false")
	h.job("send-transfer-request")
	h.want(h.receive("transfer-response"), "transferFailed", "false", "transferState", `"COMMITTED"`)
	h.credits(1)
	h.quiet(3)
	h.want(h.variables, "partyLookupRetryCount", "0", "quoteRetryCount", "0", "transferRetryCount", "0")
}

// TestConnectorLookup and the two tests after it take each fault of a resource
// through the connector.
func TestConnectorLookup(t *testing.T) {
	for _, c := range []struct {
		fault  Fault
		failed string
	}{
		{Fault{Kind: Delay, DelayMS: 2}, "false"},
		{Fault{Kind: Duplicate}, "false"},
		{Fault{Kind: Early}, "false"},
		{Fault{Kind: Reset}, "false"},
		{Fault{Kind: Error, ErrorCode: "3204"}, "true"},
		{Fault{Kind: HTTP400}, "true"},
	} {
		t.Run(c.fault.Kind, func(t *testing.T) {
			h := newPayerHub(t)
			c.fault.Resource = "parties"
			h.inject(c.fault)
			h.job("party-lookup-request")
			h.want(h.receive("party-lookup"), "partyLookupFailed", c.failed)
			if len(h.refused) > 0 {
				t.Errorf("refused %v", h.refused)
			}
		})
	}
	for _, kind := range []string{Silence, Lost, HTTP503} {
		t.Run(kind, func(t *testing.T) {
			h := newPayerHub(t)
			h.inject(Fault{Resource: "parties", Kind: kind})
			h.job("party-lookup-request")
			h.quiet(0)
			h.job("party-lookup-request")
			h.want(h.receive("party-lookup"), "partyLookupFailed", "false")
			h.want(h.variables, "partyLookupRetryCount", "1")
		})
	}
}

func TestConnectorQuote(t *testing.T) {
	for _, c := range []struct {
		fault           Fault
		message, failed string
	}{
		{Fault{Kind: Delay, DelayMS: 2}, "quote-callback", "false"},
		{Fault{Kind: Duplicate}, "quote-callback", "false"},
		{Fault{Kind: Early}, "quote-callback", "false"},
		{Fault{Kind: Reset}, "quote-callback", "false"},
		{Fault{Kind: WrongTerms}, "quote-callback", "true"},
		{Fault{Kind: Error, ErrorCode: "5103"}, "quote-error", "true"},
		{Fault{Kind: HTTP400}, "quote-error", "true"},
	} {
		t.Run(c.fault.Kind, func(t *testing.T) {
			h := newPayerHub(t)
			h.job("party-lookup-request")
			h.receive("party-lookup")
			c.fault.Resource = "quotes"
			h.inject(c.fault)
			h.job("quote")
			h.want(h.receive(c.message), "quoteFailed", c.failed)
			if len(h.refused) > 0 {
				t.Errorf("refused %v", h.refused)
			}
		})
	}
	for _, kind := range []string{Silence, Lost, HTTP503} {
		t.Run(kind, func(t *testing.T) {
			h := newPayerHub(t)
			h.job("party-lookup-request")
			h.receive("party-lookup")
			h.inject(Fault{Resource: "quotes", Kind: kind})
			h.job("quote")
			h.quiet(1)
			// A minute later the very same request: not a conflict.
			h.mu.Lock()
			h.ahead = time.Minute
			h.mu.Unlock()
			h.job("quote")
			h.want(h.receive("quote-callback"), "quoteFailed", "false")
		})
	}
}

// TestConnectorTransfer is the table of doubt: what is published decides about the
// payer's money, the payee's credits say what is right.
func TestConnectorTransfer(t *testing.T) {
	for _, c := range []struct {
		fault   Fault
		failed  string // of the message transfer-response
		credits int
	}{
		{Fault{Kind: Delay, DelayMS: 2}, "false", 1},
		{Fault{Kind: Duplicate}, "false", 1},
		{Fault{Kind: Early}, "false", 1},
		{Fault{Kind: Reset}, "false", 1}, // in doubt, and asked about at once
		{Fault{Kind: Error, ErrorCode: "5105"}, "true", 0},
		{Fault{Kind: HTTP400}, "true", 0},
	} {
		t.Run(c.fault.Kind, func(t *testing.T) {
			h := newPayerHub(t)
			h.quoted()
			c.fault.Resource = "transfers"
			h.inject(c.fault)
			h.job("send-transfer-request")
			h.want(h.receive("transfer-response"), "transferFailed", c.failed)
			h.credits(c.credits)
			h.quiet(2)
		})
	}
}

func TestConnectorEnquiresAfterSilence(t *testing.T) {
	h := newPayerHub(t)
	h.quoted()
	h.inject(Fault{Resource: "transfers", Kind: Silence})
	h.job("send-transfer-request")
	h.quiet(2)
	h.job("send-transfer-request")
	h.want(h.receive("transfer-response"), "transferFailed", "false", "transferState", `"COMMITTED"`)
	view, _ := h.scheme.Transfer(payment)
	if view.Requests != 1 || view.Enquiries != 1 {
		t.Errorf("%d requests and %d enquiries, want one of each", view.Requests, view.Enquiries)
	}
	h.credits(1)
}

func TestConnectorDoesNotBelieveAWrongFulfilment(t *testing.T) {
	h := newPayerHub(t)
	h.quoted()
	h.inject(Fault{Resource: "transfers", Kind: WrongFulfilment})
	h.job("send-transfer-request")
	h.quiet(3, "transfer-fulfilment-wrong")
	for n := range 3 { // as often as the flow asks
		h.job("send-transfer-request")
		h.quiet(4+n, slices.Repeat([]string{"transfer-fulfilment-wrong"}, 2+n)...)
	}
	if view, _ := h.scheme.Transfer(payment); view.Requests != 1 || view.Enquiries != 3 {
		t.Errorf("%+v", view)
	}
}

// TestConnectorLostTransfer: the hub took it and knows nothing of it. Until it has
// expired it might still turn up; afterwards it cannot.
func TestConnectorLostTransfer(t *testing.T) {
	for _, kind := range []string{Lost, HTTP503} {
		t.Run(kind, func(t *testing.T) {
			h := newPayerHub(t)
			h.quoted()
			h.inject(Fault{Resource: "transfers", Kind: kind})
			h.job("send-transfer-request")
			callbacks := 2
			if kind == HTTP503 { // in doubt, and asked about at once
				callbacks++
			} else {
				h.job("send-transfer-request")
				callbacks++
			}
			h.quiet(callbacks, "transfer-doubt")
			h.mu.Lock()
			h.ahead = 3 * time.Minute
			h.mu.Unlock()
			h.job("send-transfer-request")
			h.want(h.receive("transfer-response"), "transferFailed", "true", "transferState", `"ABORTED"`, "errorCode", `"3208"`)
			h.credits(0)
		})
	}
}

// TestConnectorSentAgain holds that a transfer the host sends again, byte for byte,
// because it could not know, is a duplicate to the scheme and credits once.
func TestConnectorSentAgain(t *testing.T) {
	h := newPayerHub(t)
	h.quoted()
	h.job("send-transfer-request")
	h.mu.Lock()
	sent := h.sent
	h.mu.Unlock()
	if _, err := h.call(sent); err != nil {
		t.Fatal(err)
	}
	h.receive("transfer-response")
	h.quiet(4)
	if view, _ := h.scheme.Transfer(payment); view.Requests != 2 || view.Credits != 1 {
		t.Errorf("%+v", view)
	}
}
