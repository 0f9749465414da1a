package ingress

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/core/secret"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// guarded is a handler whose tenant says that of its callers; the connector replies
// with the headers it was given.
func guarded(t *testing.T, connector string, files map[string]string) *Handler {
	t.Helper()
	dir := t.TempDir()
	for name, value := range files {
		if err := os.MkdirAll(filepath.Join(dir, "green"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "green", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, log := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		got := make(map[string]string)
		for _, h := range r.Trigger.GetHttp().Headers {
			got[h.Key] = h.Value
		}
		body, err := json.Marshal(got)
		if err != nil {
			return nil, err
		}
		return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Reply{Reply: &sdkv1.Reply{Status: 200, Body: body}}}}, nil
	}, nil)
	h.Connectors.Egress.Secrets = secret.NewStore(dir, nil)
	_, err := log.Propose(t.Context(), &enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "green", Config: []byte(`{"connectors":{"ch":` + connector + `}}`)}}}})
	if err != nil {
		t.Fatal(err)
	}
	h.Connectors.Refresh()
	return h
}

// TestCallers: who may call is what the tenant says, for the route first, and the
// connector learns who it is from the host only.
func TestCallers(t *testing.T) {
	keys := map[string]string{"gate_key": "a-long-gate-key", "other_key": "another-long-key"}
	const byKey = `{"kind":"api_key","keys":[{"secret":"gate_key","principal":"gate"}]}`
	for _, c := range []struct {
		name, connector string
		headers         []string // name, value, ...
		status          int
		principal, code string
	}{
		{"nothing is said", `{}`, nil, 401, "", "AUTH_NOT_CONFIGURED"},
		{"only of another route", `{"routes":{"x":{"auth":{"kind":"none"}}}}`, nil, 401, "", "AUTH_NOT_CONFIGURED"},
		{"anybody", `{"auth":{"kind":"none"}}`, nil, 200, "", ""},
		{"anybody on this route", `{"auth":` + byKey + `,"routes":{"r":{"auth":{"kind":"none"}}}}`, nil, 200, "", ""},
		{"a key on this route", `{"auth":{"kind":"none"},"routes":{"r":{"auth":` + byKey + `}}}`, nil, 401, "", "UNAUTHENTICATED"},
		{"no key", `{"auth":` + byKey + `}`, nil, 401, "", "UNAUTHENTICATED"},
		{"the key", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key"}, 200, "gate", ""},
		{"another key", `{"auth":` + byKey + `}`, []string{"X-API-Key", "another-long-key"}, 401, "", "UNAUTHENTICATED"},
		{"the key twice", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key", "x-api-key", "a-long-gate-key"}, 401, "", "UNAUTHENTICATED"},
		{"a name of one's own", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key", "X-Railhead-Principal", "admin"}, 200, "gate", ""},
		{"a name of one's own, anybody", `{"auth":{"kind":"none"}}`, []string{"x-railhead-principal", "admin", "X-RAILHEAD-Role", "admin"}, 200, "", ""},
		{"a rule that cannot be kept", `{"auth":{"kind":"api_key","keys":[{"secret":"missing"}]}}`, []string{"X-API-Key", "x"}, 500, "", "CONNECTOR_FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := guarded(t, c.connector, keys)
			r := httptest.NewRequest("POST", "/r", strings.NewReader("{}"))
			r.Header.Set("T", "green")
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var said map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || said["x-railhead-principal"] != c.principal || c.status != 200 && said["code"] != c.code {
				t.Fatalf("got %d %v", w.Code, said)
			}
			for name, value := range said {
				if strings.Contains(value, "a-long-gate-key") || name == "x-railhead-role" {
					t.Errorf("the connector is given %s", name)
				}
			}
		})
	}
}
