package connector

import (
	"net/http"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func testRoutes() *routes {
	scheme := &sdkv1.Manifest{Name: "scheme", Routes: []*sdkv1.Route{
		{Name: "party", Method: "PUT", Path: "/parties/{type}/{id}", TenantHeader: "FSPIOP-Destination", TenantAlias: "fsp_id"},
		{Name: "party-error", Method: "PUT", Path: "/parties/{type}/{id}/error", TenantHeader: "FSPIOP-Destination", TenantAlias: "fsp_id"},
		{Name: "self", Method: "PUT", Path: "/parties/{type}/self", TenantHeader: "FSPIOP-Destination", TenantAlias: "fsp_id"},
	}}
	channel := &sdkv1.Manifest{Name: "channel", Routes: []*sdkv1.Route{
		{Name: "transfer", Method: "POST", Path: "/channel/transfer", TenantHeader: "Platform-TenantId"},
		{Name: "ping", Method: "GET", Path: "/ping"},
	}}
	// Another channel with the same path, for another tenant.
	other := &sdkv1.Manifest{Name: "other", Routes: []*sdkv1.Route{
		{Name: "pay", Method: "POST", Path: "/channel/transfer", TenantHeader: "Platform-TenantId"},
	}}
	manifests := map[string]*sdkv1.Manifest{"scheme": scheme, "channel": channel, "other": other}
	digest := func(b byte) []byte { d := Digest{b}; return d[:] }
	return buildRoutes(
		[]*enginev1.Tenant{
			{Id: "green", Version: 7, Aliases: []*enginev1.Alias{{Kind: "fsp_id", Value: "gb"}}},
			{Id: "blue", Version: 8, Aliases: []*enginev1.Alias{{Kind: "fsp_id", Value: "bb"}}},
		},
		[]*enginev1.Activation{
			{Tenant: "green", Connector: "scheme", Digest: digest(1)},
			{Tenant: "blue", Connector: "scheme", Digest: digest(2)},
			{Tenant: "green", Connector: "channel", Digest: digest(3)},
			{Tenant: "blue", Connector: "other", Digest: digest(4)},
			{Tenant: "blue", Connector: "unreadable", Digest: digest(5)},
		},
		func(connector string, _ []byte) *sdkv1.Manifest { return manifests[connector] },
	)
}

func headerOf(h http.Header) Header {
	return func(name string) (string, int) { return h.Get(name), len(h.Values(name)) }
}

func TestRoutes(t *testing.T) {
	r := testRoutes()
	for _, c := range []struct {
		method, path, header, value string
		code, tenant, connector     string
		route                       string
		digest                      byte
		params                      string
	}{
		{"PUT", "/parties/MSISDN/123", "FSPIOP-Destination", "gb", "", "green", "scheme", "party", 1, "type=MSISDN id=123 "},
		{"PUT", "/parties/MSISDN/123", "FSPIOP-Destination", "bb", "", "blue", "scheme", "party", 2, "type=MSISDN id=123 "},
		{"PUT", "/parties/MSISDN/1/error", "FSPIOP-Destination", "gb", "", "green", "scheme", "party-error", 1, "type=MSISDN id=1 "},
		{"PUT", "/parties/MSISDN/self", "FSPIOP-Destination", "gb", "", "green", "scheme", "self", 1, "type=MSISDN "},
		{"PUT", "/parties/A%2FB/%C3%A9", "FSPIOP-Destination", "gb", "", "green", "scheme", "party", 1, "type=A/B id=é "},
		{"POST", "/channel/transfer", "Platform-TenantId", "green", "", "green", "channel", "transfer", 3, ""},
		{"POST", "/channel/transfer", "Platform-TenantId", "blue", "", "blue", "other", "pay", 4, ""},
		{"GET", "/ping", "", "", "", "green", "channel", "ping", 3, ""},
		{"POST", "/channel/transfer", "Platform-TenantId", "gb", "NO_SUCH_TENANT", "", "", "", 0, ""},
		{"POST", "/channel/transfer", "", "", "TENANT_MISSING", "", "", "", 0, ""},
		{"PUT", "/parties/MSISDN/123", "FSPIOP-Destination", "green", "NO_SUCH_TENANT", "", "", "", 0, ""},
		{"GET", "/parties/MSISDN/123", "FSPIOP-Destination", "gb", "METHOD_NOT_ALLOWED", "", "", "", 0, ""},
		{"PUT", "/parties/MSISDN/", "FSPIOP-Destination", "gb", "NO_SUCH_ROUTE", "", "", "", 0, ""},
		{"PUT", "/parties/MSISDN", "FSPIOP-Destination", "gb", "NO_SUCH_ROUTE", "", "", "", 0, ""},
		{"PUT", "//parties/MSISDN/1", "FSPIOP-Destination", "gb", "NO_SUCH_ROUTE", "", "", "", 0, ""},
		{"PUT", "/parties/MSISDN/%zz", "FSPIOP-Destination", "gb", "BAD_PATH", "", "", "", 0, ""},
		{"GET", "/", "", "", "NO_SUCH_ROUTE", "", "", "", 0, ""},
	} {
		header := http.Header{}
		if c.header != "" {
			header.Set(c.header, c.value)
		}
		target, problem := r.find(c.method, c.path, headerOf(header))
		if c.code != "" {
			if problem == nil || problem.Code != c.code {
				t.Errorf("%s %s: %v, want %s", c.method, c.path, problem, c.code)
			}
			continue
		}
		if problem != nil {
			t.Errorf("%s %s: %v", c.method, c.path, problem)
			continue
		}
		params := ""
		for _, p := range target.Params {
			params += p.Key + "=" + p.Value + " "
		}
		if target.Tenant != c.tenant || target.Connector != c.connector || target.Route.Name != c.route ||
			target.Digest != (Digest{c.digest}) || params != c.params {
			t.Errorf("%s %s: %+v with %q", c.method, c.path, target, params)
		}
	}
	two := http.Header{"Platform-Tenantid": {"green", "blue"}}
	if _, problem := r.find("POST", "/channel/transfer", headerOf(two)); problem == nil || problem.Code != "TENANT_MISSING" {
		t.Errorf("two tenants at once: %v", problem)
	}
	if !r.modules[Digest{5}] {
		t.Error("a module whose manifest cannot be read is not missed")
	}
}

func TestShape(t *testing.T) {
	for path, want := range map[string]string{
		"/transfers":           "PUT /transfers",
		"/parties/{type}/{id}": "PUT /parties/{}/{}",
		"/":                    "PUT /",
	} {
		if got := newPattern("c", &sdkv1.Route{Method: "PUT", Path: path}).shape(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
