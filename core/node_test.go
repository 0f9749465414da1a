package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// flowXML is a flow of one task of the type, followed by a wait for a message if
// one is named.
func flowXML(id, jobType, message string) []byte {
	wait, end := "", `<bpmn:sequenceFlow id="f2" sourceRef="task" targetRef="done"/>`
	declared := ""
	if message != "" {
		declared = `<bpmn:message id="m" name="` + message + `"><bpmn:extensionElements><zeebe:subscription correlationKey="=transactionId"/></bpmn:extensionElements></bpmn:message>`
		wait = `<bpmn:intermediateCatchEvent id="waiting"><bpmn:messageEventDefinition id="md" messageRef="m"/></bpmn:intermediateCatchEvent>
		<bpmn:boundaryEvent id="never" attachedToRef="task"><bpmn:timerEventDefinition id="td"><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent>
		<bpmn:endEvent id="late"/><bpmn:sequenceFlow id="f4" sourceRef="never" targetRef="late"/>`
		end = `<bpmn:sequenceFlow id="f2" sourceRef="task" targetRef="waiting"/><bpmn:sequenceFlow id="f3" sourceRef="waiting" targetRef="done"/>`
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">` + declared + `
  <bpmn:process id="` + id + `" isExecutable="true">
    <bpmn:startEvent id="s"/><bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="task"/>
    <bpmn:serviceTask id="task"><bpmn:extensionElements><zeebe:taskDefinition type="` + jobType + `" retries="3"/></bpmn:extensionElements></bpmn:serviceTask>
    ` + wait + end + `<bpmn:endEvent id="done"/>
  </bpmn:process>
</bpmn:definitions>`)
}

// bank books once for each idempotency key.
type bank struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	booked   map[string]string // payment by key
	hold     chan struct{}     // while set, answers wait for it
}

func newBank(t testing.TB) *bank {
	b := &bank{booked: make(map[string]string)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.requests++
		b.booked[r.Header.Get("Idempotency-Key")] = string(body)
		hold := b.hold
		b.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, `{}`)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bank) seen() (requests, bookings int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests, len(b.booked)
}

// site is a cluster of nodes in this process.
type site struct {
	t       testing.TB
	bank    *bank
	configs []Config
	nodes   []*Node
	log     *slog.Logger // of nodes that are opened from now on; nil: none
}

func newSite(t testing.TB, nodes int, change func(*Config)) *site {
	t.Helper()
	s := &site{t: t, bank: newBank(t), nodes: make([]*Node, nodes)}
	var peers []string
	for i := range nodes {
		c := Default()
		c.ID, c.Dir = fmt.Sprintf("n%d", i+1), t.TempDir()
		c.Raft, c.Control, c.Ingress, c.Admin = free(t), free(t), free(t), free(t)
		c.Limits.Workers = 64
		if change != nil {
			change(&c)
		}
		peers = append(peers, fmt.Sprintf("%s=%s/%s", c.ID, c.Raft, c.Control))
		s.configs = append(s.configs, c)
	}
	for i := range s.configs {
		if nodes > 1 {
			s.configs[i].Peers = peers
		}
		s.open(i)
	}
	t.Cleanup(func() {
		for i := range s.nodes {
			s.close(i)
		}
	})
	s.ready()
	return s
}

func free(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *site) open(i int) {
	s.t.Helper()
	log := s.log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n, err := Open(s.configs[i], Options{Logger: log, Load: loadNative, Build: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.nodes[i] = n
}

// close stops a node without patience for what is under way.
func (s *site) close(i int) {
	if n := s.nodes[i]; n != nil {
		s.nodes[i] = nil
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := n.Close(ctx); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) ready() {
	s.t.Helper()
	until(s.t, "all nodes to be ready", func() bool {
		for _, n := range s.nodes {
			if n != nil && n.unready() != "" {
				return false
			}
		}
		return s.leader() >= 0
	})
}

func (s *site) leader() int {
	return slices.IndexFunc(s.nodes, func(n *Node) bool { return n != nil && n.replica.IsLeader() })
}

func (s *site) control(i int) corev1connect.ControlServiceClient {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	return corev1connect.NewControlServiceClient(client, "http://"+s.configs[i].Control)
}

func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// must ends the test run at a call that was to work.
func must[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// furnish installs the connector and deploys the flows through a node's door.
func (s *site) furnish(i int) {
	s.t.Helper()
	t, c, ctx := s.t, s.control(i), s.t.Context()
	config := fmt.Sprintf(`{"connectors":{"test":{"auth":{"kind":"none"},"endpoints":{"ledger":{"url":%q,"allow":["127.0.0.1/32"]}}}}}`, s.bank.URL)
	_, err := c.PutTenant(ctx, &corev1.PutTenantRequest{Tenant: &corev1.Tenant{
		Id: "greenbank", Aliases: []*corev1.Alias{{Kind: "fsp_id", Value: "gb"}}, Config: config,
	}})
	check(t, err)
	module := []byte("stands for a module")
	digest := sha256.Sum256(module)
	stream := must(c.InstallConnector(ctx))
	check(t, stream.Send(&corev1.InstallConnectorRequest{Digest: digest[:], Part: module[:5]}))
	check(t, stream.Send(&corev1.InstallConnectorRequest{Part: module[5:]}))
	installed, err := stream.CloseAndReceive()
	check(t, err)
	_, err = c.ActivateConnector(ctx, &corev1.ActivateConnectorRequest{
		Tenant: "greenbank", Connector: installed.Name, Digest: installed.Digest,
	})
	check(t, err)
	for _, f := range []struct{ file, id, jobType, message string }{
		{"book-DFSPID.bpmn", "book-DFSPID", "book-funds-DFSPID", ""},
		{"nothing.bpmn", "nothing", "nothing-greenbank", ""},
		{"wait.bpmn", "wait", "nothing-greenbank", "go-on"},
	} {
		_, err := c.DeployFlow(ctx, &corev1.DeployFlowRequest{
			File: f.file, Xml: flowXML(f.id, f.jobType, f.message), Tenants: []string{"greenbank"}, Strict: true,
			Ends: []*corev1.EndResult{{Element: "done", Result: corev1.Result_RESULT_COMPLETED, Code: "paid"}},
		})
		check(t, err)
	}
}

// call sends a request to a connector's route and decodes the answer.
func (s *site) call(i int, method, path string, headers map[string]string, body string) (int, map[string]string) {
	s.t.Helper()
	status, answer, err := s.try(i, method, path, headers, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, answer
}

func (s *site) try(i int, method, path string, headers map[string]string, body string) (int, map[string]string, error) {
	req, err := http.NewRequest(method, "http://"+s.configs[i].Ingress+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	answer := map[string]string{}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			return resp.StatusCode, nil, fmt.Errorf("%d %s: %w", resp.StatusCode, text, err)
		}
	}
	return resp.StatusCode, answer, nil
}

func start(flow, key string) map[string]string {
	return map[string]string{"Platform-TenantId": "greenbank", "X-Flow": flow, "X-CorrelationID": key}
}

func (s *site) result(i int, uuid string) map[string]string {
	s.t.Helper()
	status, answer := s.call(i, "GET", "/payments/"+uuid, map[string]string{"Fsp": "gb"}, "")
	if status != 200 {
		s.t.Fatalf("%d %v", status, answer)
	}
	return answer
}

func reasonOf(err error) string {
	if c, ok := errors.AsType[*connect.Error](err); ok {
		for _, d := range c.Details() {
			if v, err := d.Value(); err == nil {
				if detail, ok := v.(*corev1.ErrorDetail); ok {
					return detail.Reason
				}
			}
		}
	}
	return fmt.Sprint("no reason: ", err)
}

func TestAPaymentEndToEnd(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	status, answer := s.call(0, "POST", "/payments", start("book-greenbank", "c1"), `{"x":1}`)
	if status != 202 {
		t.Fatalf("%d %v", status, answer)
	}
	uuid := answer["transactionId"]
	if got := s.result(0, uuid); got["state"] != "ended" || got["result"] != "completed" || got["code"] != "paid" {
		t.Fatalf("%v", got)
	}
	for _, by := range []*corev1.GetPaymentRequest{
		{By: &corev1.GetPaymentRequest_Payment{Payment: uuid}},
		{By: &corev1.GetPaymentRequest_Client{Client: &corev1.ClientKey{Tenant: "greenbank", Channel: "test", Key: "c1"}}},
	} {
		p, err := s.control(0).GetPayment(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		if p.Payment.Payment != uuid || p.Payment.Result != corev1.Result_RESULT_COMPLETED || len(p.Effects) != 1 || p.Effects[0].State != "done" {
			t.Fatalf("%v", p)
		}
		if s.bank.booked[p.Effects[0].IdempotencyKey] != uuid {
			t.Fatalf("the bank's key is another than %s", p.Effects[0].IdempotencyKey)
		}
	}
}

func TestIdempotentStart(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	uuids := make(chan string, 100)
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			status, answer, err := s.try(0, "POST", "/payments", start("book-greenbank", "same"), "body")
			if status != 202 || err != nil {
				t.Errorf("%d %v %v", status, answer, err)
			}
			uuids <- answer["transactionId"]
		})
	}
	calls.Wait()
	first := <-uuids
	for range 99 {
		if other := <-uuids; other != first {
			t.Fatalf("two payments: %s and %s", first, other)
		}
	}
	s.result(0, first)
	if status, answer := s.call(0, "POST", "/payments", start("book-greenbank", "same"), "another body"); status != 409 || answer["code"] != "CONFLICT" {
		t.Fatalf("%d %v", status, answer)
	}
	s.close(0)
	s.open(0)
	s.ready()
	if status, answer := s.call(0, "POST", "/payments", start("book-greenbank", "same"), "body"); status != 202 || answer["transactionId"] != first {
		t.Fatalf("after a restart: %d %v", status, answer)
	}
	if _, bookings := s.bank.seen(); bookings != 1 {
		t.Fatalf("%d bookings", bookings)
	}
}

// TestRestartBetweenIntendAndAnswer stops the node while the bank has booked and
// not answered.
func TestRestartBetweenIntendAndAnswer(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	hold := make(chan struct{})
	s.bank.hold = hold
	_, answer := s.call(0, "POST", "/payments", start("book-greenbank", "c1"), "")
	until(t, "the bank to book", func() bool { _, n := s.bank.seen(); return n == 1 })
	s.close(0)
	s.bank.mu.Lock()
	s.bank.hold = nil
	s.bank.mu.Unlock()
	close(hold)
	s.open(0)
	s.ready()
	if got := s.result(0, answer["transactionId"]); got["result"] != "completed" {
		t.Fatalf("%v", got)
	}
	if requests, bookings := s.bank.seen(); requests != 2 || bookings != 1 {
		t.Fatalf("%d requests, %d bookings", requests, bookings)
	}
}

func TestBadRequestsOnRoutes(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	for _, c := range []struct {
		name, method, path string
		headers            map[string]string
		body               string
		status             int
		code               string
	}{
		{"no such path", "GET", "/nowhere", nil, "", 404, "NO_SUCH_ROUTE"},
		{"a deeper path", "GET", "/payments/1/2", nil, "", 404, "NO_SUCH_ROUTE"},
		{"another method", "PUT", "/payments", nil, "", 405, "METHOD_NOT_ALLOWED"},
		{"no tenant", "POST", "/payments", nil, "", 400, "TENANT_MISSING"},
		{"an unknown tenant", "POST", "/payments", map[string]string{"Platform-TenantId": "redbank"}, "", 404, "NO_SUCH_TENANT"},
		{"an id where an alias is meant", "GET", "/payments/x", map[string]string{"Fsp": "greenbank"}, "", 404, "NO_SUCH_TENANT"},
		{"a large body", "POST", "/payments", start("nothing", "k"), strings.Repeat("x", 1001), 413, "TOO_LARGE"},
		{"a query that is not escaped", "POST", "/payments?%zz=1", start("nothing", "k"), "", 400, "BAD_REQUEST"},
		{"a flow that does not exist", "POST", "/payments", start("nowhere", "k"), "", 422, "NOT_FOUND"},
		{"a guest that panics", "POST", "/panic", map[string]string{"Platform-TenantId": "greenbank"}, "", 500, "CONNECTOR_FAILED"},
		{"money without a payment", "POST", "/money", map[string]string{"Platform-TenantId": "greenbank"}, "", 422, "UNSUPPORTED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := s.call(0, c.method, c.path, c.headers, c.body)
			if status != c.status || answer["code"] != c.code {
				t.Fatalf("%d %v, want %d %s", status, answer, c.status, c.code)
			}
		})
	}
	list := must(s.control(0).ListInFlight(t.Context(), &corev1.ListInFlightRequest{}))
	if requests, _ := s.bank.seen(); requests != 0 || len(list.Payments) != 0 {
		t.Fatalf("%d requests at the bank, payments %v", requests, list.Payments)
	}
}

func TestRefusalsOfTheControlAPI(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	c, ctx := s.control(0), t.Context()
	digest := sha256.Sum256([]byte("x"))
	deploy := func(xml []byte, strict bool) error {
		_, err := c.DeployFlow(ctx, &corev1.DeployFlowRequest{File: "f.bpmn", Xml: xml, Tenants: []string{"greenbank"}, Strict: strict})
		return err
	}
	tenant := func(config string) error {
		_, err := c.PutTenant(ctx, &corev1.PutTenantRequest{Tenant: &corev1.Tenant{Id: "t", Config: config}})
		return err
	}
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"a file that is not BPMN":  {deploy([]byte("<x/>"), false), "FLOW_REFUSED"},
		"an unserved type, strict": {deploy(flowXML("u", "nobody", ""), true), "JOB_TYPE_UNSERVED"},
		"a start without a flow": {second(c.StartPayment(ctx, &corev1.StartPaymentRequest{
			Tenant: "greenbank", Flow: "nowhere"})), "FLOW_UNKNOWN"},
		"variables that are not JSON": {second(c.StartPayment(ctx, &corev1.StartPaymentRequest{
			Tenant: "greenbank", Flow: "nothing", Variables: []*corev1.Variable{{Name: "x", Json: "{"}}})), "BAD_VARIABLE"},
		"an unknown payment": {second(c.GetPayment(ctx, &corev1.GetPaymentRequest{
			By: &corev1.GetPaymentRequest_Key{Key: 7}})), "PAYMENT_UNKNOWN"},
		"a foreign UUID": {second(c.GetPayment(ctx, &corev1.GetPaymentRequest{
			By: &corev1.GetPaymentRequest_Payment{Payment: "6b0c8e0e-0000-4000-8000-000000000001"}})), "PAYMENT_UNKNOWN"},
		"an unknown module": {second(c.ActivateConnector(ctx, &corev1.ActivateConnectorRequest{
			Tenant: "greenbank", Connector: "test", Digest: digest[:]})), "CONNECTOR_UNKNOWN"},
		"a misspelt limit":  {tenant(`{"connectors":{"bank":{"endpoints":{"e":{"url":"https://b","timeout":1}}}}}`), "BAD_TENANT_CONFIG"},
		"a url in clear":    {tenant(`{"connectors":{"bank":{"endpoints":{"e":{"url":"http://b"}}}}}`), "BAD_TENANT_CONFIG"},
		"a missing secret":  {tenant(`{"connectors":{"bank":{"endpoints":{"e":{"url":"https://b","secrets":["x"]}}}}}`), "BAD_TENANT_CONFIG"},
		"text after config": {tenant(`{} {}`), "BAD_TENANT_CONFIG"},
		"no test clock":     {second(c.AdvanceClock(ctx, &corev1.AdvanceClockRequest{ByMs: 1})), "NO_TEST_CLOCK"},
	} {
		if got := reasonOf(c.err); got != c.reason {
			t.Errorf("%s: %s (%v), want %s", name, got, c.err, c.reason)
		}
	}
	// What the rules of the contract refuse carries their own detail.
	if err := second(c.PutTenant(ctx, &corev1.PutTenantRequest{})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("no tenant: %v", err)
	}
	up := must(c.InstallConnector(ctx))
	check(t, up.Send(&corev1.InstallConnectorRequest{Digest: digest[:], Part: []byte("y")}))
	if _, err := up.CloseAndReceive(); reasonOf(err) != "DIGEST_MISMATCH" {
		t.Errorf("another module than promised: %v", err)
	}
	warned := must(c.DeployFlow(ctx, &corev1.DeployFlowRequest{
		File: "u.bpmn", Xml: flowXML("u", "nobody", ""), Tenants: []string{"greenbank"}}))
	if !slices.ContainsFunc(warned.Warnings, func(p *corev1.Problem) bool { return p.Code == "job-type-unserved" }) {
		t.Errorf("no warning of an unserved type: %v", warned.Warnings)
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheTestClockFiresTimers(t *testing.T) {
	s := newSite(t, 1, func(c *Config) { c.TestClock = true })
	s.furnish(0)
	c, ctx := s.control(0), t.Context()
	started := must(c.StartPayment(ctx, &corev1.StartPaymentRequest{
		Tenant: "greenbank", Flow: "wait", UuidVariable: "transactionId"}))
	get := func() *corev1.GetPaymentResponse {
		return must(c.GetPayment(ctx, &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Key{Key: started.Key}}))
	}
	until(t, "the wait", func() bool {
		p := get()
		return len(p.Tokens) == 1 && p.Tokens[0].Element == "waiting" && p.Tokens[0].Waits[0].Message == "go-on"
	})
	_, err := c.PublishMessage(ctx, &corev1.PublishMessageRequest{
		Tenant: "greenbank", Name: "go-on", Key: "someone else", TtlMs: 60_000})
	check(t, err)
	before := must(c.Status(ctx, &corev1.StatusRequest{})).TimeMs
	after := must(c.AdvanceClock(ctx, &corev1.AdvanceClockRequest{ByMs: 3600_000})).TimeMs
	if after < before+3600_000 {
		t.Fatalf("from %d to %d", before, after)
	}
	_, err = c.PublishMessage(ctx, &corev1.PublishMessageRequest{Tenant: "greenbank", Name: "go-on", Key: started.Payment})
	check(t, err)
	until(t, "the end", func() bool { return get().Payment.State == "ended" })
}

func TestHealthAndMetrics(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	_, answer := s.call(0, "POST", "/payments", start("book-greenbank", "c1"), "")
	s.result(0, answer["transactionId"])
	for path, says := range map[string]string{
		"/livez": "ok", "/readyz": "ok",
		"/metrics": `railhead_egress_request_seconds_count{connector="test",endpoint="ledger",state="done"} 1`,
	} {
		resp, err := http.Get("http://" + s.configs[0].Admin + path)
		check(t, err)
		text, err := io.ReadAll(resp.Body)
		check(t, errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != 200 || !strings.Contains(string(text), says) {
			t.Errorf("%s: %d without %q", path, resp.StatusCode, says)
		}
	}
}

func TestProfilesAreAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		s := newSite(t, 1, func(c *Config) { c.Pprof = asked })
		want := map[bool]int{false: http.StatusNotFound, true: http.StatusOK}[asked]
		resp, err := http.Get("http://" + s.configs[0].Admin + "/debug/pprof/heap")
		check(t, err)
		check(t, resp.Body.Close())
		if resp.StatusCode != want {
			t.Errorf("pprof=%t: %d, want %d", asked, resp.StatusCode, want)
		}
	}
}
