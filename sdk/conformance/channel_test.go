package conformance_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/conformance"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func channelManifest() *sdkv1.Manifest {
	return &sdkv1.Manifest{
		Name: "sample", Version: "1.0.0", Kind: "channel",
		Jobs: []*sdkv1.JobType{{Type: "send-success-to-channel", Outputs: []string{"told"}}},
		Routes: []*sdkv1.Route{
			{Name: "transfer", Method: "POST", Path: "/transfers"},
			{Name: "state", Method: "GET", Path: "/transfers/{id}"},
		},
		Endpoints: []*sdkv1.Endpoint{{Name: "callback", Mode: "safe"}},
		Sensitive: []string{"from"},
	}
}

const channelVectors = `request transfer POST /transfers
header request-id: r-1
body {"from":"A-1","amount":"12.50"}
----

answer started 6b29fc40-ca47-4067-b31d-00dd010662da
----

request state GET /transfers/6b29fc40-ca47-4067-b31d-00dd010662da
param id: 6b29fc40-ca47-4067-b31d-00dd010662da
----

answer payment 6b29fc40-ca47-4067-b31d-00dd010662da
state ended
result completed
----

job send-success-to-channel
var from "A-1"
----

answer 200
----
`

// channelSample is a connector as it should be, but for one flaw.
func channelSample(flaw string) func(*guest) *sdkv1.Outcome {
	return func(g *guest) *sdkv1.Outcome {
		switch http := g.request.Trigger.GetHttp(); {
		case http == nil:
			return tell(g, flaw)
		case http.Route == "transfer":
			return startTransfer(g, flaw, http)
		case http.Route == "state":
			return tellState(g, flaw, http)
		}
		return replying(404)
	}
}

func startTransfer(g *guest, flaw string, r *sdkv1.HttpRequest) *sdkv1.Outcome {
	var body struct{ From, Amount string }
	broken := json.Unmarshal(r.Body, &body) != nil || body.From == "" || !isDecimal(body.Amount)
	switch {
	case broken && flaw == "answers garbage with success":
		return replying(200)
	case broken && flaw != "starts from garbage":
		return replying(400, "code", "MALFORMED")
	}
	key := ""
	for _, h := range r.Headers {
		if h.Key == "request-id" {
			key = h.Value
		}
	}
	if key == "" && flaw != "starts without a key" {
		return replying(400, "code", "REQUEST_ID")
	}
	start := &sdkv1.StartPayment{
		Flow: "f", ClientKey: key, RequestDigest: []byte(body.From + body.Amount),
		Variables: vars("from", body.From, "amount", body.Amount),
	}
	switch flaw {
	case "no digest":
		start.RequestDigest = nil
	case "a digest of the key":
		start.RequestDigest = []byte(key)
	case "a key from the time":
		start.ClientKey = fmt.Sprint(g.request.Trigger.TimeMs)
	case "a digest by chance":
		start.RequestDigest = g.request.Seed
	case "logs the account":
		g.log("a transfer from " + body.From)
	}
	if flaw == "starts twice" {
		other := *start
		other.ClientKey = key + "-2"
		g.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_StartPayment{StartPayment: &other}})
	}
	a := g.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_StartPayment{StartPayment: start}})
	switch {
	case a.GetStart() != nil && a.GetStart().RepeatedStart && flaw == "tells a repetition apart":
		return replying(200, "payment", a.GetStart().Payment, "repeated", true)
	case a.GetStart() != nil, flaw == "takes what was not taken" && !isConflict(a):
		return replying(202, "payment", a.GetStart().GetPayment())
	case isConflict(a) && flaw == "takes a conflict for a repetition":
		return replying(202)
	case isConflict(a):
		return replying(409, "code", "CONFLICT")
	case a.GetInDoubt() != nil && flaw == "takes doubt for a refusal":
		return replying(400, "code", "REFUSED")
	}
	return replying(503)
}

func tellState(g *guest, flaw string, r *sdkv1.HttpRequest) *sdkv1.Outcome {
	a := g.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Query{Query: &sdkv1.Query{Payment: r.PathParams[0].Value}}})
	q := a.GetQuery()
	switch {
	case q == nil && flaw == "takes silence for absence":
		return replying(404)
	case q == nil:
		return replying(503)
	case !q.Found && flaw == "knows what is not there":
		return replying(200, "state", "unknown")
	case !q.Found:
		return replying(404)
	case q.State != "ended" && flaw != "tells what runs as completed",
		q.Result == "unknown" && flaw != "tells the unknown as completed":
		return replying(200, "state", "pending")
	case q.Result == "completed", q.State != "ended", q.Result == "unknown",
		flaw == "tells what failed as completed":
		return replying(200, "state", "completed")
	}
	return replying(200, "state", "failed")
}

func tell(g *guest, flaw string) *sdkv1.Outcome {
	call := &sdkv1.Http{Endpoint: "callback", Method: "POST", Path: "/told"}
	if flaw == "tells with money" {
		call.Key, call.Terms = "tell", &sdkv1.Terms{Amount: "1", Currency: "USD"}
	}
	a := g.http(call)
	switch {
	case a.GetHttp().GetStatus()/100 == 2 && flaw == "sets what is not declared":
		return completed("told", true, "more", true)
	case a.GetHttp().GetStatus()/100 == 2, flaw == "gives up at once":
		return completed("told", true)
	case flaw == "names the account":
		return failing("UNDELIVERED", "nobody told the owner of "+g.text("from"), true)
	}
	return failing("UNDELIVERED", "nobody took the callback", g.job().Retries > 0)
}

var channelFlaws = map[string][]string{
	"channel/transfer/malformed":       {"starts from garbage", "answers garbage with success"},
	"channel/transfer/once":            {"starts without a key", "no digest"},
	"channel/transfer/repeated":        {"tells a repetition apart"},
	"channel/transfer/same-key":        {"a key from the time", "a digest by chance"},
	"channel/transfer/unavailable":     {"takes what was not taken", "takes doubt for a refusal"},
	"channel/transfer/sensitive":       {"logs the account"},
	"channel/transfer/other-request":   {"a digest of the key"},
	"channel/transfer/conflict":        {"takes a conflict for a repetition"},
	"channel/state/status":             {"takes silence for absence", "knows what is not there", "tells what runs as completed", "tells the unknown as completed", "tells what failed as completed"},
	"channel/tell-success/no-money":    {"tells with money"},
	"channel/tell-success/undelivered": {"gives up at once"},
	"channel/tell-success/sensitive":   {"names the account"},
	"channel/tell-success/outputs":     {"sets what is not declared"},
}

func TestChannel(t *testing.T) {
	foundOut(t, channelManifest(), channelSample, load(t, channelVectors), channelFlaws)
}

func TestChannelThatStartsTwice(t *testing.T) {
	const again = "answer started 6b29fc40-ca47-4067-b31d-00dd010662da\n----\n"
	vectors := load(t, strings.Replace(channelVectors, again, again+"\n"+again, 1))
	if v := verdicts(t, channelManifest(), channelSample("starts twice"), vectors)["channel/transfer/once"]; v.Status != conformance.Failed {
		t.Error(v)
	}
}

// foundOut runs the sample as it should be, of which no case may fail, and with each
// flaw, which its case must find. Every case that passed must have a flaw.
func foundOut(t *testing.T, m *sdkv1.Manifest, sample func(string) func(*guest) *sdkv1.Outcome, vectors []*conformance.Vector, flaws map[string][]string) {
	t.Helper()
	for name, v := range verdicts(t, m, sample(""), vectors) {
		if v.Status == conformance.Failed {
			t.Errorf("of a connector as it should be: %s", v)
		}
		if v.Status == conformance.Passed && len(flaws[name]) == 0 {
			t.Errorf("no flaw proves that %s can fail", name)
		}
	}
	for name, list := range flaws {
		for _, flaw := range list {
			if v := verdicts(t, m, sample(flaw), vectors)[name]; v.Status != conformance.Failed {
				t.Errorf("%q is not found: %s", flaw, v)
			}
		}
	}
}

func schemeManifest() *sdkv1.Manifest {
	return &sdkv1.Manifest{
		Name: "sample", Version: "1.0.0", Kind: "scheme",
		Jobs: []*sdkv1.JobType{
			{Type: "quote-{tenant}", Outputs: []string{"quoteFailed"}},
			{Type: "send-transfer-request-{tenant}", Money: true, Outputs: []string{"transferFailed", "errorCode"}},
		},
		Routes:    []*sdkv1.Route{{Name: "callback", Method: "PUT", Path: "/transfers/{id}"}},
		Endpoints: []*sdkv1.Endpoint{{Name: "scheme", Mode: "keyed"}, {Name: "query", Mode: "safe"}},
		Sensitive: []string{"payee"},
	}
}

const schemeVectors = `job quote-{tenant}
var payee "B-2"
var amount "12.50"
----

answer 202
----

job send-transfer-request-{tenant}
var payee "B-2"
var amount "12.50"
----

answer 202
----

request callback PUT /transfers/6b29fc40-ca47-4067-b31d-00dd010662da
header scheme-source: hub
param id: 6b29fc40-ca47-4067-b31d-00dd010662da
body {"state":"COMMITTED","payee":"B-2"}
----

answer published
----
`

// schemeSample is a connector as it should be, but for one flaw.
func schemeSample(flaw string) func(*guest) *sdkv1.Outcome {
	return func(g *guest) *sdkv1.Outcome {
		if r := g.request.Trigger.GetHttp(); r != nil {
			return takeCallback(g, flaw, r)
		}
		return sendTransfer(g, flaw)
	}
}

func sendTransfer(g *guest, flaw string) *sdkv1.Outcome {
	job, amount := g.job(), g.text("amount")
	quotes := job.Type == "quote-{tenant}"
	flag := map[bool]string{true: "quoteFailed", false: "transferFailed"}[quotes]
	switch {
	case g.text("payee") == "" && flaw != "sends without variables" || !isDecimal(amount) && flaw != "takes any amount" && flaw != "sends without variables":
		if flaw == "retries bad input" {
			return failing("INVALID_REQUEST", "", true)
		}
		return completed(flag, true)
	case quotes:
		return askQuote(g, flaw)
	}
	call := &sdkv1.Http{
		Endpoint: "scheme", Method: "POST", Path: "/transfers", Key: "transfer",
		Terms: &sdkv1.Terms{Amount: amount, Currency: "USD"},
	}
	switch {
	case flaw == "no key":
		call.Key, call.Terms = "", nil
	case flaw == "a key for each attempt":
		call.Key = fmt.Sprintf("transfer-%d", job.Attempt)
	case flaw == "another key after doubt" && len(job.Prior) > 0:
		call.Key = "transfer-again"
	case flaw == "takes doubt for a no" && len(job.Prior) > 0:
		return bpmnError("REFUSED")
	}
	a := g.http(call)
	switch {
	case a.GetHttp().GetStatus()/100 == 2:
		switch flaw {
		case "never completes":
			return failing("BROKEN", "", false)
		case "tells the attempt":
			return completed("transferFailed", false, "errorCode", fmt.Sprint(job.Attempt))
		case "sets what is not declared":
			return completed("transferFailed", false, "more", true)
		}
		return completed("transferFailed", false)
	case a.GetInDoubt() != nil:
		switch flaw {
		case "repeats under another key":
			return judge(g, &sdkv1.Http{Endpoint: "scheme", Method: "POST", Path: "/transfers", Key: "transfer-2", Terms: call.Terms})
		case "takes doubt for a no":
			return bpmnError("REFUSED")
		case "completes without asking":
			return completed("transferFailed", false)
		}
	case a.GetFailure() != nil && flaw == "names the payee":
		return failing("NO_ANSWER", "the transfer to "+g.text("payee")+" was not sent", true)
	}
	g.http(&sdkv1.Http{Endpoint: "query", Method: "GET", Path: "/transfers"})
	return failing("IN_DOUBT", "", job.Retries > 0)
}

func askQuote(g *guest, flaw string) *sdkv1.Outcome {
	call := &sdkv1.Http{Endpoint: "query", Method: "POST", Path: "/quotes"}
	if flaw == "quotes with money" {
		call.Endpoint, call.Key, call.Terms = "scheme", "quote", &sdkv1.Terms{Amount: "1", Currency: "USD"}
	}
	a := g.http(call)
	switch {
	case flaw == "never quotes":
		return failing("BROKEN", "", false)
	case flaw == "sets what is not declared":
		return completed("quoteFailed", false, "more", true)
	case a.GetHttp().GetStatus()/100 == 2, flaw == "takes an outage for a quote":
		return completed("quoteFailed", false)
	case flaw == "names the payee":
		return failing("NO_ANSWER", "no quote for "+g.text("payee"), true)
	}
	return failing("NO_ANSWER", "", true)
}

func takeCallback(g *guest, flaw string, r *sdkv1.HttpRequest) *sdkv1.Outcome {
	var body struct{ State, Payee string }
	broken := json.Unmarshal(r.Body, &body) != nil || body.State == ""
	switch {
	case broken && flaw == "answers garbage with success":
		return replying(200)
	case broken && flaw != "publishes garbage":
		return replying(400)
	}
	m := &sdkv1.Publish{Name: "transfer-response", Key: r.PathParams[0].Value, MessageId: r.PathParams[0].Value + body.State}
	switch flaw {
	case "no id":
		m.MessageId = ""
	case "no key":
		m.Key = ""
	case "an id by chance":
		m.MessageId = hex.EncodeToString(g.request.Seed)
	case "logs the payee":
		g.log("an answer of " + body.Payee)
	}
	a := g.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: m}})
	switch {
	case a.GetPublish() == nil && flaw != "takes what was not taken":
		return replying(503)
	case a.GetPublish().GetDuplicate() && flaw == "refuses a repetition":
		return replying(409)
	}
	return replying(200)
}

var schemeFlaws = map[string][]string{
	"scheme/quote/success":        {"never quotes"},
	"scheme/quote/no-money":       {"quotes with money"},
	"scheme/quote/silence":        {"takes an outage for a quote"},
	"scheme/quote/missing":        {"retries bad input"},
	"scheme/quote/sensitive":      {"names the payee"},
	"scheme/quote/outputs":        {"sets what is not declared"},
	"scheme/transfer/success":     {"never completes", "no key"},
	"scheme/transfer/terms":       {"no key"},
	"scheme/transfer/same-key":    {"a key for each attempt"},
	"scheme/transfer/duplicate":   {"tells the attempt"},
	"scheme/transfer/in-doubt":    {"repeats under another key", "takes doubt for a no", "completes without asking"},
	"scheme/transfer/prior":       {"another key after doubt", "takes doubt for a no"},
	"scheme/transfer/missing":     {"sends without variables"},
	"scheme/transfer/bad-amount":  {"takes any amount", "retries bad input"},
	"scheme/transfer/sensitive":   {"names the payee"},
	"scheme/transfer/outputs":     {"sets what is not declared"},
	"scheme/callback/malformed":   {"publishes garbage", "answers garbage with success"},
	"scheme/callback/once":        {"no id", "no key"},
	"scheme/callback/repeated":    {"refuses a repetition"},
	"scheme/callback/same-key":    {"an id by chance"},
	"scheme/callback/unavailable": {"takes what was not taken"},
	"scheme/callback/sensitive":   {"logs the payee"},
}

func TestScheme(t *testing.T) {
	foundOut(t, schemeManifest(), schemeSample, load(t, schemeVectors), schemeFlaws)
	for name := range verdicts(t, schemeManifest(), schemeSample(""), nil) {
		if !strings.HasPrefix(name, "scheme/") {
			t.Error(name)
		}
	}
}
