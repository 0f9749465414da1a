package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Limits on a manifest's own size.
const (
	// MaxBytes bounds the encoded manifest.
	MaxBytes = 256 << 10
	// ListMax bounds each of its lists.
	ListMax = 1000
	// BodyMaxBytes bounds what a route may take.
	BodyMaxBytes = 8 << 20
)

var (
	kebab  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	ident  = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
		`(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
	jobType = regexp.MustCompile(`^([A-Za-z0-9_.-]|\{tenant\})+$`)
	segment = regexp.MustCompile(`^(\{[A-Za-z][A-Za-z0-9_]*\}|[A-Za-z0-9_.~!$&'()*+,;=:@%-]+)$`)
	token   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	field   = regexp.MustCompile(`^[^\x00-\x1f]{1,128}$`)
)

// Check says what is wrong with a manifest, if anything.
func Check(m *sdkv1.Manifest) error {
	c := checker{}
	c.mustf(kebab.MatchString(m.Name) && len(m.Name) <= 64, "name %q is not kebab-case of at most 64 characters", m.Name)
	c.mustf(semver.MatchString(m.Version) && len(m.Version) <= 64, "version %q is not a semantic version", m.Version)
	switch m.Kind {
	case "ams", "channel", "scheme", "notify":
	default:
		c.mustf(false, "kind %q is none of ams, channel, scheme, notify", m.Kind)
	}
	c.mustf(len(m.Description) <= 1000, "description is longer than 1000 bytes")
	c.mustf(len(m.Jobs)+len(m.Routes)+len(m.Links)+len(m.Schedules) > 0, "it serves no jobs, routes, links or schedules")

	for _, j := range list(&c, "jobs", m.Jobs) {
		c.mustf(jobType.MatchString(j.GetType()) && len(j.GetType()) <= 128, "job type %q is not a job type", j.GetType())
		c.once("job type", j.GetType())
		for _, v := range list(&c, "inputs", j.GetInputs()) {
			c.mustf(field.MatchString(v), "job type %s: input %q is not a variable name", j.GetType(), v)
		}
		for _, v := range list(&c, "outputs", j.GetOutputs()) {
			c.mustf(field.MatchString(v), "job type %s: output %q is not a variable name", j.GetType(), v)
		}
		c.earlier(m, "undoes", j, j.GetUndoes())
		c.earlier(m, "settles", j, j.GetSettles())
	}
	for _, p := range list(&c, "publishes", m.Publishes) {
		c.mustf(field.MatchString(p.GetMessage()), "publishes: %q is not the name of a message", p.GetMessage())
		c.once("message", p.GetMessage())
		for _, v := range list(&c, "outputs", p.GetOutputs()) {
			c.mustf(field.MatchString(v), "message %s: output %q is not a variable name", p.GetMessage(), v)
		}
	}
	for _, v := range list(&c, "starts", m.Starts) {
		c.mustf(field.MatchString(v), "starts: %q is not a variable name", v)
	}
	shapes := map[string]string{}
	for _, r := range list(&c, "routes", m.Routes) {
		c.route(r, shapes)
	}
	for _, e := range list(&c, "endpoints", m.Endpoints) {
		c.mustf(ident.MatchString(e.GetName()), "endpoint name %q is not lower case", e.GetName())
		c.once("endpoint", e.GetName())
		switch e.GetMode() {
		case "safe", "keyed", "ask", "never":
		default:
			c.mustf(false, "endpoint %s: mode %q is none of safe, keyed, ask, never", e.GetName(), e.GetMode())
		}
		c.mustf(e.GetKeyHeader() == "" || token.MatchString(e.GetKeyHeader()), "endpoint %s: key_header is not a header name", e.GetName())
	}
	for _, l := range list(&c, "links", m.Links) {
		c.link(l)
	}
	c.schedules(list(&c, "schedules", m.Schedules))
	c.heirs(list(&c, "accepts_history_of", m.AcceptsHistoryOf))
	for _, s := range list(&c, "secrets", m.Secrets) {
		c.mustf(ident.MatchString(s), "secret name %q is not lower case", s)
		c.once("secret", s)
	}
	for _, k := range list(&c, "keys", m.Keys) {
		c.mustf(ident.MatchString(k), "key name %q is not lower case", k)
		c.once("key", k)
	}
	for _, s := range list(&c, "sensitive", m.Sensitive) {
		c.mustf(field.MatchString(s), "sensitive name %q is not a field name", s)
		c.once("sensitive", s)
	}
	c.mustf(m.Contract <= abi.ContractMinor, "contract %d is later than %d, which this railhead knows", m.Contract, abi.ContractMinor)
	limits := m.Limits
	if limits == nil {
		limits = new(sdkv1.Limits)
	}
	c.mustf(limits.MemoryMaxBytes <= abi.MemoryMaxBytes, "limits.memory_max_bytes is above %d", abi.MemoryMaxBytes)
	c.mustf(limits.StepMsMax <= abi.StepMaxMillis, "limits.step_ms_max is above %d", abi.StepMaxMillis)
	return c.err
}

// earlier checks that what a job undoes or settles are money jobs of the manifest.
func (c *checker) earlier(m *sdkv1.Manifest, what string, j *sdkv1.JobType, types []string) {
	for _, t := range list(c, what, types) {
		c.mustf(t != j.GetType() && slices.ContainsFunc(m.Jobs, func(o *sdkv1.JobType) bool {
			return o.GetType() == t && o.GetMoney()
		}), "job type %s %s %q, which is no other money job of it", j.GetType(), what, t)
	}
}

// checker keeps the first complaint.
type checker struct {
	err  error
	seen map[string]bool
}

func (c *checker) mustf(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("manifest: "+format, args...)
	}
}

func (c *checker) once(what, name string) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.mustf(!c.seen[what+" "+name], "%s %q is declared twice", what, name)
	c.seen[what+" "+name] = true
}

// list refuses a list that is too long before anything looks at it.
func list[T any](c *checker, name string, l []T) []T {
	c.mustf(len(l) <= ListMax, "%s has more than %d entries", name, ListMax)
	return l[:min(len(l), ListMax)]
}

func (c *checker) route(r *sdkv1.Route, shapes map[string]string) {
	name := r.GetName()
	c.mustf(ident.MatchString(name), "route name %q is not lower case", name)
	c.once("route", name)
	switch r.GetMethod() {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD":
	default:
		c.mustf(false, "route %s: method %q is not one in capitals", name, r.GetMethod())
	}
	path := r.GetPath()
	c.mustf(strings.HasPrefix(path, "/") && len(path) <= 512, "route %s: path %q does not begin with /", name, path)
	params := map[string]bool{}
	shape := []string{r.GetMethod()}
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		c.mustf(path == "/" || segment.MatchString(s), "route %s: %q is not a path segment or {name}", name, s)
		if strings.HasPrefix(s, "{") {
			c.mustf(!params[s], "route %s: %s stands twice", name, s)
			params[s] = true
			s = "{}"
		}
		shape = append(shape, s)
	}
	key := strings.Join(shape, "/")
	c.mustf(shapes[key] == "", "routes %s and %s match the same requests", shapes[key], name)
	shapes[key] = name
	c.mustf(r.GetTenantHeader() == "" || token.MatchString(r.GetTenantHeader()), "route %s: tenant_header is not a header name", name)
	c.mustf(r.GetTenantAlias() == "" || ident.MatchString(r.GetTenantAlias()), "route %s: tenant_alias is not lower case", name)
	c.mustf(r.GetBodyMax() <= BodyMaxBytes, "route %s: body_max is above %d", name, BodyMaxBytes)
}
