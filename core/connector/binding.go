package connector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Binding is one connector as one version of a tenant's configuration has it.
type Binding struct {
	// Module is what it binds.
	Module *Module
	// Tally counts what the module did for the tenant.
	Tally *Tally
	// Config is the JSON object the guest is given.
	Config []byte
	// Keys performs the effects that need keys.
	Keys      *keys.Ring
	connector string
	jobs      map[string]*sdkv1.JobType // by the type's name for this tenant
	endpoints map[string]*egress.Endpoint
	unbound   map[string]error                    // endpoints of which the tenant says nothing, or nonsense
	pending   map[string]*later[*egress.Endpoint] // those that could not be made
	links     map[string]boundLink
	auth      *later[*auth]
}

type bindingKey struct {
	tenant  string
	version uint64
	digest  Digest
}

// Endpoint is an endpoint that the manifest declares and the tenant has bound.
func (b *Binding) Endpoint(name string) (*egress.Endpoint, error) {
	if e := b.endpoints[name]; e != nil {
		return e, nil
	}
	if p := b.pending[name]; p != nil {
		return p.get()
	}
	if err := b.unbound[name]; err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the manifest of connector %s declares no endpoint %q", b.connector, name)
}

// Job is how the manifest declares a job type of the tenant; nil when it does not.
func (b *Binding) Job(jobType string) *sdkv1.JobType { return b.jobs[jobType] }

func (b *Binding) close() {
	b.Keys.Close()
	for _, e := range b.endpoints {
		e.Close()
	}
	for _, p := range b.pending {
		p.mu.Lock()
		if p.value != nil {
			p.value.Close()
		}
		p.mu.Unlock()
	}
}

// Bound is the binding of a module under a version of the tenant's configuration,
// if it has been made and need not be waited for; else nil.
func (r *Registry) Bound(tenant string, version uint64, digest Digest) *Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bindings[bindingKey{tenant, version, digest}]
}

// Bind returns a module's binding under the version of the tenant's
// configuration that a job is pinned to.
func (r *Registry) Bind(tenant string, version uint64, m *Module) (*Binding, error) {
	key := bindingKey{tenant, version, m.Digest}
	b := r.Bound(tenant, version, m.Digest)
	if b != nil {
		return b, nil
	}
	var text []byte
	err := r.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableTenantVersion, S: tenant, A: version})
		if !found {
			return fmt.Errorf("tenant %s has no configuration version %d", tenant, version)
		}
		text = row.(*enginev1.TenantVersion).Config
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err = r.bind(tenant, version, text, m)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.bindings[key]; first != nil {
		b.close()
		return first, nil
	}
	r.bindings[key] = b
	r.order = append(r.order, key)
	if len(r.order) > bindingsMax {
		// Whoever still uses it keeps it; only its idle connections go.
		r.bindings[r.order[0]].close()
		delete(r.bindings, r.order[0])
		r.order = r.order[1:]
	}
	return b, nil
}

// warnUndeclared tells of names in the tenant's configuration that the manifest does not
// have. They may be another version's, so they are no fault.
func (r *Registry) warnUndeclared(tenant string, own connectorConfig, m *Module) {
	warn := func(what, name string) {
		r.Logger.Warn("a tenant configures what the connector does not have",
			"tenant", tenant, "connector", m.manifest.Name, what, name)
	}
	for _, name := range slices.Sorted(maps.Keys(own.Routes)) {
		if !slices.ContainsFunc(m.manifest.Routes, func(route *sdkv1.Route) bool { return route.Name == name }) {
			warn("route", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own.Endpoints)) {
		if m.endpoints[name] == nil {
			warn("endpoint", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own.Links)) {
		if !slices.ContainsFunc(m.manifest.Links, func(link *sdkv1.Link) bool { return link.Name == name }) {
			warn("link", name)
		}
	}
}

func (r *Registry) bind(tenant string, version uint64, text []byte, m *Module) (*Binding, error) {
	c, err := parseTenant(text)
	if err != nil {
		return nil, err
	}
	if row := r.table.Load().installed[m.Digest]; row != nil {
		if _, err := r.Verify(row, tenant); err != nil {
			return nil, err
		}
	}
	own := c.Connectors[m.manifest.Name]
	b := &Binding{
		Module: m, Tally: m.Tally(tenant), Config: own.Config, connector: m.manifest.Name, jobs: make(map[string]*sdkv1.JobType),
		endpoints: make(map[string]*egress.Endpoint), unbound: make(map[string]error),
		pending: make(map[string]*later[*egress.Endpoint]),
	}
	readAuth := func() (*auth, error) {
		a := newAuth(own, tenant, r.Egress.Secrets)
		return a, a.check()
	}
	callers, err := readAuth()
	b.auth = newLater(callers, err, readAuth)
	if err != nil {
		r.Logger.Error("callers of a connector cannot be found out", "tenant", tenant, "connector", b.connector, "err", err)
	}
	r.warnUndeclared(tenant, own, m)
	b.Keys = keys.New(c.keys(tenant, m.manifest.Name, m.manifest.Keys), r.Keys)
	if len(b.Config) == 0 {
		b.Config = []byte("{}")
	}
	b.links = own.bindLinks(tenant, m.manifest)
	for _, j := range m.manifest.Jobs {
		b.jobs[strings.ReplaceAll(j.Type, "{tenant}", tenant)] = j
	}
	for _, s := range m.manifest.Schedules {
		jobType := engine.ScheduleType(m.manifest.Name, s.Name)
		b.jobs[jobType] = &sdkv1.JobType{Type: jobType}
	}
	for name, declared := range m.endpoints {
		bound, ok := own.Endpoints[name]
		if !ok {
			b.unbound[name] = fmt.Errorf("tenant %s has not bound endpoint %s of connector %s", tenant, name, b.connector)
			continue
		}
		config, err := bound.bind(tenant, version, b.connector, declared)
		if err != nil {
			b.unbound[name] = err
			r.Logger.Error("an endpoint cannot be bound", "tenant", tenant, "err", err)
			continue
		}
		// One bad endpoint does not take the others with it; whoever asks for it is told
		// why.
		open := func() (*egress.Endpoint, error) { return egress.New(config, r.Egress) }
		endpoint, err := open()
		if err != nil {
			r.Logger.Error("an endpoint cannot be bound", "tenant", tenant, "err", err)
			b.pending[name] = newLater(endpoint, err, open)
			continue
		}
		b.endpoints[name] = endpoint
	}
	return b, nil
}
