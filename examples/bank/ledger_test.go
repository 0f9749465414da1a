package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// eachStore runs the suite over SQLite, and over Postgres where one is given.
func eachStore(t *testing.T, suite func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { suite(t, filepath.Join(t.TempDir(), "bank.db")) })
	t.Run("postgres", func(t *testing.T) { suite(t, postgresDatabase(t)) })
}

// postgresDatabase makes a schema that is this test's own.
func postgresDatabase(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("RAILHEAD_POSTGRES")
	if dsn == "" {
		t.Skip("needs RAILHEAD_POSTGRES: the URL of a database whose user may create schemas")
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("RAILHEAD_POSTGRES is set but no database answers: %v", err)
	}
	schema := mint("bank_test")
	exec := func(sql string) {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("CREATE SCHEMA " + pgx.Identifier{schema}.Sanitize())
	t.Cleanup(func() {
		exec("DROP SCHEMA " + pgx.Identifier{schema}.Sanitize() + " CASCADE")
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// client talks to a bank as a payment hub does.
type client struct {
	t     *testing.T
	base  string
	token string
}

func open(t *testing.T, c Config) *Server {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	seed, err := ReadSeed("demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Seed(context.Background(), seed); err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T, c Config) *client {
	t.Helper()
	s := open(t, c)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return &client{t: t, base: h.URL, token: c.Token}
}

// try sends a request; err is a connection that was cut.
func (c *client) try(method, path, key, body string) (status int, answer string, header http.Header, err error) {
	r, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	// Without this, net/http itself repeats a request that bears an idempotency
	// key when a connection it has used before is cut.
	r.GetBody = nil
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header, err
}

// do sends a request and checks the status; 0 is any.
func (c *client) do(want int, method, path, key, body string) map[string]any {
	c.t.Helper()
	status, text, _, err := c.try(method, path, key, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if want != 0 && status != want {
		c.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, status, want, text)
	}
	out := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return out
}

func (c *client) post(want int, path, key, body string) map[string]any {
	c.t.Helper()
	return c.do(want, "POST", path, key, body)
}

func (c *client) get(path string) map[string]any {
	c.t.Helper()
	return c.do(http.StatusOK, "GET", path, "", "")
}

// sound proves the ledger.
func (c *client) sound() map[string]any {
	c.t.Helper()
	check := c.get("/ledger/check")
	if check["ok"] != true {
		c.t.Fatalf("the ledger is not sound: %v", check)
	}
	return check
}

// balance is "balance held available".
func (c *client) balance(account string) string {
	c.t.Helper()
	a := c.get("/accounts/" + account)
	return fmt.Sprint(a["balance"], " ", a["held"], " ", a["available"])
}

const (
	payer = `{"institution":"greenbank","type":"MSISDN","value":"27710101999"}`
	asha  = "greenbank-27710101999-usd"
)

func holdBody(amount, reference string) string {
	return fmt.Sprintf(`{"account":%s,"amount":%q,"fee":"0.10","currency":"USD","reference":%q,"purpose":"hold"}`, payer, amount, reference)
}

func TestPaymentOut(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})

		party := c.get("/parties/MSISDN/27710101999?institution=greenbank")
		if party["name"] != "Asha Mwangi" || len(party["accounts"].([]any)) != 3 {
			t.Fatalf("party is %v", party)
		}
		quote := c.post(200, "/quotes", "", `{"account":`+payer+`,"direction":"outgoing","amount":"100","currency":"EUR"}`)
		if quote["fee"] != "0.10" || quote["total"] != "100.10" {
			t.Fatalf("quote is %v", quote)
		}

		hold := c.post(201, "/holds", "k1", holdBody("100", "pay-1"))
		if got := c.balance(asha); got != "10000.00 100.10 9899.90" {
			t.Fatalf("after the hold: %s", got)
		}
		c.sound()
		booked := c.post(201, "/bookings", "k2", fmt.Sprintf(`{"hold":%q,"amount":"100.00","currency":"USD","reference":"pay-1","purpose":"book"}`, hold["id"]))
		if got := c.balance(asha); got != "9899.90 0.00 9899.90" {
			t.Fatalf("after the booking: %s", got)
		}
		if got := c.balance("greenbank-settlement-usd"); got != "100.00 0.00 100.00" {
			t.Fatalf("settlement: %s", got)
		}
		if got := c.balance("greenbank-fees-usd"); got != "0.10 0.00 0.10" {
			t.Fatalf("fees: %s", got)
		}
		if entries := c.get("/entries?reference=pay-1")["entries"].([]any); len(entries) != 3 {
			t.Fatalf("entries are %v", entries)
		}
		if list := c.get("/bookings?reference=pay-1&purpose=book")["bookings"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != booked["id"] {
			t.Fatalf("bookings are %v", list)
		}
		if got := c.get("/holds/" + hold["id"].(string)); got["state"] != "booked" || got["closed_at"] == "" {
			t.Fatalf("hold is %v", got)
		}
		statement := c.get("/accounts/" + asha + "/statement?from=2020-01-01T00:00:00Z")["entries"].([]any)
		if last := statement[len(statement)-1].(map[string]any); last["amount"] != "-100.10" || last["balance_after"] != "9899.90" || last["reference"] != "pay-1" {
			t.Fatalf("statement ends with %v", last)
		}

		// What is closed stays closed, under whatever key.
		for _, path := range []string{"/holds/" + hold["id"].(string) + "/release", "/bookings"} {
			body := `{"reason":"late"}`
			if path == "/bookings" {
				body = fmt.Sprintf(`{"hold":%q,"reference":"pay-1"}`, hold["id"])
			}
			if got := c.post(409, path, "again"+path, body); got["code"] != "HOLD_NOT_OPEN" {
				t.Fatalf("%s says %v", path, got)
			}
		}
		c.sound()
	})
}

func TestReleaseDepositTransfer(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})
		hold := c.post(201, "/holds", "k1", holdBody("9999.90", "pay-1"))
		if got := c.post(422, "/holds", "k2", holdBody("0.01", "pay-2")); got["code"] != "INSUFFICIENT_FUNDS" {
			t.Fatalf("over the balance: %v", got)
		}
		c.post(422, "/transfers", "k3", `{"debit":`+payer+`,"credit":{"id":"greenbank-27710101001-usd"},"amount":"0.01","currency":"USD","reference":"t"}`)
		released := c.post(200, "/holds/"+hold["id"].(string)+"/release", "k4", `{"reason":"the scheme said no"}`)
		if released["state"] != "released" || c.balance(asha) != "10000.00 0.00 10000.00" {
			t.Fatalf("released: %v, %s", released, c.balance(asha))
		}
		c.post(201, "/deposits", "k5", `{"account":{"institution":"bluebank","type":"MSISDN","value":"27710203999"},"amount":"25","fee":"0.50","currency":"USD","reference":"in-1","purpose":"credit"}`)
		if got := c.balance("bluebank-27710203999-usd"); got != "10024.50 0.00 10024.50" {
			t.Fatalf("payee: %s", got)
		}
		if got := c.balance("bluebank-settlement-usd"); got != "-25.00 0.00 -25.00" {
			t.Fatalf("settlement: %s", got)
		}
		c.post(201, "/transfers", "k6", `{"debit":`+payer+`,"credit":{"id":"greenbank-27710101001-usd"},"amount":"10","fee":"1","currency":"USD","reference":"t-1"}`)
		if got := c.balance(asha); got != "9989.00 0.00 9989.00" {
			t.Fatalf("debtor: %s", got)
		}
		c.sound()
	})
}

// TestRefusals is one row per refusal; each leaves the ledger as it was.
func TestRefusals(t *testing.T) {
	account := func(s string) string {
		return `{"account":` + s + `,"amount":"1","currency":"USD","reference":"r"}`
	}
	amount := func(a, currency string) string {
		return fmt.Sprintf(`{"account":%s,"amount":%q,"currency":%q,"reference":"r"}`, payer, a, currency)
	}
	rows := []struct {
		path, body string
		status     int
		code       Code
	}{
		{"/holds", amount("1.001", "USD"), 400, BadRequest},
		{"/holds", amount("1.1", "JPY"), 400, BadRequest},
		{"/holds", amount("0", "USD"), 400, BadRequest},
		{"/holds", amount("-1", "USD"), 400, BadRequest},
		{"/holds", amount("1e3", "USD"), 400, BadRequest},
		{"/holds", amount("01", "USD"), 400, BadRequest},
		{"/holds", amount(".5", "USD"), 400, BadRequest},
		{"/holds", amount("99999999999999999999", "USD"), 400, BadRequest},
		{"/holds", amount("1", "XXX"), 400, BadRequest},
		{"/holds", amount("1", "JPY"), 422, CurrencyMismatch},
		{"/holds", amount("10000.01", "USD"), 422, InsufficientFunds},
		{"/holds", account(`{"id":"nobody"}`), 404, AccountNotFound},
		{"/holds", account(`{"id":"greenbank-27710101999-eur"}`), 422, CurrencyMismatch},
		{"/holds", account(`{"institution":"greenbank","type":"MSISDN","value":"1"}`), 404, AccountNotFound},
		{"/holds", account(`{"institution":"greenbank"}`), 400, BadRequest},
		{"/holds", account(`{"id":"x","role":"cash","institution":"greenbank"}`), 400, BadRequest},
		{"/holds", account(`{"id":"a\u0000b"}`), 400, BadRequest},
		{"/holds", account(`{"institution":"greenbank","role":"settlement"}`), 400, BadRequest},
		{"/holds", `{"account":` + payer + `,"amount":"1","currency":"USD"}`, 400, BadRequest},
		{"/holds", `{"account":` + payer + `,"amount":1,"currency":"USD","reference":"r"}`, 400, BadRequest},
		{"/holds", `{"account":` + payer + `,"amount":"1","currency":"USD","reference":"r","note":"?"}`, 400, BadRequest},
		{"/holds", `{"account":` + payer + `,"amount":"1","Amount":"2","currency":"USD","reference":"r"}`, 400, BadRequest},
		{"/holds", `{}{}`, 400, BadRequest},
		{"/holds", `[]`, 400, BadRequest},
		{"/holds/nothing/release", `null`, 400, BadRequest},
		{"/holds", `{`, 400, BadRequest},
		{"/holds", strings.Repeat("[", 100), 400, BadRequest},
		{"/holds", `{"x":"` + strings.Repeat("x", bodyMax) + `"}`, 413, TooLarge},
		{"/bookings", `{"hold":"nothing","reference":"r"}`, 404, HoldNotFound},
		{"/bookings", `{"reference":"r"}`, 400, BadRequest},
		{"/holds/nothing/release", `{}`, 404, HoldNotFound},
		{"/transfers", `{"debit":` + payer + `,"credit":` + payer + `,"amount":"1","currency":"USD","reference":"r"}`, 422, SameAccount},
		{"/deposits", `{"account":` + payer + `,"amount":"1","fee":"1","currency":"USD","reference":"r"}`, 400, BadRequest},
		{"/accounts", `{"institution":"greenbank","role":"cash","name":"second","currency":"USD"}`, 409, AccountExists},
		{"/accounts", `{"institution":"greenbank","name":"x","currency":"USD","identifiers":[{"type":"MSISDN","value":"27710101999"}]}`, 409, IdentifierTaken},
		{"/accounts", `{"institution":"greenbank","name":"x","currency":"USD","identifiers":[{"type":"SHOE","value":"42"}]}`, 400, BadRequest},
		{"/accounts/nobody/state", `{"state":"open"}`, 404, AccountNotFound},
		{"/nowhere", `{}`, 404, UnknownPath},
		{"/ledger/check", `{}`, 405, MethodNotAllowed},
	}
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})
		before := c.sound()
		for i, r := range rows {
			if got := c.post(r.status, r.path, fmt.Sprint("k", i), r.body); got["code"] != string(r.code) {
				t.Errorf("%s %s: %v, want %s", r.path, clip(r.body), got, r.code)
			}
		}
		if got := c.do(400, "GET", "/entries", "", ""); got["code"] != "BAD_REQUEST" {
			t.Errorf("entries of nothing: %v", got)
		}
		if got := c.do(400, "GET", "/holds?reference=r&reference=s", "", ""); got["code"] != "BAD_REQUEST" {
			t.Errorf("two references: %v", got)
		}
		if got := c.do(400, "GET", "/accounts/a%00b", "", ""); got["code"] != "BAD_REQUEST" {
			t.Errorf("a path with NUL: %v", got)
		}
		after := c.sound()
		for _, what := range []string{"accounts", "bookings", "entries", "open_holds"} {
			if before[what] != after[what] {
				t.Errorf("%s: %v before, %v after", what, before[what], after[what])
			}
		}
	})
}

func TestBlockedAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		c := serve(t, Config{Database: database})
		hold := c.post(201, "/holds", "k1", holdBody("5", "pay-1"))
		c.post(200, "/accounts/"+asha+"/state", "k2", `{"state":"blocked"}`)
		if got := c.post(422, "/holds", "k3", holdBody("5", "pay-2")); got["code"] != "ACCOUNT_BLOCKED" {
			t.Fatalf("hold on a blocked account: %v", got)
		}
		if got := c.post(422, "/deposits", "k4", `{"account":`+payer+`,"amount":"1","currency":"USD","reference":"in"}`); got["code"] != "ACCOUNT_BLOCKED" {
			t.Fatalf("deposit to a blocked account: %v", got)
		}
		// What was promised before can be kept.
		c.post(201, "/bookings", "k5", fmt.Sprintf(`{"hold":%q,"reference":"pay-1"}`, hold["id"]))
		c.sound()
	})
}

func TestEntriesNeverChange(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		s := open(t, Config{Database: database})
		for _, sql := range []string{"UPDATE entries SET amount = 1", "DELETE FROM entries"} {
			if _, err := s.ledger.store.write.Exec(sql); err == nil {
				t.Errorf("%s went through", sql)
			}
		}
	})
}
