package connector

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TestEndpointSchema: every field of the documented schema reaches egress.
func TestEndpointSchema(t *testing.T) {
	c, err := parseTenant([]byte(`{"connectors":{"bank":{"endpoints":{"ledger":{
		"url":"https://ledger.bank.example/api","mode":"keyed","allow":["10.1.0.0/16"],
		"tls":{"certificate":"c","key":"k","ca":"a","server_name":"l.bank.example","pins":["p"]},
		"timeout_ms":5000,"wait_ms":2000,"retries":2,
		"headers":{"authorization":"Bearer {{secret:bank_token}}"},"secrets":["bank_token"],
		"request_headers":{"allow":["content-type"],"deny":["x-a"]},"response_headers":{"deny":["x-powered-by"]},
		"request_max_bytes":65536,"response_max_bytes":262144,"connections":32,"rate_per_second":200,
		"breaker":{"off":true,"share":0.4,"calls":10,"within_ms":1000,"open_ms":2000,"trials":2}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Connectors["bank"].Endpoints["ledger"].bind("green", 7, "bank", &sdkv1.Endpoint{Name: "ledger", Mode: "keyed"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tenant != "green" || got.Version != 7 || got.Timeout != 5*time.Second || got.WaitMax != 2*time.Second || got.Retries != 2 ||
		got.RequestMax != 65536 || got.ResponseMax != 262144 || got.Connections != 32 || got.RatePerSecond != 200 ||
		got.RequestHeaders.Allow[0] != "content-type" || got.RequestHeaders.Deny[0] != "x-a" || got.ResponseHeaders.Deny[0] != "x-powered-by" ||
		got.TLS.Certificate != "c" || got.TLS.Key != "k" || got.TLS.CA != "a" || got.TLS.ServerName != "l.bank.example" || got.TLS.Pins[0] != "p" {
		t.Errorf("%+v", got)
	}
	want := egress.Breaker{Off: true, Share: 0.4, Calls: 10, Within: time.Second, Open: 2 * time.Second, Trials: 2}
	if got.Breaker != want {
		t.Errorf("%+v, want %+v", got.Breaker, want)
	}
}

func TestBadEndpointsAndCallers(t *testing.T) {
	endpoint := func(body string) string {
		return `{"connectors":{"bank":{"endpoints":{"ledger":{"url":"https://b.example",` + body + `}}}}}`
	}
	for _, c := range []struct{ text, says string }{
		{endpoint(`"tls":{"pin":["x"]}`), "unknown field"},
		{endpoint(`"tls":{"pins":["x"]}`), "32 bytes"},
		{endpoint(`"tls":{"certificate":"x"}`), "no secrets_dir"},
		{endpoint(`"tls":{"server_name":"x.example"}`), "allow list"},
		{endpoint(`"breaker":{"share":2}`), "share"},
		{endpoint(`"breaker":{"open_ms":9223372036854775807}`), "an hour"},
		{endpoint(`"wait_ms":-1`), "wait_ms"},
		{endpoint(`"request_max_bytes":99999999`), "99999999"},
		{endpoint(`"request_headers":{"allow":["a:b"]}`), "no header's name"},
		{`{"connectors":{"bank":{"endpoints":{"ledger":{"url":"https://127.1"}}}}}`, "four decimal numbers"},
		{`{"connectors":{"ch":{"auth":{}}}}`, "none of none"},
		{`{"connectors":{"ch":{"auth":{"kind":"api_key","keys":[{"secret":"k"}]}}}}`, "no secrets_dir"},
		{`{"connectors":{"ch":{"auth":{"kind":"none"},"routes":{"r":{"auth":{"kind":"magic"}}}}}}`, "route r"},
		{`{"connectors":{"ch":{"routes":{"r":{"aut":{}}}}}}`, "unknown field"},
	} {
		if err := CheckTenant("green", []byte(c.text), egress.Surroundings{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", c.text, err, c.says)
		}
	}
	if err := CheckTenant("green", []byte(`{"connectors":{"ch":{"auth":{"kind":"none"},"routes":{"r":{}}}}}`), egress.Surroundings{}); err != nil {
		t.Error(err)
	}
}

// TestLater: what could not be made is made when it can be, and not tried on every
// call.
func TestLater(t *testing.T) {
	tries := 0
	l := newLater(0, errors.New("not yet"), func() (int, error) {
		if tries++; tries == 1 {
			return 0, errors.New("still not")
		}
		return 7, nil
	})
	for range 3 {
		if _, err := l.get(); err == nil || tries != 0 {
			t.Fatalf("at once: %v after %d tries", err, tries)
		}
	}
	l.next = time.Now().Add(-1)
	if _, err := l.get(); err == nil || tries != 1 {
		t.Errorf("the first try: %v, %d", err, tries)
	}
	l.next = time.Now().Add(-1)
	for range 3 {
		if v, err := l.get(); v != 7 || err != nil || tries != 2 {
			t.Errorf("the second try: %d, %v, %d", v, err, tries)
		}
	}
}
