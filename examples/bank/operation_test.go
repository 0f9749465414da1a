package bank

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestOneDeedPerKey sends one request a hundred times at once: one deed, and the
// same answer to everyone, also after the bank was closed and opened again.
func TestOneDeedPerKey(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		var first string
		for round := range 2 {
			t.Run(fmt.Sprint("start", round+1), func(t *testing.T) {
				c := serve(t, Config{Database: database})
				answers := make([]string, 100)
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() {
						status, body, _, err := c.try("POST", "/holds", "one-key", holdBody("7", "pay-1"))
						answers[i] = fmt.Sprint(status, " ", body, " ", err)
					})
				}
				wg.Wait()
				if first == "" {
					first = answers[0]
				}
				for _, a := range answers {
					if a != first || !strings.HasPrefix(a, "201 ") {
						t.Fatalf("answers differ: %s and %s", first, a)
					}
				}
				if holds := c.get("/holds?reference=pay-1")["holds"].([]any); len(holds) != 1 {
					t.Fatalf("%d holds", len(holds))
				}
				if got := c.balance(asha); got != "10000.00 7.10 9992.90" {
					t.Fatalf("balance is %s", got)
				}
				c.sound()
			})
		}
	})
}

// TestManyAtOnce moves money around from all sides at once: no deadlock, nothing
// lost, nothing overdrawn.
func TestManyAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})
		people := []string{"greenbank-27710101999-usd", "greenbank-27710101001-usd", "greenbank-27710101002-usd"}
		var wg sync.WaitGroup
		for i := range 120 {
			wg.Go(func() {
				from, to := people[i%3], people[(i+1+i%2)%3]
				body := fmt.Sprintf(`{"debit":{"id":%q},"credit":{"id":%q},"amount":"400","currency":"USD","reference":"m"}`, from, to)
				status, text, _, err := c.try("POST", "/transfers", fmt.Sprint("m", i), body)
				if err != nil || status != 201 && status != 422 {
					t.Errorf("transfer %d: %d %s %v", i, status, text, err)
				}
			})
		}
		wg.Wait()
		c.sound()
	})
}

func TestEnquiry(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})
		if got := c.do(404, "GET", "/operations/k1", "", ""); got["code"] != "OPERATION_NOT_FOUND" {
			t.Fatalf("before: %v", got)
		}
		hold := c.post(201, "/holds", "k1", holdBody("7", "pay-1"))
		op := c.get("/operations/k1")
		if op["state"] != "done" || op["answer"].(map[string]any)["id"] != hold["id"] {
			t.Fatalf("after: %v", op)
		}

		// A refusal is remembered as well: the deed is not done later.
		c.post(422, "/holds", "k2", holdBody("99999", "pay-2"))
		c.post(201, "/deposits", "k3", `{"account":`+payer+`,"amount":"900000","currency":"USD","reference":"in"}`)
		if got := c.post(422, "/holds", "k2", holdBody("99999", "pay-2")); got["code"] != "INSUFFICIENT_FUNDS" {
			t.Fatalf("repeated refusal: %v", got)
		}
		if op := c.get("/operations/k2"); op["state"] != "refused" || op["answer"].(map[string]any)["code"] != "INSUFFICIENT_FUNDS" {
			t.Fatalf("refusal: %v", op)
		}

		// Another request under the same key, and one without a key.
		if got := c.post(409, "/holds", "k1", holdBody("8", "pay-1")); got["code"] != "KEY_REUSED" {
			t.Fatalf("other body: %v", got)
		}
		if got := c.post(409, "/deposits", "k1", `{"account":`+payer+`,"amount":"7","currency":"USD","reference":"pay-1"}`); got["code"] != "KEY_REUSED" {
			t.Fatalf("other deed: %v", got)
		}
		if got := c.post(400, "/holds", "", holdBody("7", "pay-3")); got["code"] != "KEY_REQUIRED" {
			t.Fatalf("no key: %v", got)
		}
		// The same request in other words is the same request.
		c.post(201, "/holds", "k1", strings.ReplaceAll(holdBody("7", "pay-1"), ",", " , "))
		c.sound()
	})
}

// TestKeysIgnored is the bank that does everything again.
func TestKeysIgnored(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database, Keys: KeysIgnored})
		a := c.post(201, "/holds", "k1", holdBody("7", "pay-1"))
		b := c.post(201, "/holds", "k1", holdBody("7", "pay-1"))
		if a["id"] == b["id"] {
			t.Fatal("the second request was not executed")
		}
		if holds := c.get("/holds?reference=pay-1&purpose=hold")["holds"].([]any); len(holds) != 2 {
			t.Fatalf("holds are %v", holds)
		}
		if got := c.do(404, "GET", "/operations/k1", "", ""); got["code"] != "UNKNOWN_PATH" {
			t.Fatalf("enquiry by key: %v", got)
		}
		c.sound()
	})
}

func TestFaults(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database, Faults: true, Token: "secret"})
		lay := func(kind string) {
			t.Helper()
			c.post(200, "/faults", "", fmt.Sprintf(`{"next":[{"match":"POST /holds","kind":%q}]}`, kind))
		}
		cut := func(key, reference string) {
			t.Helper()
			if status, body, _, err := c.try("POST", "/holds", key, holdBody("7", reference)); err == nil {
				t.Fatalf("the connection was not cut: %d %s", status, body)
			}
		}

		lay(FaultDropResponse)
		cut("k1", "pay-1")
		if op := c.get("/operations/k1"); op["state"] != "done" {
			t.Fatalf("the deed was not done: %v", op)
		}
		lay(FaultDropRequest)
		cut("k2", "pay-2")
		c.do(404, "GET", "/operations/k2", "", "")
		lay(FaultError503)
		c.post(503, "/holds", "k3", holdBody("7", "pay-3"))
		c.do(404, "GET", "/operations/k3", "", "")
		lay(FaultRefuse)
		if got := c.post(422, "/holds", "k4", holdBody("7", "pay-4")); got["code"] != "REFUSED" {
			t.Fatalf("refused: %v", got)
		}
		c.post(200, "/faults", "", `{"next":[{"match":"POST /holds","kind":"delay-ms","delay_ms":1},{"match":"POST /holds/*/release","kind":"error-503"}]}`)
		hold := c.post(201, "/holds", "k5", holdBody("7", "pay-5"))
		c.post(503, "/holds/"+hold["id"].(string)+"/release", "k6", `{}`)
		if left := c.get("/faults")["next"].([]any); len(left) != 0 {
			t.Fatalf("left over: %v", left)
		}
		for _, bad := range []string{`{"next":[{"match":"/holds","kind":"refuse"}]}`, `{"next":[{"match":"POST /holds","kind":"?"}]}`, `{"next":[{"match":"POST /holds","kind":"delay-ms"}]}`} {
			c.post(400, "/faults", "", bad)
		}
		if check := c.sound(); check["open_holds"].(fmt.Stringer).String() != "2" {
			t.Fatalf("open holds: %v", check["open_holds"])
		}
	})
}

func TestDoor(t *testing.T) {
	c := serve(t, Config{Database: t.TempDir() + "/bank.db", Token: "secret"})
	if got := c.do(403, "GET", "/faults", "", ""); got["code"] != "FORBIDDEN" {
		t.Fatalf("faults of a bank without: %v", got)
	}
	c.token = "wrong"
	if got := c.do(401, "GET", "/ledger/check", "", ""); got["code"] != "UNAUTHENTICATED" {
		t.Fatalf("wrong token: %v", got)
	}
	c.token = ""
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/openapi.yaml"} {
		if status, _, _, err := c.try("GET", path, "", ""); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %v", path, status, err)
		}
	}
}
