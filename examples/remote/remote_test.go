package remote_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
)

const request = `{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}},` +
	`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710203999"}},"amount":{"amount":"100","currency":"USD"}}`

// A hub's payments through the connector and the service: money moves once, whatever
// answers are lost on the way, and a no moves nothing.
func TestPayments(t *testing.T) {
	url := startService(t)
	module, err := build.Module(t.Context(), filepath.Join("..", "..", "plugins", "ams", "remote"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close(t.Context()) })
	h := &hub{t: t, url: url, module: opened, answers: map[string]*answered{}}

	// From hold to booking, with the fee of the quote.
	h.payment = "00000000-0000-4000-8000-000000000001"
	vars := h.run("payer-local-quote-{tenant}", set{"channelRequest": request})
	if vars["externalAccountId"] != `"A-1"` || vars["fspFee"] != `{"amount":"0.10","currency":"USD"}` {
		t.Fatalf("quote: %v", vars)
	}
	vars = h.run("block-funds", set{"channelRequest": request, "fspFee": vars["fspFee"]})
	h.is(vars, "transferPrepareFailed", "false")
	h.balance("A-1", "1000.00", "899.90")
	held := set{"externalAccountId": vars["externalAccountId"], "holdId": vars["holdId"], "heldAmount": vars["heldAmount"]}
	h.is(h.run("book-funds", held), "transferCreateFailed", "false")
	h.balance("A-1", "899.90", "899.90")
	// What is booked cannot be given back.
	vars = h.run("release-block", held)
	h.is(vars, "transferReleaseFailed", "true")
	h.is(vars, "errorCode", `"HOLD_NOT_OPEN"`)

	// The answer is lost after the deed is done: the enquiry finds it.
	h.payment = "00000000-0000-4000-8000-000000000002"
	h.lose(1)
	vars = h.run("block-funds", set{"channelRequest": request})
	h.is(vars, "transferPrepareFailed", "false")
	h.balance("A-1", "899.90", "799.90")
	// The same job again, by a new leader: the hub has the answer.
	if again := h.run("block-funds", set{"channelRequest": request}); again["holdId"] != vars["holdId"] {
		t.Errorf("held twice: %v, %v", again, vars)
	}
	h.is(h.run("release-block", set{"externalAccountId": `"A-1"`, "holdId": vars["holdId"], "heldAmount": vars["heldAmount"]}), "transferReleaseFailed", "false")
	h.balance("A-1", "899.90", "899.90")

	// The request never arrives: it is not done, and the next attempt is another.
	h.payment = "00000000-0000-4000-8000-000000000003"
	h.drop = 1
	if end := h.end("internal-transfer-{tenant}", set{"channelRequest": request}); end.GetFail().GetCode() != "NOT_DONE" {
		t.Fatalf("%v", end.GetKind())
	}
	h.is(h.run("internal-transfer-{tenant}", set{"channelRequest": request}), "internalTransferFailed", "false")
	h.balance("A-1", "799.90", "799.90")
	h.balance("B-2", "100.00", "100.00")

	// The payee's side, and the refusals of both.
	h.payment = "00000000-0000-4000-8000-000000000004"
	h.is(h.run("party-lookup-local-{tenant}", set{"partyIdType": `"MSISDN"`, "partyId": `"27710203999"`}), "partyLookupFailed", "false")
	h.is(h.run("party-lookup-local-{tenant}", set{"partyIdType": `"MSISDN"`, "partyId": `"1/2?3"`}), "errorCode", `"PARTY_NOT_FOUND"`)
	h.is(h.run("account-status-{tenant}", set{"externalAccountId": `"B-2"`}), "accountStatus", `"open"`)
	h.is(h.run("payee-deposit-transfer-{tenant}", set{"externalAccountId": `"B-2"`, "amount": `"0.50"`, "currency": `"USD"`}), "bookingId", `"credit-6"`)
	h.balance("B-2", "100.50", "100.50")
	vars = h.run("block-funds", set{"externalAccountId": `"A-1"`, "amount": `"100000"`, "currency": `"USD"`})
	h.is(vars, "transferPrepareFailed", "true")
	h.is(vars, "errorCode", `"INSUFFICIENT_FUNDS"`)
	h.balance("A-1", "799.90", "799.90")
}

// The service keeps its own promises, whoever calls.
func TestService(t *testing.T) {
	url := startService(t)
	order := `{"payment":"p","purpose":"hold","account":{"id":"A-1"},"amount":"10","currency":"USD"}`
	for _, row := range []struct{ method, path, key, body, want string }{
		{"POST", "/holds", "k1", order, "201 hold-1"},
		{"POST", "/holds", "k1", order, "201 hold-1"},
		{"POST", "/holds", "k1", strings.Replace(order, "10", "11", 1), "409 KEY_REUSED"},
		{"POST", "/holds", "", order, "400 KEY_REQUIRED"},
		{"POST", "/holds", "k2", "{", "400 BAD_REQUEST"},
		{"POST", "/holds", "k3", strings.Replace(order, `"10"`, "10", 1), "422 INVALID_AMOUNT"},
		{"POST", "/holds", "k4", strings.Repeat("[", 60000), "400 BAD_REQUEST"},
		{"GET", "/operations/k1", "", "", "200 done"},
		{"GET", "/operations/k3", "", "", "200 refused"},
		{"GET", "/operations/k9", "", "", "404 OPERATION_NOT_FOUND"},
		{"GET", "/nothing", "", "", "404 UNKNOWN_PATH"},
	} {
		status, body := call(t, url, token, row.method, row.path, row.key, []byte(row.body))
		var said struct{ ID, Code, State string }
		if err := json.Unmarshal(body, &said); err != nil {
			t.Fatalf("%s %s: %s", row.method, row.path, body)
		}
		if got := fmt.Sprintf("%d %s%s%s", status, said.ID, said.Code, said.State); got != row.want {
			t.Errorf("%s %s %s: got %s, want %s", row.method, row.path, row.key, got, row.want)
		}
	}
	if status, _ := call(t, url, "wrong", "GET", "/accounts/A-1", "", nil); status != 401 {
		t.Errorf("another token: %d", status)
	}
}

// The contract has an entry for whatever the connector asks for.
func TestContractNamesEveryPath(t *testing.T) {
	contract, err := os.ReadFile(filepath.Join("..", "..", "plugins", "ams", "remote", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/parties/{type}/{id}", "/accounts/{id}", "/quotes", "/holds", "/holds/{hold}/book", "/holds/{hold}/release", "/deposits", "/transfers", "/operations/{key}", "/operations"} {
		if !bytes.Contains(contract, []byte("\n  "+path+":\n")) {
			t.Errorf("openapi.yaml has no %s", path)
		}
	}
}
