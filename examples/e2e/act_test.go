//go:build e2e || kafka || postgres

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// httpClient is the customers' and the tests'.
var httpClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// call makes an HTTP request and returns status and body.
func call(ctx context.Context, method, url string, header map[string]string, body any) (int, []byte, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	response, err := httpClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// get asks a counterpart something that must be answered.
func (h *hub) get(url string, into any) {
	h.t.Helper()
	status, body, err := call(h.t.Context(), http.MethodGet, url, nil, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		h.t.Fatalf("GET %s: %v", url, err)
	}
}

// lay lays a fault in wait at a counterpart.
func (h *hub) lay(url string, fault map[string]any) {
	h.t.Helper()
	status, body, err := call(h.t.Context(), http.MethodPost, url, nil, fault)
	if err != nil || status >= 300 {
		h.t.Fatalf("POST %s: %d %s %v", url, status, body, err)
	}
}

func (h *hub) bankFault(match, kind string, delay time.Duration) {
	h.t.Helper()
	fault := map[string]any{"match": match, "kind": kind}
	if delay > 0 {
		fault["delay_ms"] = delay.Milliseconds()
	}
	h.lay(h.bank.url+"/faults", map[string]any{"next": []any{fault}})
}

func (h *hub) schemeFault(resource, kind string, delay time.Duration) {
	h.t.Helper()
	fault := map[string]any{"resource": resource, "kind": kind}
	if delay > 0 {
		fault["delay_ms"] = delay.Milliseconds()
	}
	h.lay(h.scheme.url+"/admin/faults", fault)
}

// request is a transfer as Payment Hub EE's channel takes it.
func request(amount string) map[string]any {
	party := func(id string) map[string]any {
		return map[string]any{"partyIdInfo": map[string]string{"partyIdType": "MSISDN", "partyIdentifier": id}}
	}
	return map[string]any{
		"payer": party(payer), "payee": party(payee),
		"amount": map[string]string{"amount": amount, "currency": currency},
	}
}

// send asks a node for a transfer once, and returns what it says.
func send(ctx context.Context, n *node, correlation string, body any) (int, []byte, error) {
	return call(ctx, http.MethodPost, n.ingress+"/channel/transfer",
		map[string]string{"Platform-TenantId": tenant, "X-CorrelationID": correlation}, body)
}

// transactionID reads the channel's answer.
func transactionID(body []byte) (string, error) {
	var answer struct {
		TransactionID string `json:"transactionId"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("%w: %s", err, body)
	}
	if answer.TransactionID == "" {
		return "", fmt.Errorf("no transactionId in %s", body)
	}
	return answer.TransactionID, nil
}

// transfer asks for a transfer as a careful customer does: under one correlation
// id, again and again until there is an answer.
func (h *hub) transfer(correlation string) string {
	h.t.Helper()
	payment, err := h.ask(correlation)
	if err != nil {
		h.t.Fatal(err)
	}
	return payment
}

// ask is transfer, for those who are not the test's own goroutine.
func (h *hub) ask(correlation string) (payment string, err error) {
	attempt := 0
	err = await(patience, func() error {
		n := h.nodes[attempt%len(h.nodes)]
		attempt++
		status, body, err := send(h.t.Context(), n, correlation, request(amount))
		if err != nil {
			return err
		}
		switch status {
		case http.StatusOK, http.StatusAccepted:
			payment, err = transactionID(body)
			return err
		case http.StatusServiceUnavailable:
			return fmt.Errorf("the channel answers %d %s", status, body)
		}
		return stop{fmt.Errorf("the channel answers %d %s", status, body)}
	})
	return payment, err
}

// look asks any node for a payment.
func (h *hub) look(payment string) (*corev1.GetPaymentResponse, error) {
	var faults []error
	for _, n := range h.nodes {
		ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Second)
		p, err := n.control.GetPayment(ctx, &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: payment}})
		cancel()
		if err == nil {
			return p, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// ended waits until a payment has ended.
func (h *hub) ended(payment string) *corev1.PaymentInfo {
	h.t.Helper()
	var info *corev1.PaymentInfo
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		info = p.GetPayment()
		switch info.GetState() {
		case "ended":
			return nil
		case "incident":
			return stop{fmt.Errorf("payment %s stands still: %v", payment, p.GetIncidents())}
		}
		return fmt.Errorf("payment %s is %s at %v", payment, info.GetState(), places(p))
	})
	return info
}

// places are the elements at which a payment's tokens are.
func places(p *corev1.GetPaymentResponse) []string {
	var at []string
	for _, token := range p.GetTokens() {
		at = append(at, token.GetElement())
	}
	return at
}

// reaches waits until a payment has a token at the element.
func (h *hub) reaches(payment, element string) {
	h.t.Helper()
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		if slices.Contains(places(p), element) {
			return nil
		}
		if p.GetPayment().GetState() != "running" {
			return stop{fmt.Errorf("payment %s is %s and was not seen at %s", payment, p.GetPayment().GetState(), element)}
		}
		return fmt.Errorf("payment %s is at %v, not yet at %s", payment, places(p), element)
	})
}

// intends waits until a payment has an open money effect of that key: asked of
// the world, not answered.
func (h *hub) intends(payment, key string) {
	h.t.Helper()
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		for _, e := range p.GetEffects() {
			if e.GetKey() == key && e.GetState() == "open" {
				return nil
			}
		}
		if p.GetPayment().GetState() == "ended" {
			return stop{fmt.Errorf("payment %s has ended, and effect %s was not seen open", payment, key)}
		}
		return fmt.Errorf("payment %s has no open effect %s: %v", payment, key, p.GetEffects())
	})
}

// books are what the counterparts' ledgers say about a payment.
type books struct {
	Bookings  int // at the payer's bank
	HoldsOpen int
	Credits   int // at the payee's bank, behind the scheme
}

func (h *hub) books(payment string) books {
	h.t.Helper()
	var b books
	var bookings struct {
		Bookings []struct {
			ID string `json:"id"`
		} `json:"bookings"`
	}
	h.get(h.bank.url+"/bookings?reference="+neturl.QueryEscape(payment), &bookings)
	b.Bookings = len(bookings.Bookings)
	var holds struct {
		Holds []struct {
			State string `json:"state"`
		} `json:"holds"`
	}
	h.get(h.bank.url+"/holds?reference="+neturl.QueryEscape(payment), &holds)
	for _, hold := range holds.Holds {
		if hold.State == "open" {
			b.HoldsOpen++
		}
	}
	status, body, err := call(h.t.Context(), http.MethodGet, h.scheme.url+"/admin/transfers/"+payment, nil, nil)
	switch {
	case err != nil:
		h.t.Fatal(err)
	case status == http.StatusOK:
		var transfer struct {
			Credits int `json:"credits"`
		}
		if err := json.Unmarshal(body, &transfer); err != nil {
			h.t.Fatal(err)
		}
		b.Credits = transfer.Credits
	case status != http.StatusNotFound:
		h.t.Fatalf("the scheme answers %d %s", status, body)
	}
	return b
}

// The two ends of a transfer in the ledgers.
var (
	paid    = books{Bookings: 1, Credits: 1}
	unpaid  = books{}
	inDoubt = books{HoldsOpen: 1} // whether the payee was credited is the scheme's secret
)

// completed waits for a payment's end and demands that it is completed and that
// every ledger shows it once.
func (h *hub) completed(payment string) {
	h.t.Helper()
	info := h.ended(payment)
	if info.GetResult() != corev1.Result_RESULT_COMPLETED {
		h.t.Errorf("payment %s is %s %s, want completed", payment, info.GetResult(), info.GetCode())
	}
	if got := h.books(payment); got != paid {
		h.t.Errorf("payment %s: the ledgers show %+v, want %+v", payment, got, paid)
	}
}

// shown waits until opsd shows a payment ended, with every event there.
func (h *hub) shown(payment string) *opsv1.GetPaymentResponse {
	h.t.Helper()
	var shown *opsv1.GetPaymentResponse
	until(h.t, patience, func() error {
		ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
		defer cancel()
		p, err := h.ops.GetPayment(ctx, &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: payment}})
		if err != nil {
			return err
		}
		if p.GetPayment().GetState() != opsv1.PaymentState_PAYMENT_STATE_ENDED || p.GetPayment().GetMissingEvents() > 0 {
			return fmt.Errorf("opsd shows payment %s as %s with %d events missing", payment, p.GetPayment().GetState(), p.GetPayment().GetMissingEvents())
		}
		shown = p
		return nil
	})
	return shown
}

// balanced demands that the bank's ledger adds up.
func (h *hub) balanced() {
	h.t.Helper()
	var check struct {
		OK bool `json:"ok"`
	}
	h.get(h.bank.url+"/ledger/check", &check)
	if !check.OK {
		h.t.Error("the bank's ledger does not add up")
	}
}

// advance moves the hub's clock.
func (h *hub) advance(by time.Duration) {
	h.t.Helper()
	until(h.t, patience, func() error {
		ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
		defer cancel()
		_, err := h.leader().control.AdvanceClock(ctx, &corev1.AdvanceClockRequest{ByMs: by.Milliseconds()})
		return err
	})
}

// balance serves a port that hands requests to whichever node answers, as the
// load balancer before a cluster does.
func (h *hub) balance() string {
	var turn atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for range h.nodes {
			n := h.nodes[int(turn.Add(1))%len(h.nodes)]
			req, err := http.NewRequestWithContext(r.Context(), r.Method, n.ingress+r.URL.RequestURI(), bytes.NewReader(body))
			if err != nil {
				break
			}
			req.Header = r.Header.Clone()
			response, err := httpClient.Do(req)
			if err != nil {
				continue
			}
			defer response.Body.Close()
			w.WriteHeader(response.StatusCode)
			_, _ = io.Copy(w, response.Body)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	h.t.Cleanup(server.Close)
	return server.URL
}

// unique makes correlation ids of one test its own, within the channel's length.
func unique(t *testing.T, n int) string {
	return fmt.Sprintf("%08x-%d", crc32.ChecksumIEEE([]byte(t.Name())), n)
}
