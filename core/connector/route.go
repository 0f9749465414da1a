package connector

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Target is where a request goes: a route of a module that is active for a
// tenant.
type Target struct {
	Tenant    string
	Version   uint64 // of the tenant's configuration
	Connector string
	Digest    Digest
	Route     *sdkv1.Route
	Params    []*sdkv1.Header // the path's segments, unescaped

	// A canary that takes weight of 10,000 requests; see Choose.
	canary      Digest
	canaryRoute *sdkv1.Route
	weight      uint32
}

// RouteError says why no route takes a request.
type RouteError struct {
	Status int // 400, 404 or 405
	Code   string
	Text   string
}

func (e *RouteError) Error() string { return e.Text }

// routes is a frozen table of every HTTP route that is active for any tenant.
type routes struct {
	patterns []*pattern
	tenants  map[string]uint64    // configuration version by tenant
	aliases  map[[2]string]string // (kind, value) → tenant
	modules  map[Digest]bool      // active for some tenant

	// The rows themselves: installed by digest.
	activations []*enginev1.Activation
	installed   map[Digest]*enginev1.Connector
}

// pattern is one route of one connector, for the tenants that have it active.
// Tenants with other digests of the connector share it while the route is the
// same.
type pattern struct {
	connector string
	method    string
	segments  []string // "{}" stands for any one
	names     []string // of the "{}", in order
	header    string   // names the tenant; empty: the only tenant
	alias     string
	active    map[string]activeRoute // by tenant
}

type activeRoute struct {
	digest Digest
	route  *sdkv1.Route

	canary      Digest
	canaryRoute *sdkv1.Route // nil: there is no canary
	weight      uint32
}

// buildRoutes makes the table from rows and the manifests they carry.
func buildRoutes(tenants []*enginev1.Tenant, activations []*enginev1.Activation, manifest func(connector string, digest []byte) *sdkv1.Manifest) *routes {
	r := &routes{
		tenants: make(map[string]uint64), aliases: make(map[[2]string]string), modules: make(map[Digest]bool),
	}
	for _, t := range tenants {
		r.tenants[t.Id] = t.Version
		for _, a := range t.Aliases {
			r.aliases[[2]string{a.Kind, a.Value}] = t.Id
		}
	}
	byShape := make(map[string]*pattern)
	for _, a := range activations {
		digest, ok := ToDigest(a.Digest)
		if !ok {
			continue
		}
		r.modules[digest] = true
		m := manifest(a.Connector, a.Digest)
		if m == nil {
			continue
		}
		var second *sdkv1.Manifest
		canary, running := ToDigest(a.Canary)
		if running {
			r.modules[canary] = true
			second = manifest(a.Connector, a.Canary)
		}
		for _, route := range m.Routes {
			shape := strings.Join([]string{a.Connector, route.Method, route.Path, route.TenantHeader, route.TenantAlias}, "\x00")
			p := byShape[shape]
			if p == nil {
				p = newPattern(a.Connector, route)
				byShape[shape] = p
				r.patterns = append(r.patterns, p)
			}
			active := activeRoute{digest: digest, route: route}
			if running {
				active.canary, active.weight = canary, a.CanaryWeight
				active.canaryRoute = twin(route, second)
			}
			p.active[a.Tenant] = active
		}
	}
	// The more is written out, the earlier a pattern is tried: /a/b before /a/{x}.
	slices.SortStableFunc(r.patterns, func(a, b *pattern) int {
		if c := cmp.Compare(len(a.names), len(b.names)); c != 0 {
			return c
		}
		return strings.Compare(a.connector+strings.Join(a.segments, "/"), b.connector+strings.Join(b.segments, "/"))
	})
	return r
}

func newPattern(connector string, route *sdkv1.Route) *pattern {
	p := &pattern{
		connector: connector, method: route.Method,
		header: route.TenantHeader, alias: route.TenantAlias, active: make(map[string]activeRoute),
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(route.Path, "/"), "/") {
		if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
			p.names = append(p.names, segment[1:len(segment)-1])
			segment = "{}"
		}
		p.segments = append(p.segments, segment)
	}
	return p
}

// shape names the requests that a pattern takes: the engine lets one connector of
// a tenant have it.
func (p *pattern) shape() string { return p.method + " /" + strings.Join(p.segments, "/") }

// match compares escaped segments, so that an escaped slash stays part of its
// segment.
func (p *pattern) match(segments []string) bool {
	if len(segments) != len(p.segments) {
		return false
	}
	for i, want := range p.segments {
		if want == "{}" && segments[i] != "" || want == segments[i] {
			continue
		}
		return false
	}
	return true
}

func (p *pattern) params(segments []string) ([]*sdkv1.Header, bool) {
	params := make([]*sdkv1.Header, 0, len(p.names))
	for i, want := range p.segments {
		if want != "{}" {
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, false
		}
		params = append(params, &sdkv1.Header{Key: p.names[len(params)], Value: value})
	}
	return params, true
}

// Header is a request's header: the first line of that name, in whatever case,
// and how many lines have it.
type Header func(name string) (value string, lines int)

// find picks the route of a request. The path decides which patterns come into
// question, the tenant that the request names decides between them.
func (r *routes) find(method, escapedPath string, header Header) (*Target, *RouteError) {
	segments := strings.Split(strings.TrimPrefix(escapedPath, "/"), "/")
	missing := &RouteError{Status: http.StatusNotFound, Code: "NO_SUCH_ROUTE", Text: "No connector serves this path."}
	for _, p := range r.patterns {
		if !p.match(segments) {
			continue
		}
		if p.method != method {
			if missing.Code == "NO_SUCH_ROUTE" {
				missing = &RouteError{Status: http.StatusMethodNotAllowed, Code: "METHOD_NOT_ALLOWED", Text: "The path does not take this method."}
			}
			continue
		}
		tenant, problem := r.tenant(p, header)
		if problem != nil {
			missing = problem
			continue
		}
		active := p.active[tenant]
		params, ok := p.params(segments)
		if !ok {
			return nil, &RouteError{Status: http.StatusBadRequest, Code: "BAD_PATH", Text: "The path is not well escaped."}
		}
		return &Target{
			Tenant: tenant, Version: r.tenants[tenant], Connector: p.connector,
			Digest: active.digest, Route: active.route, Params: params,
			canary: active.canary, canaryRoute: active.canaryRoute, weight: active.weight,
		}, nil
	}
	return nil, missing
}

// tenant finds out for whom a request is. An unknown tenant and one that does
// not have the connector are answered alike, so that strangers cannot list them.
func (r *routes) tenant(p *pattern, header Header) (string, *RouteError) {
	if p.header == "" {
		if len(p.active) != 1 {
			return "", &RouteError{Status: http.StatusNotFound, Code: "NO_SUCH_TENANT", Text: "The path does not say which tenant is meant."}
		}
		for tenant := range p.active {
			return tenant, nil
		}
	}
	tenant, lines := header(p.header)
	if lines != 1 || tenant == "" {
		return "", &RouteError{Status: http.StatusBadRequest, Code: "TENANT_MISSING", Text: "The header " + p.header + " must name the tenant once."}
	}
	if p.alias != "" {
		tenant = r.aliases[[2]string{p.alias, tenant}]
	}
	if _, ok := p.active[tenant]; !ok {
		return "", &RouteError{Status: http.StatusNotFound, Code: "NO_SUCH_TENANT", Text: "The header " + p.header + " names no tenant of this connector."}
	}
	return tenant, nil
}
