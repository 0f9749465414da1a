package egress

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TestHeaderRules: a tenant says which headers pass in either direction; its own are
// its own.
func TestHeaderRules(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Own", r.Header.Get("X-Own"))
		w.Header().Set("X-Powered-By", "a core of 1987")
	}))
	defer srv.Close()
	call := func(name string) *sdkv1.Http {
		r := post("/")
		r.Headers = []*sdkv1.Header{{Key: name, Value: "1"}}
		return r
	}
	e := bind(t, srv.URL, func(c *Config) {
		c.RequestHeaders = HeaderRules{Allow: []string{"content-type", "X-Request-ID"}, Deny: []string{"x-request-id"}}
		c.ResponseHeaders = HeaderRules{Deny: []string{"x-powered-by"}}
		c.Headers = []*sdkv1.Header{{Key: "X-Own", Value: "the tenant's"}}
	}, Surroundings{})
	out := e.Do(t.Context(), call("Content-Type"), "", false)
	headers := make(map[string]string)
	for _, h := range out.Answer.GetHttp().GetHeaders() {
		headers[h.Key] = h.Value
	}
	if out.State != done || headers["x-own"] != "the tenant's" || headers["x-powered-by"] != "" {
		t.Errorf("%+v, %v", out, headers)
	}
	for _, name := range []string{"X-Other", "x-own", "x-request-id"} {
		if out := e.Do(t.Context(), call(name), "", false); failureCode(out) != abi.FailureInvalid || out.State != refused {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if _, err := New(Config{URL: srv.URL, Allow: loopback, RequestHeaders: HeaderRules{Allow: []string{"a b"}}}, Surroundings{}); err == nil {
		t.Error("a name that is none is accepted")
	}
}
