package mojaloophub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// This file is the smallest host that can run the compiled connector mojaloop
// against the simulated scheme, over HTTP: no log, no flow, one payment. What the
// flow would do the tests in connector_test.go do step by step.

var connectorModule = sync.OnceValues(func() (*host.Module, error) {
	module, err := build.Module(context.Background(), filepath.Join("..", "..", "plugins", "scheme", "mojaloop"))
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return host.Open(context.Background(), module, host.Options{CacheDir: filepath.Join(cache, "railhead-test")})
})

const payment = "6b29fc40-ca47-4067-b31d-00dd010662da"

// payerHub is a hub with one payment in it.
type payerHub struct {
	t      *testing.T
	scheme *Server
	url    string

	mu        sync.Mutex
	ahead     time.Duration // the hub's clock against the machine's
	variables map[string]json.RawMessage
	messages  map[string]message // by id: the second of one id is dropped
	order     []string
	notes     []string
	refused   []string // callbacks refused with 4xx
	replies   int
	sent      *sdkv1.Http // the last money effect
}

type message struct {
	name      string
	variables map[string]json.RawMessage
}

func newPayerHub(t *testing.T) *payerHub {
	t.Helper()
	h := &payerHub{t: t, messages: map[string]message{}, variables: map[string]json.RawMessage{}}
	callbacks := httptest.NewServer(h)
	t.Cleanup(callbacks.Close)
	scheme, err := New(Config{
		Callbacks:  map[string]string{"greenbank": callbacks.URL},
		Payees:     []Payee{{Type: "MSISDN", ID: "27710203999", Name: "Neema Okoye"}},
		RetryFirst: time.Millisecond, RetryLast: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(scheme.Close)
	served := httptest.NewServer(scheme)
	t.Cleanup(served.Close)
	h.scheme, h.url = scheme, served.URL
	h.set("transactionId", payment)
	h.set("originDate", time.Now().UnixMilli())
	h.set("channelRequest", `{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}},`+
		`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710203999"}},"amount":{"amount":"25","currency":"USD"}}`)
	return h
}

func (h *payerHub) set(name string, v any) { h.variables[name] = encode(v) }

func (h *payerHub) now() int64 { return time.Now().Add(h.ahead).UnixMilli() }

// run steps the connector to its outcome and performs its effects as core would.
func (h *payerHub) run(trigger *sdkv1.Trigger) (*sdkv1.Outcome, error) {
	module, err := connectorModule()
	if err != nil {
		return nil, err
	}
	trigger.Tenant = "greenbank"
	h.mu.Lock()
	trigger.TimeMs = h.now()
	h.mu.Unlock()
	request := &sdkv1.StepRequest{Trigger: trigger, Seed: bytes.Repeat([]byte{1}, abi.SeedBytes)}
	for range abi.StepsMax {
		reply, err := module.Step(context.Background(), "greenbank", request)
		if err != nil {
			return nil, err
		}
		if reply.Outcome != nil {
			return reply.Outcome, nil
		}
		if reply.Error != "" || reply.Mismatch != nil || len(reply.Effects) != 1 {
			return nil, fmt.Errorf("the connector is at a loss: %v", reply)
		}
		effect := reply.Effects[0]
		answer, err := h.perform(effect, trigger.GetJob() != nil)
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		request.History = append(request.History, &sdkv1.Entry{
			Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: h.now(), Answer: answer,
		})
		h.mu.Unlock()
	}
	return nil, errors.New("the connector takes no end")
}

func (h *payerHub) perform(effect *sdkv1.Effect, job bool) (*sdkv1.Answer, error) {
	done := &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}
	switch {
	case effect.GetHttp() != nil && job:
		return h.call(effect.GetHttp())
	case effect.GetPublish() != nil:
		return h.publish(effect.GetPublish()), nil
	case effect.GetQuery() != nil && !job:
		return h.query(effect.GetQuery()), nil
	case effect.GetEmit() != nil:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.notes = append(h.notes, effect.GetEmit().Name)
		return done, nil
	}
	return nil, fmt.Errorf("this trigger may not ask for %v", effect)
}

// call is what egress does for a keyed and a safe endpoint, without its retries.
func (h *payerHub) call(call *sdkv1.Http) (*sdkv1.Answer, error) {
	if (call.Key != "") != (call.Endpoint == "hub") {
		return nil, fmt.Errorf("%s %s of key %q goes to endpoint %s", call.Method, call.Path, call.Key, call.Endpoint)
	}
	if call.Key != "" {
		h.mu.Lock()
		h.sent = call
		h.mu.Unlock()
	}
	r, err := http.NewRequest(call.Method, h.url+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		return nil, err
	}
	for _, header := range call.Headers {
		r.Header.Set(header.Key, header.Value)
	}
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		defer response.Body.Close()
		var body []byte
		if body, err = io.ReadAll(response.Body); err == nil && (response.StatusCode < 500 || call.Key == "") {
			return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: uint32(response.StatusCode), Body: body}}}, nil
		}
	}
	if call.Key == "" {
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: abi.FailureTimeout, Text: "no answer"}}}, nil
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{IdempotencyKey: payment, Reason: "no answer"}}}, nil
}

func (h *payerHub) publish(p *sdkv1.Publish) *sdkv1.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, duplicate := h.messages[p.MessageId]
	if !duplicate {
		m := message{name: p.Name, variables: map[string]json.RawMessage{}}
		for _, v := range p.Variables {
			m.variables[v.Name] = v.Json
		}
		h.messages[p.MessageId] = m
		h.order = append(h.order, p.MessageId)
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: &sdkv1.PublishAnswer{Duplicate: duplicate}}}
}

func (h *payerHub) query(q *sdkv1.Query) *sdkv1.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &sdkv1.QueryAnswer{Found: q.Payment == payment, Payment: payment, State: "running"}
	for _, name := range slices.Sorted(slices.Values(q.Variables)) {
		if v := h.variables[name]; v != nil {
			a.Variables = append(a.Variables, &sdkv1.Variable{Name: name, Json: v})
		}
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: a}}
}

// ServeHTTP is the ingress: it takes the scheme's callbacks to their routes.
func (h *payerHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	request := &sdkv1.HttpRequest{Method: r.Method, Path: r.URL.Path, Body: body, Route: map[string]string{
		"parties": "party", "quotes": "quote", "transfers": "transfer",
	}[part[0]]}
	for name := range r.Header {
		request.Headers = append(request.Headers, &sdkv1.Header{Key: strings.ToLower(name), Value: r.Header.Get(name)})
	}
	param := func(name, value string) {
		request.PathParams = append(request.PathParams, &sdkv1.Header{Key: name, Value: value})
	}
	if part[len(part)-1] == "error" {
		request.Route += "-error"
	}
	if part[0] == "parties" {
		param("type", part[1])
		param("id", part[2])
	} else {
		param("id", part[1])
	}
	outcome, err := h.run(&sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: request}})
	if err != nil {
		h.t.Error(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	reply := outcome.GetReply()
	h.mu.Lock()
	h.replies++
	if reply.GetStatus()/100 == 4 {
		h.refused = append(h.refused, string(reply.Body))
	}
	h.mu.Unlock()
	w.WriteHeader(int(reply.GetStatus()))
	w.Write(reply.GetBody())
}

// job runs a job of the payment and gives its variables to the payment. It reports
// how the job ended: complete, or the code it failed with.
func (h *payerHub) job(kind string) string {
	h.t.Helper()
	job := &sdkv1.Job{Type: kind + "-{tenant}", Payment: payment, Attempt: 1, Retries: 0}
	h.mu.Lock()
	for name, v := range h.variables {
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: name, Json: v})
	}
	h.mu.Unlock()
	outcome, err := h.run(&sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: job}})
	if err != nil {
		h.t.Fatal(err)
	}
	if fail := outcome.GetFail(); fail != nil {
		return fail.Code
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range outcome.GetComplete().GetVariables() {
		h.variables[v.Name] = v.Json
	}
	return "complete"
}

// receive waits for a message and gives its variables to the payment.
func (h *payerHub) receive(name string) map[string]json.RawMessage {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		h.mu.Lock()
		for i, id := range h.order {
			if m := h.messages[id]; m.name == name {
				h.order = slices.Delete(h.order, i, i+1)
				maps.Copy(h.variables, m.variables)
				h.mu.Unlock()
				return m.variables
			}
		}
		h.mu.Unlock()
	}
	h.t.Fatalf("no message %s; notes %v, refused %v", name, h.notes, h.refused)
	return nil
}

// quiet waits until n callbacks were taken and holds that none of them published.
func (h *payerHub) quiet(n int, notes ...string) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		replies := h.replies
		h.mu.Unlock()
		if replies >= n && h.scheme.Status().Callbacks.Pending == 0 {
			break
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d callbacks, want %d", replies, n)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.order) > 0 {
		h.t.Fatalf("published %v", h.order)
	}
	if fmt.Sprint(h.notes) != fmt.Sprint(notes) {
		h.t.Fatalf("notes %v, want %v", h.notes, notes)
	}
}

func (h *payerHub) inject(f Fault) {
	h.t.Helper()
	if err := h.scheme.Inject(f); err != nil {
		h.t.Fatal(err)
	}
}

// want holds that variables have these values.
func (h *payerHub) want(variables map[string]json.RawMessage, pairs ...string) {
	h.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if string(variables[pairs[i]]) != pairs[i+1] {
			h.t.Errorf("%s is %s, want %s", pairs[i], variables[pairs[i]], pairs[i+1])
		}
	}
}

func (h *payerHub) credits(want int) {
	h.t.Helper()
	payee, _ := h.scheme.Payee("27710203999")
	if len(payee.Credits) != want {
		h.t.Errorf("the payee was credited %d times, want %d", len(payee.Credits), want)
	}
}

// quoted brings the payment to the point where the transfer is to be sent.
func (h *payerHub) quoted() {
	h.t.Helper()
	h.job("party-lookup-request")
	h.receive("party-lookup")
	h.job("quote")
	h.want(h.receive("quote-callback"), "quoteFailed", "false")
}
