package devhub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// The demonstration's people: a customer of greenbank, in the bank's demo seed,
// and one of bluebank, enrolled at the simulated scheme.
const (
	Tenant    = "greenbank"
	PayerID   = "27710101999"
	PayeeID   = "27710203999"
	PayeeName = "Neema Okoye"
	Amount    = "25.00"
	Currency  = "USD"
)

// Demo sends transfers through a hub as a channel would, and looks at every
// party afterwards.
type Demo struct {
	Ingress, Bank, Scheme string // base URLs
	Control               corev1connect.ControlServiceClient
	Ops                   opsv1connect.OpsServiceClient
}

// client of the counterparts; nothing of them takes longer.
var client = &http.Client{Timeout: 30 * time.Second}

// Send asks for a transfer in Payment Hub EE's way and returns the payment's
// UUID. The correlation id makes asking again harmless.
func (d Demo) Send(ctx context.Context, correlationID string) (string, error) {
	party := func(id string) map[string]any {
		return map[string]any{"partyIdInfo": map[string]string{"partyIdType": "MSISDN", "partyIdentifier": id}}
	}
	body, err := json.Marshal(map[string]any{
		"payer": party(PayerID), "payee": party(PayeeID),
		"amount": map[string]string{"amount": Amount, "currency": Currency},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Ingress+"/channel/transfer", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Platform-TenantId", Tenant)
	req.Header.Set("X-CorrelationID", correlationID)
	var answer struct {
		TransactionID string `json:"transactionId"`
	}
	if err := do(req, &answer); err != nil {
		return "", fmt.Errorf("send the transfer: %w", err)
	}
	if answer.TransactionID == "" {
		return "", errors.New("send the transfer: the channel answered without a transactionId")
	}
	return answer.TransactionID, nil
}

// Await polls until the payment has ended or stands still, or ctx ends.
func (d Demo) Await(ctx context.Context, payment string) (*corev1.GetPaymentResponse, error) {
	for {
		p, err := d.Control.GetPayment(ctx, &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: payment}})
		if err != nil {
			return nil, fmt.Errorf("ask for payment %s: %w", payment, err)
		}
		if p.GetPayment().GetState() != "running" {
			return p, nil
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("payment %s still runs: %w", payment, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// AwaitTimeline polls opsd until it shows the payment ended with nothing missing.
func (d Demo) AwaitTimeline(ctx context.Context, payment string) (*opsv1.GetPaymentResponse, error) {
	for {
		p, err := d.Ops.GetPayment(ctx, &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: payment}})
		if err == nil && p.GetPayment().GetState() == opsv1.PaymentState_PAYMENT_STATE_ENDED && p.GetPayment().GetMissingEvents() == 0 {
			return p, nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("it shows the payment as %s with %d events missing", p.GetPayment().GetState(), p.GetPayment().GetMissingEvents())
			}
			return nil, fmt.Errorf("opsd does not show payment %s as ended: %w", payment, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Verify proves that a completed transfer moved the money once: one booking at
// the payer's bank, one credit at the payee's, and opsd says the same.
func (d Demo) Verify(ctx context.Context, payment string) (*opsv1.GetPaymentResponse, error) {
	p, err := d.Await(ctx, payment)
	if err != nil {
		return nil, err
	}
	if r := p.GetPayment().GetResult(); r != corev1.Result_RESULT_COMPLETED {
		return nil, fmt.Errorf("payment %s is %s, %s %s, not completed", payment, p.GetPayment().GetState(), r, p.GetPayment().GetCode())
	}
	debits, err := d.Debits(ctx, payment)
	if err != nil {
		return nil, err
	}
	if len(debits) != 1 || debits[0] != "-"+Amount {
		return nil, fmt.Errorf("payment %s: the payer's account should show one entry of -%s, and shows %v", payment, Amount, debits)
	}
	credits, err := d.Credits(ctx, payment)
	if err != nil {
		return nil, err
	}
	if credits != 1 {
		return nil, fmt.Errorf("payment %s: the payee should be credited once, and is %d times", payment, credits)
	}
	timeline, err := d.AwaitTimeline(ctx, payment)
	if err != nil {
		return nil, err
	}
	if r := timeline.GetPayment().GetResult(); r != opsv1.PaymentResult_PAYMENT_RESULT_COMPLETED {
		return nil, fmt.Errorf("payment %s: opsd shows %s, not completed", payment, r)
	}
	return timeline, nil
}

// Debits lists what a payment took from the payer's account, the fee of the
// payer's bank apart.
func (d Demo) Debits(ctx context.Context, payment string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Bank+"/entries?reference="+url.QueryEscape(payment), http.NoBody)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Entries []struct {
			Account string `json:"account"`
			Role    string `json:"role"`
			Amount  string `json:"amount"`
		} `json:"entries"`
	}
	if err := do(req, &answer); err != nil {
		return nil, fmt.Errorf("ask the bank: %w", err)
	}
	var out []string
	for _, e := range answer.Entries {
		if e.Role == "customer" && strings.HasPrefix(e.Account, Tenant+"-"+PayerID) {
			out = append(out, e.Amount)
		}
	}
	return out, nil
}

// Credits counts how often the scheme's payee was credited with a payment.
func (d Demo) Credits(ctx context.Context, payment string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Scheme+"/admin/transfers/"+url.PathEscape(payment), http.NoBody)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Credits int `json:"credits"`
	}
	if err := do(req, &answer); err != nil {
		return 0, fmt.Errorf("ask the scheme: %w", err)
	}
	return answer.Credits, nil
}

// do makes a request and reads its JSON answer.
func do(req *http.Request, into any) error {
	response, err := client.Do(req)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", req.Method, req.URL.Path, response.StatusCode, bytes.TrimSpace(raw))
	}
	return json.Unmarshal(raw, into)
}
