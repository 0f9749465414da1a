package connector

import (
	"net/http"
	"testing"

	"github.com/railhead-hub/railhead/core/egress"
)

// FuzzTenant: a configuration is taken or refused, and one that is taken binds.
func FuzzTenant(f *testing.F) {
	f.Add([]byte(`{"connectors":{"bank":{"config":{},"endpoints":{"e":{"url":"https://b.example","mode":"ask","allow":["10.0.0.0/8"]}}}}}`))
	f.Add([]byte(`{"connectors":{"bank":null}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if CheckTenant("t", text, egress.Surroundings{}) != nil {
			return
		}
		if _, err := parseTenant(text); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRoute: whatever the path, the answer is a target of the tenant or a typed
// refusal.
func FuzzRoute(f *testing.F) {
	for _, path := range []string{"/parties/MSISDN/123", "/parties/a%2Fb/%", "//", "", "/channel/transfer"} {
		f.Add("PUT", path, "gb")
	}
	r := testRoutes()
	f.Fuzz(func(t *testing.T, method, path, value string) {
		target, problem := r.find(method, path, headerOf(http.Header{"Fspiop-Destination": {value}, "Platform-Tenantid": {value}}))
		if (target == nil) == (problem == nil) {
			t.Fatalf("%v and %v", target, problem)
		}
		if problem != nil && (problem.Code == "" || problem.Status < 400 || problem.Status > 499) {
			t.Fatalf("%+v", problem)
		}
		if target != nil && len(target.Params) > 0 && target.Tenant == "" {
			t.Fatalf("%+v", target)
		}
	})
}
