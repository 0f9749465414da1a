//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestBadRequests sends the channel what is no transfer. Each gets an answer that
// says so, and nothing starts.
func TestBadRequests(t *testing.T) {
	h := startHub(t, options{})
	good, err := json.Marshal(request(amount))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path, tenant, correlation, body string
		want                                          int
	}{
		{"not JSON", "POST", "/channel/transfer", tenant, "a", `{"payer":`, 400},
		{"an array", "POST", "/channel/transfer", tenant, "b", `[1]`, 400},
		{"wrong types", "POST", "/channel/transfer", tenant, "c", strings.Replace(string(good), `"25.00"`, `25`, 1), 400},
		{"nothing", "POST", "/channel/transfer", tenant, "d", ``, 400},
		{"a negative amount", "POST", "/channel/transfer", tenant, "e", strings.Replace(string(good), `25.00`, `-25.00`, 1), 400},
		{"an amount that is none", "POST", "/channel/transfer", tenant, "f", strings.Replace(string(good), `25.00`, `1e9`, 1), 400},
		{"too long", "POST", "/channel/transfer", tenant, "g", `{"note":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
		{"no correlation id", "POST", "/channel/transfer", tenant, "", string(good), 400},
		{"no tenant", "POST", "/channel/transfer", "", "h", string(good), 400},
		{"an unknown tenant", "POST", "/channel/transfer", "nobody", "i", string(good), 404},
		{"no such route", "POST", "/channel/nothing", tenant, "j", string(good), 404},
		{"another method", "DELETE", "/channel/transfer", tenant, "k", ``, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, h.nodes[0].ingress+c.path, bytes.NewReader([]byte(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if c.tenant != "" {
				req.Header.Set("Platform-TenantId", c.tenant)
			}
			if c.correlation != "" {
				req.Header.Set("X-CorrelationID", c.correlation)
			}
			response, err := httpClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != c.want {
				t.Errorf("answered %d %s, want %d", response.StatusCode, body, c.want)
			}
			if len(body) > 0 && !json.Valid(body) {
				t.Errorf("the answer is no JSON: %s", body)
			}
		})
	}
	list, err := h.nodes[0].control.ListInFlight(t.Context(), &corev1.ListInFlightRequest{})
	if err != nil || len(list.GetPayments()) != 0 {
		t.Errorf("%d payments run, %v", len(list.GetPayments()), err)
	}
}
