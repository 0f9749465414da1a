package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/conformance"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func amsManifest() *sdkv1.Manifest {
	return &sdkv1.Manifest{
		Name: "sample", Version: "1.0.0", Kind: "ams",
		Jobs: []*sdkv1.JobType{
			{Type: "party-lookup-local-{tenant}", Outputs: []string{"partyLookupFailed", "account", "errorCode"}},
			{Type: "block-funds", Money: true, Inputs: []string{"account", "amount"}, Outputs: []string{"transferPrepareFailed", "holdId", "errorCode"}},
			{Type: "book-funds", Money: true, Outputs: []string{"transferCreateFailed", "bookingId", "errorCode"}, Settles: []string{"block-funds"}},
		},
		Endpoints: []*sdkv1.Endpoint{{Name: "ledger", Mode: "keyed"}},
		Sensitive: []string{"account"},
	}
}

const amsVectors = `job party-lookup-local-{tenant}
var party "27710101999"
----

answer 200
body {"account":"A-1"}
----

job party-lookup-local-{tenant}
var party "27710101999"
----

answer 404
body {"code":"NO_PARTY"}
----

job block-funds
var account "A-1"
var amount "12.50"
----

answer 201
body {"id":"h-1"}
----

job block-funds
var account "A-1"
var amount "12.50"
----

answer 422
body {"code":"INSUFFICIENT_FUNDS"}
----

job block-funds
var account "A-1"
var amount "12.50"
----

answer in-doubt 7d0d1f9e-5f7e-4b0a-9f6b-3c1d2e4f5a6b no answer in time
----

answer 200
body {"state":"done","id":"h-1"}
----

job book-funds
var account "A-1"
var amount "12.50"
var holdId "h-1"
----

answer 201
body {"id":"b-1"}
----

job book-funds
var account "A-1"
var amount "12.50"
var holdId "h-1"
----

answer 409
body {"code":"HOLD_NOT_OPEN"}
----
`

// amsSample is a connector as it should be, but for one flaw.
func amsSample(flaw string) func(*guest) *sdkv1.Outcome {
	return func(g *guest) *sdkv1.Outcome {
		switch g.job().Type {
		case "party-lookup-local-{tenant}":
			return lookup(g, flaw)
		case "block-funds":
			return deed(g, flaw, "hold", "transferPrepareFailed", "holdId", "")
		case "book-funds":
			return deed(g, flaw, "book", "transferCreateFailed", "bookingId", g.text("holdId"))
		}
		return failing("UNKNOWN_JOB", "", false)
	}
}

func lookup(g *guest, flaw string) *sdkv1.Outcome {
	if g.text("party") == "" {
		if flaw == "lookup retries what is missing" {
			return failing("MISSING", "no party", true)
		}
		return completed("partyLookupFailed", true, "errorCode", "INVALID_REQUEST")
	}
	call := &sdkv1.Http{Endpoint: "ledger", Method: "GET", Path: "/parties"}
	if flaw == "lookup moves money" {
		call.Key, call.Terms = "look", &sdkv1.Terms{Amount: "1", Currency: "USD"}
	}
	a := g.http(call)
	body := said(a)
	switch status := a.GetHttp().GetStatus(); {
	case status == 200 && (body["account"] != "" || flaw == "lookup takes any 200"):
		if flaw == "lookup never completes" {
			return failing("BROKEN", "it never completes", false)
		}
		return completed("partyLookupFailed", false, "account", body["account"])
	case status == 404 && body["code"] != "":
		switch flaw {
		case "lookup retries refusals":
			return failing(body["code"], "", true)
		case "lookup tells no as yes":
			return completed("partyLookupFailed", false, "account", "A-1")
		case "lookup says no code":
			return completed("partyLookupFailed", true)
		}
		return completed("partyLookupFailed", true, "errorCode", body["code"])
	case flaw == "lookup takes an outage for a no":
		return completed("partyLookupFailed", true, "errorCode", "OUT_OF_ORDER")
	}
	return failing("NO_ANSWER", "the ledger does not answer", true)
}

func deed(g *guest, flaw, key, flag, result, hold string) *sdkv1.Outcome {
	job := g.job()
	amount, account := g.text("amount"), g.text("account")
	switch {
	case key == "book" && hold == "" && flaw != "books without a hold",
		account == "" && flaw != "holds without variables",
		!isDecimal(amount) && flaw != "takes any amount" && flaw != "holds without variables":
		if flaw == "retries bad input" {
			return failing("INVALID_REQUEST", "", true)
		}
		return completed(flag, true, "errorCode", "INVALID_REQUEST")
	}
	call := &sdkv1.Http{
		Endpoint: "ledger", Method: "POST", Path: "/" + key,
		Key: key, Terms: &sdkv1.Terms{Amount: amount, Currency: "USD"},
	}
	switch flaw {
	case "no key":
		call.Key, call.Terms = "", nil
	case "no currency":
		call.Terms.Currency = ""
	case "a key for each attempt":
		call.Key = fmt.Sprintf("%s-%d", key, job.Attempt)
	case "a key by chance":
		call.Key = fmt.Sprintf("%s-%d", key, g.request.Seed[0])
	case "another key after doubt":
		if len(job.Prior) > 0 {
			call.Key = key + "-again"
		}
	case "gives up after doubt":
		if len(job.Prior) > 0 {
			return failing("GAVE_UP", "", false)
		}
	case "takes doubt for done":
		if len(job.Prior) > 0 {
			return completed(flag, false, result, "h-1")
		}
	}
	a := g.http(call)
	body := said(a)
	done := func(id string) *sdkv1.Outcome {
		switch flaw {
		case "never completes":
			return failing("BROKEN", "it never completes", false)
		case "tells the attempt":
			return completed(flag, false, result, fmt.Sprintf("%s-%d", id, job.Attempt))
		case "sets what is not declared":
			return completed(flag, false, result, id, "more", true)
		}
		return completed(flag, false, result, id)
	}
	refused := completed(flag, true, "errorCode", body["code"])
	switch status := a.GetHttp().GetStatus(); {
	case a.GetFailure() != nil:
		switch flaw {
		case "takes unreachable for done":
			return done("h-1")
		case "says nothing when unreachable":
			return completed()
		case "settles when unreachable":
			g.settle(key, false)
		case "names the account":
			return failing("NO_ANSWER", "the ledger of account "+account+" does not answer", true)
		case "logs the account":
			g.log("no answer about account " + account)
		}
		return failing("NO_ANSWER", "the ledger does not answer", true)
	case a.Kind == nil && flaw == "takes a lost answer for done":
		return done("h-1")
	case a.GetInDoubt() != nil && flaw == "takes doubt for a refusal":
		return bpmnError("REFUSED")
	case a.GetInDoubt() != nil && flaw == "settles without asking":
		g.settle(key, false)
		return failing("NOT_DONE", "", true)
	case a.GetInDoubt() != nil && flaw == "repeats under another key":
		return judge(g, &sdkv1.Http{Endpoint: "ledger", Method: "POST", Path: "/" + key, Key: key + "-2", Terms: call.Terms})
	case a.GetInDoubt() != nil && flaw == "completes at the last attempt" && job.Retries == 0:
		return done("h-1")
	case status/100 == 2 && (body["id"] != "" || flaw == "takes any 2xx"):
		return done(body["id"])
	case status/100 == 4 && body["code"] != "":
		switch flaw {
		case "retries refusals":
			return failing(body["code"], "", true)
		case "tells refusals as done":
			return done(map[string]string{"hold": "h-1", "book": "b-1"}[key])
		case "says no code":
			return completed(flag, true)
		}
		return refused
	case status/100 == 2 && flaw == "takes half an answer for a refusal":
		return bpmnError("REFUSED")
	}
	// Unknown: ask.
	a = g.http(&sdkv1.Http{Endpoint: "ledger", Method: "GET", Path: "/operations/" + key})
	if body := said(a); a.GetHttp().GetStatus() == 200 && body["state"] == "done" && flaw != "never finds out" {
		g.settle(key, true)
		return done(body["id"])
	}
	if job.Retries > 0 {
		return failing("IN_DOUBT", "the ledger does not say", true)
	}
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Doubt{Doubt: &sdkv1.Doubt{Key: key, Reason: "the ledger does not say"}}}
}

// judge ends with what a second deed brings.
func judge(g *guest, call *sdkv1.Http) *sdkv1.Outcome {
	if g.http(call).GetHttp().GetStatus()/100 == 2 {
		return completed()
	}
	return failing("NO_ANSWER", "", true)
}

// Each flaw is found by the case that is there for it.
var amsFlaws = map[string][]string{
	"success":         {"never completes", "no key"},
	"refusal":         {"retries refusals", "tells refusals as done", "says no code"},
	"terms":           {"no key", "no currency"},
	"same-key":        {"a key for each attempt", "a key by chance"},
	"duplicate":       {"tells the attempt"},
	"unreachable":     {"takes unreachable for done", "says nothing when unreachable", "settles when unreachable"},
	"in-doubt":        {"takes doubt for a refusal", "settles without asking", "repeats under another key", "completes at the last attempt"},
	"answer-lost":     {"takes a lost answer for done"},
	"late-success":    {"gives up after doubt"},
	"partial-failure": {"takes any 2xx", "takes half an answer for a refusal"},
	"prior":           {"another key after doubt", "takes doubt for done"},
	"missing":         {"holds without variables", "retries bad input"},
	"bad-amount":      {"takes any amount", "retries bad input"},
	"without-hold":    {"books without a hold"},
	"sensitive":       {"names the account", "logs the account"},
	"outputs":         {"sets what is not declared"},
}

var lookupFlaws = map[string][]string{
	"success":         {"lookup never completes"},
	"refusal":         {"lookup retries refusals", "lookup tells no as yes", "lookup says no code"},
	"no-money":        {"lookup moves money"},
	"silence":         {"lookup takes an outage for a no"},
	"partial-failure": {"lookup takes any 200"},
	"missing":         {"lookup retries what is missing"},
}

func TestAMS(t *testing.T) {
	vectors := load(t, amsVectors)
	good := verdicts(t, amsManifest(), amsSample(""), vectors)
	for name, v := range good {
		if v.Status == conformance.Failed {
			t.Errorf("of a connector as it should be: %s", v)
		}
		verb, which, _ := strings.Cut(strings.TrimPrefix(name, "ams/"), "/")
		flaws := amsFlaws
		if verb == "lookup" {
			flaws = lookupFlaws
			if which == "sensitive" || which == "outputs" { // the very same as of other jobs
				continue
			}
		}
		if which != "" && len(flaws[which]) == 0 {
			t.Errorf("no flaw proves that %s can fail", name)
		}
	}
	for which, list := range amsFlaws {
		for _, flaw := range list {
			got := verdicts(t, amsManifest(), amsSample(flaw), vectors)
			if hold, book := got["ams/hold/"+which], got["ams/book/"+which]; hold.Status != conformance.Failed && book.Status != conformance.Failed {
				t.Errorf("%q is not found by %s: %s; %s", flaw, which, hold, book)
			}
		}
	}
	for which, list := range lookupFlaws {
		for _, flaw := range list {
			if v := verdicts(t, amsManifest(), amsSample(flaw), vectors)["ams/lookup/"+which]; v.Status != conformance.Failed {
				t.Errorf("%q is not found: %s", flaw, v)
			}
		}
	}
}

// Where the same cannot be sent again, only a vector shows that a lost answer is
// found: without one the case fails.
func TestLateSuccessNeedsAnEnquiry(t *testing.T) {
	m := amsManifest()
	m.Endpoints[0].Mode = "ask"
	got := verdicts(t, m, amsSample(""), load(t, amsVectors))
	if v := got["ams/hold/late-success"]; v.Status != conformance.Passed {
		t.Error(v)
	}
	if v := got["ams/book/late-success"]; v.Status != conformance.Failed {
		t.Error(v)
	}
	got = verdicts(t, m, amsSample("never finds out"), load(t, amsVectors))
	if v := got["ams/hold/late-success"]; v.Status != conformance.Failed {
		t.Error(v)
	}
}

// Without vectors the suite still runs, and says what it cannot know.
func TestSuiteWithoutVectors(t *testing.T) {
	for flaw, wanted := range map[string]map[string]conformance.Status{
		"": {
			"ams/lookup/success": conformance.NotApplicable, "ams/hold/success": conformance.NotApplicable,
			"ams/hold/missing": conformance.Passed, "ams/quote": conformance.NotApplicable,
		},
		"holds without variables": {"ams/hold/missing": conformance.Failed},
	} {
		got := verdicts(t, amsManifest(), amsSample(flaw), nil)
		for name, status := range wanted {
			if got[name].Status != status {
				t.Errorf("%q: %s, want %s", flaw, got[name], status)
			}
		}
		for name, v := range got {
			if v.Status == conformance.NotApplicable && v.Text == "" {
				t.Errorf("%s does not say why it is not applicable", name)
			}
		}
	}
}

func load(t *testing.T, text string) []*conformance.Vector {
	t.Helper()
	vectors, err := conformance.Load(vectorDir(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

func verdicts(t *testing.T, m *sdkv1.Manifest, handler func(*guest) *sdkv1.Outcome, vectors []*conformance.Vector) map[string]conformance.Verdict {
	t.Helper()
	list, err := conformance.Suite(t.Context(), subject(m, handler), vectors)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]conformance.Verdict{}
	for _, v := range list {
		if _, twice := out[v.Case]; twice {
			t.Errorf("%s is there twice", v.Case)
		}
		out[v.Case] = v
	}
	return out
}
