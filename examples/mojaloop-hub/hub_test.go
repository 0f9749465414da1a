package mojaloophub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/examples/mojaloop-hub/ilp"
)

// payer is the DFSP under the test's control: it sends requests and keeps the
// callbacks it gets.
type payer struct {
	t        *testing.T
	hub      *Server
	url      string
	received chan *received
	mu       sync.Mutex
	refuse   int // how many callbacks to answer 503
}

type received struct {
	path   string
	header http.Header
	body   map[string]any
}

func start(t *testing.T, change func(*Config)) *payer {
	t.Helper()
	p := &payer{t: t, received: make(chan *received, 100)}
	callbacks := httptest.NewServer(p)
	t.Cleanup(callbacks.Close)
	config := Config{
		Callbacks:  map[string]string{"greenbank": callbacks.URL + "/"},
		Payees:     []Payee{{Type: "MSISDN", ID: "27713803912", Name: "Grace"}},
		RetryFirst: time.Millisecond, RetryLast: 5 * time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	hub, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	served := httptest.NewServer(hub)
	t.Cleanup(served.Close)
	p.hub, p.url = hub, served.URL
	return p
}

func (p *payer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	refuse := p.refuse > 0
	if refuse {
		p.refuse--
	}
	p.mu.Unlock()
	if refuse {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		p.t.Errorf("callback %s has no JSON body: %v", r.URL, err)
	}
	p.received <- &received{path: r.URL.EscapedPath(), header: r.Header, body: body}
}

// callback waits for the next one.
func (p *payer) callback(path string) *received {
	p.t.Helper()
	select {
	case r := <-p.received:
		if r.path != path {
			p.t.Fatalf("callback to %s, want %s: %v", r.path, path, r.body)
		}
		return r
	case <-time.After(10 * time.Second):
		p.t.Fatalf("no callback to %s", path)
		return nil
	}
}

// silence waits until no callback is under way and fails if one has come.
func (p *payer) silence() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for p.hub.Status().Callbacks.Pending > 0 {
		select {
		case <-ctx.Done():
			p.t.Fatal("callbacks never came to an end")
		case <-time.After(time.Millisecond):
		}
	}
	select {
	case r := <-p.received:
		p.t.Fatalf("unexpected callback to %s: %v", r.path, r.body)
	default:
	}
}

func (p *payer) header(resource string) http.Header {
	return http.Header{
		"Content-Type":       {"application/vnd.interoperability." + resource + "+json;version=1.1"},
		"Accept":             {"application/vnd.interoperability." + resource + "+json;version=1"},
		"Date":               {time.Now().UTC().Format(http.TimeFormat)},
		"Fspiop-Source":      {"greenbank"},
		"Fspiop-Destination": {"bluebank"},
		"Traceparent":        {"00-a8323bc6c2284df2ae82e5a997baf899-00f067aa0ba902b7-01"},
	}
}

func (p *payer) send(method, path string, header http.Header, body any) (int, map[string]any, error) {
	p.t.Helper()
	var reader io.Reader
	if raw, ok := body.([]byte); ok {
		reader = bytes.NewReader(raw)
	} else if body != nil {
		reader = bytes.NewReader(encode(body))
	}
	r, err := http.NewRequest(method, p.url+path, reader)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var answer map[string]any
	json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer, nil
}

func (p *payer) want202(method, path string, body any) {
	p.t.Helper()
	resource, _, _ := strings.Cut(path[1:], "/")
	status, answer, err := p.send(method, path, p.header(resource), body)
	if err != nil || status != http.StatusAccepted || answer != nil {
		p.t.Fatalf("%s %s: %d %v %v, want an empty 202", method, path, status, answer, err)
	}
}

const (
	quoteID    = "b51ec534-ee48-4575-b6a9-ead2955b8069"
	transferID = "a8323bc6-c228-4df2-ae82-e5a997baf899"
)

func quoteBody(amount string) map[string]any {
	party := func(id, fsp string) map[string]any {
		return map[string]any{"partyIdInfo": map[string]any{"partyIdType": "MSISDN", "partyIdentifier": id, "fspId": fsp}}
	}
	return map[string]any{
		"quoteId": quoteID, "transactionId": transferID, "payee": party("27713803912", "bluebank"),
		"payer": party("44123456789", "greenbank"), "amountType": "RECEIVE",
		"amount":          map[string]any{"currency": "USD", "amount": amount},
		"transactionType": map[string]any{"scenario": "TRANSFER", "initiator": "PAYER", "initiatorType": "CONSUMER"},
		"unknown":         map[string]any{"ignored": true},
	}
}

// quoted gets a quote and makes the transfer that accepts it.
func (p *payer) quoted(amount string) map[string]any {
	p.t.Helper()
	p.want202("POST", "/quotes", quoteBody(amount))
	q := p.callback("/quotes/" + quoteID)
	return map[string]any{
		"transferId": transferID, "payerFsp": "greenbank", "payeeFsp": "bluebank",
		"amount": q.body["transferAmount"], "ilpPacket": q.body["ilpPacket"], "condition": q.body["condition"],
		"expiration": formatTime(time.Now().Add(time.Minute)),
	}
}

func code(body map[string]any) any {
	information, _ := body["errorInformation"].(map[string]any)
	return information["errorCode"]
}

func TestPaymentCreditsOnce(t *testing.T) {
	p := start(t, nil)
	p.want202("GET", "/parties/MSISDN/27713803912", nil)
	found := p.callback("/parties/MSISDN/27713803912")
	info := found.body["party"].(map[string]any)["partyIdInfo"].(map[string]any)
	if info["fspId"] != "bluebank" {
		t.Fatalf("payee is at %v", info["fspId"])
	}
	if found.header.Get("Accept") == "application/vnd.interoperability.parties+json;version=1" {
		t.Error("a callback has an Accept header")
	}
	if !strings.HasPrefix(found.header.Get("Traceparent"), "00-a8323bc6") {
		t.Error("traceparent is not echoed")
	}

	transfer := p.quoted("100.25")
	p.want202("POST", "/transfers", transfer)
	done := p.callback("/transfers/" + transferID)
	if done.body["transferState"] != Committed {
		t.Fatalf("transfer ended as %v", done.body)
	}
	fulfilment, condition := ilp.Derive("secret", transfer["ilpPacket"].(string))
	if done.body["fulfilment"] != fulfilment || transfer["condition"] != condition {
		t.Error("fulfilment does not answer the condition")
	}

	// The same request again gets the same callback and no second credit.
	p.want202("POST", "/transfers", transfer)
	if again := p.callback("/transfers/" + transferID); fmt.Sprint(again.body) != fmt.Sprint(done.body) {
		t.Errorf("second callback %v, first %v", again.body, done.body)
	}
	// Another amount under the same id is a conflict.
	transfer["note"] = "changed"
	p.want202("POST", "/transfers", transfer)
	if conflict := p.callback("/transfers/" + transferID + "/error"); code(conflict.body) != "3106" {
		t.Errorf("changed transfer: %v", conflict.body)
	}
	p.want202("GET", "/transfers/"+transferID, nil)
	if state := p.callback("/transfers/" + transferID); state.body["fulfilment"] != fulfilment {
		t.Errorf("enquiry: %v", state.body)
	}

	payee, _ := p.hub.Payee("27713803912")
	if len(payee.Credits) != 1 || payee.Balance["USD"] != "100.25" {
		t.Errorf("payee's ledger: %+v", payee)
	}
	if view, _ := p.hub.Transfer(transferID); view.Credits != 1 || view.Requests != 3 || view.Enquiries != 1 {
		t.Errorf("transfer: %+v", view)
	}
}

// TestTermsAreChecked changes one thing at a time of a good transfer.
func TestTermsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"amount":    {func(b map[string]any) { b["amount"] = map[string]any{"currency": "USD", "amount": "5000"} }, "5105"},
		"currency":  {func(b map[string]any) { b["amount"] = map[string]any{"currency": "TZS", "amount": "100.25"} }, "5105"},
		"expired":   {func(b map[string]any) { b["expiration"] = "2020-01-01T00:00:00.000Z" }, "3303"},
		"payee FSP": {func(b map[string]any) { b["payeeFsp"] = "redbank" }, "3203"},
		"condition": {func(b map[string]any) { b["condition"] = strings.Repeat("A", 43) }, "5105"},
		"packet":    {func(b map[string]any) { b["ilpPacket"] = "AQ" }, "3101"},
		"no quote": {func(b map[string]any) {
			b["ilpPacket"] = ilp.Encode(ilp.Packet{Amount: 10025, Destination: "g.bluebank.msisdn.1", Data: []byte(`{"quoteId":"x"}`)})
		}, "3205"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, nil)
			transfer := p.quoted("100.25")
			c.change(transfer)
			p.want202("POST", "/transfers", transfer)
			if got := p.callback("/transfers/" + transferID + "/error"); code(got.body) != c.want {
				t.Errorf("answered %v, want %s", got.body, c.want)
			}
			if payee, _ := p.hub.Payee("27713803912"); len(payee.Credits) != 0 {
				t.Errorf("credited %+v", payee.Credits)
			}
		})
	}
}

func TestOneQuotePaysOnce(t *testing.T) {
	p := start(t, nil)
	transfer := p.quoted("7")
	p.want202("POST", "/transfers", transfer)
	p.callback("/transfers/" + transferID)
	const other = "a8323bc6-c228-4df2-ae82-e5a997baf89a"
	transfer["transferId"] = other
	p.want202("POST", "/transfers", transfer)
	if got := p.callback("/transfers/" + other + "/error"); code(got.body) != "5105" {
		t.Errorf("second transfer of one quote: %v", got.body)
	}
}

func TestMalformedIsRefusedAtOnce(t *testing.T) {
	p := start(t, nil)
	quote := func(change func(map[string]any)) any {
		b := quoteBody("100.25")
		change(b)
		return b
	}
	none := func(http.Header) {}
	for name, c := range map[string]struct {
		method, path string
		body         any
		header       func(http.Header)
		status       int
		code         string
	}{
		"trailing zero":     {"POST", "/quotes", quoteBody("5.00"), none, 400, "3101"},
		"too many decimals": {"POST", "/quotes", quoteBody("5.001"), none, 400, "3101"},
		"upper case UUID":   {"POST", "/quotes", quote(func(b map[string]any) { b["quoteId"] = strings.ToUpper(quoteID) }), none, 400, "3101"},
		"UUID version 7":    {"POST", "/quotes", quote(func(b map[string]any) { b["quoteId"] = "b51ec534-ee48-7575-b6a9-ead2955b8069" }), none, 400, "3101"},
		"no payee":          {"POST", "/quotes", quote(func(b map[string]any) { delete(b, "payee") }), none, 400, "3102"},
		"wrong type":        {"POST", "/quotes", quote(func(b map[string]any) { b["note"] = 7 }), none, 400, "3101"},
		"seconds only":      {"POST", "/quotes", quote(func(b map[string]any) { b["expiration"] = "2026-11-20T10:00:00Z" }), none, 400, "3101"},
		"not JSON":          {"POST", "/quotes", []byte("{"), none, 400, "3101"},
		"an array":          {"POST", "/quotes", []byte("[]"), none, 400, "3101"},
		"two values":        {"POST", "/quotes", []byte("{} {}"), none, 400, "3101"},
		"not UTF-8":         {"POST", "/quotes", []byte("{\"note\":\"\xff\"}"), none, 400, "3101"},
		"empty":             {"POST", "/quotes", nil, none, 400, "3102"},
		"too large":         {"POST", "/quotes", bytes.Repeat([]byte("x"), bodyBytesMax+1), none, 413, "3104"},
		"other source":      {"POST", "/quotes", quoteBody("1"), func(h http.Header) { h.Set("FSPIOP-Source", "redbank") }, 400, "3202"},
		"no source":         {"POST", "/quotes", quoteBody("1"), func(h http.Header) { h.Del("FSPIOP-Source") }, 400, "3102"},
		"no date":           {"GET", "/transfers/" + transferID, nil, func(h http.Header) { h.Del("Date") }, 400, "3102"},
		"bad date":          {"GET", "/transfers/" + transferID, nil, func(h http.Header) { h.Set("Date", "2026-11-20") }, 400, "3101"},
		"no destination":    {"POST", "/quotes", quoteBody("1"), func(h http.Header) { h.Del("FSPIOP-Destination") }, 400, "3102"},
		"no content type":   {"GET", "/parties/MSISDN/1", nil, func(h http.Header) { h.Del("Content-Type") }, 400, "3101"},
		"major only": {"GET", "/parties/MSISDN/1", nil, func(h http.Header) {
			h.Set("Content-Type", "application/vnd.interoperability.parties+json;version=1")
		}, 400, "3101"},
		"version 2": {"GET", "/parties/MSISDN/1", nil, func(h http.Header) {
			h.Set("Accept", "application/vnd.interoperability.parties+json;version=2")
		}, 406, "3001"},
		"other resource": {"GET", "/parties/MSISDN/1", nil, func(h http.Header) {
			h.Set("Accept", "application/vnd.interoperability.quotes+json;version=1")
		}, 400, "3101"},
		"id type":     {"GET", "/parties/PHONE/1", nil, none, 400, "3101"},
		"transfer id": {"GET", "/transfers/1", nil, none, 400, "3101"},
		"URI":         {"POST", "/bulkQuotes", nil, none, 404, "3002"},
	} {
		t.Run(name, func(t *testing.T) {
			resource, _, _ := strings.Cut(c.path[1:], "/")
			header := p.header(resource)
			c.header(header)
			status, answer, err := p.send(c.method, c.path, header, c.body)
			if err != nil || status != c.status || code(answer) != c.code {
				t.Errorf("answered %d %v %v, want %d %s", status, answer, err, c.status, c.code)
			}
		})
	}
	p.silence()
	if s := p.hub.Status(); s.Quotes != 0 || s.Transfers != 0 {
		t.Errorf("something was kept: %+v", s)
	}
}

func TestUnknownIsCalledBack(t *testing.T) {
	p := start(t, nil)
	for path, want := range map[string]string{
		"/parties/MSISDN/1":      "3204",
		"/quotes/" + quoteID:     "3205",
		"/transfers/" + quoteID:  "3208",
		"/parties/ALIAS/a%2Fb/c": "3204",
	} {
		p.want202("GET", path, nil)
		if got := p.callback(path + "/error"); code(got.body) != want || got.header.Get("FSPIOP-Source") != "hub" {
			t.Errorf("%s: %v", path, got.body)
		}
	}
}

func TestCallbackIsRetried(t *testing.T) {
	p := start(t, nil)
	p.refuse = 5
	p.want202("GET", "/parties/MSISDN/27713803912", nil)
	p.callback("/parties/MSISDN/27713803912")
	p.silence()
	if n := p.hub.Status().Callbacks; n.Delivered != 1 || n.Retried != 5 {
		t.Errorf("counted %+v", n)
	}
}

func TestFaults(t *testing.T) {
	p := start(t, func(c *Config) { c.MagicAmounts = ToolkitAmounts() })
	inject := func(f Fault) {
		t.Helper()
		status, answer, err := p.send("POST", "/admin/faults", nil, f)
		if err != nil || status != http.StatusNoContent {
			t.Fatalf("fault %+v: %d %v %v", f, status, answer, err)
		}
	}
	const party = "/parties/MSISDN/27713803912"

	inject(Fault{Resource: "parties", Kind: Error, ErrorCode: "5400"})
	p.want202("GET", party, nil)
	if got := p.callback(party + "/error"); code(got.body) != "5400" {
		t.Errorf("error: %v", got.body)
	}
	inject(Fault{Resource: "parties", Kind: Duplicate})
	p.want202("GET", party, nil)
	p.callback(party)
	p.callback(party)
	inject(Fault{Resource: "parties", Kind: Early})
	p.want202("GET", party, nil)
	select {
	case <-p.received:
	default:
		t.Error("the callback was not there before the 202")
	}
	inject(Fault{Resource: "parties", Kind: HTTP503, Count: 2})
	for range 2 {
		if status, answer, _ := p.send("GET", party, p.header("parties"), nil); status != 503 || code(answer) != "2003" {
			t.Errorf("http-503: %d %v", status, answer)
		}
	}
	inject(Fault{Resource: "parties", Kind: Delay, DelayMS: 1})
	p.want202("GET", party, nil)
	p.callback(party)
	inject(Fault{Resource: "quotes", Kind: WrongTerms})
	terms := p.quoted("20")
	if packet, err := ilp.Decode(terms["ilpPacket"].(string)); err != nil || packet.Amount != 4000 {
		t.Errorf("wrong-terms promises %d, %v", packet.Amount, err)
	}
	p.silence()
}

func TestTransferFaults(t *testing.T) {
	for _, c := range []struct {
		fault   Fault
		magic   string // an amount instead of the fault
		state   string
		credits int
		say     string // path after the transfer's, of the first callback; "-" for none
	}{
		{fault: Fault{Kind: Silence}, state: Committed, credits: 1, say: "-"},
		{fault: Fault{Kind: Lost}, say: "-"},
		{fault: Fault{Kind: Reset}, state: Committed, credits: 1},
		{fault: Fault{Kind: WrongFulfilment}, state: Committed, credits: 1},
		{fault: Fault{Kind: Error}, state: Aborted, say: "/error"},
		{fault: Fault{Kind: HTTP400}, say: "-"},
		{magic: "15", state: Committed, credits: 1},
		{magic: "16", state: Committed, credits: 1, say: "-"},
		{magic: "17", state: Aborted, say: "/error"},
	} {
		t.Run(c.fault.Kind+c.magic, func(t *testing.T) {
			p := start(t, func(config *Config) { config.MagicAmounts = ToolkitAmounts() })
			amount := "100.25"
			if c.magic != "" {
				amount = c.magic
			}
			transfer := p.quoted(amount)
			if c.fault.Kind != "" {
				c.fault.Resource = "transfers"
				if err := p.hub.Inject(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := p.send("POST", "/transfers", p.header("transfers"), transfer); (err != nil) != (c.fault.Kind == Reset) {
				t.Fatalf("sending: %v", err)
			}
			if c.say != "-" {
				got := p.callback("/transfers/" + transferID + c.say)
				right, _ := ilp.Derive("secret", transfer["ilpPacket"].(string))
				if wrong := got.body["fulfilment"] != right; c.state == Committed && wrong != (c.fault.Kind == WrongFulfilment || c.magic == "15") {
					t.Errorf("called back %v", got.body)
				}
			}
			p.silence()
			view, _ := p.hub.Transfer(transferID)
			if view.State != c.state || view.Credits != c.credits {
				t.Errorf("transfer %+v, want %s with %d credits", view, c.state, c.credits)
			}
		})
	}
}

func TestAdminRefuses(t *testing.T) {
	p := start(t, nil)
	for _, body := range []string{
		`{"resource":"bulk","kind":"error"}`, `{"resource":"quotes","kind":"odd"}`, `{"resource":"quotes","kind":"wrong-fulfilment"}`,
		`{"resource":"quotes","kind":"error","error_code":"12"}`, `{"resource":"quotes","kind":"delay","delay_ms":-1}`, `{"surprise":1}`, `{`,
	} {
		if status, answer, _ := p.send("POST", "/admin/faults", nil, []byte(body)); status != 400 || answer["error"] == nil {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/admin/status", nil)
	r.RemoteAddr = "192.0.2.1:4711"
	w := httptest.NewRecorder()
	p.hub.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("another host may use the admin API: %d", w.Code)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct{ currency, amount, minor string }{
		{"USD", "100.25", "10025"}, {"USD", "0.01", "1"}, {"USD", "0.1", "10"}, {"USD", "5", "500"}, {"JPY", "5", "5"},
		{"KWD", "1.234", "1234"}, {"USD", "999999999999999999", "99999999999999999900"},
	} {
		minor, err := money{c.currency, c.amount}.minor()
		if err != nil || minor.String() != c.minor || decimal(minor, c.currency) != c.amount {
			t.Errorf("%v: %v %v", c, minor, err)
		}
	}
	for _, bad := range []money{{"USD", "1.234"}, {"JPY", "1.5"}, {"USD", "01"}, {"USD", "1.10"}, {"usd", "1"}, {"USD", "-1"}, {"USD", ""}} {
		if _, err := bad.minor(); err == nil {
			t.Errorf("%v is taken for money", bad)
		}
	}
}
