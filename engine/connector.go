package engine

import (
	"bytes"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func connectorKey(name string, digest []byte) Key {
	return Key{Table: TableConnector, S: name + "\x00" + string(digest)}
}

func activationKey(tenant, connector string) Key {
	return Key{Table: TableActivation, S: tenant + "\x00" + connector}
}

func jobRouteKey(tenant, jobType string) Key {
	return Key{Table: TableJobRoute, S: tenant + "\x00" + jobType}
}

func routeKey(tenant, route string) Key {
	return Key{Table: TableRoute, S: tenant + "\x00" + route}
}

// installConnector records a module by digest. The same module again changes
// nothing.
func (a *application) installConnector(c *enginev1.InstallConnector) *enginev1.Event {
	m := c.Connector
	if m == nil || !validName(m.Name) || len(m.Digest) != 32 {
		a.refuse(CodeBadCommand, "A connector has a name and a SHA-256 digest.")
	}
	k := connectorKey(m.Name, m.Digest)
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_INSTALLED, Type: m.Name, Name: m.Version,
		Digest: m.Digest, Actor: c.Actor,
	}
	if _, found := a.tx.Get(k); found {
		return a.frame(ev)
	}
	row := copyOf(m)
	row.InstalledMs = a.stamp.TimeMS
	a.put(k, row)
	a.hint(Hint{Kind: HintConfig})
	return a.tell(ev)
}

// activateConnector makes one installed digest serve a tenant; the activation
// before it is kept for a rollback. Payments keep the digest they began with.
func (a *application) activateConnector(c *enginev1.ActivateConnector) *enginev1.Event {
	a.mustBeTenant(c.Tenant)
	module, found := get[*enginev1.Connector](a, connectorKey(c.Connector, c.Digest))
	if !found {
		a.refuse(CodeConnectorUnknown, "Connector "+quote(c.Connector)+" is not installed with this digest.")
	}
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_ACTIVATED, Tenant: c.Tenant, Type: c.Connector,
		Name: module.Version, Digest: c.Digest, Actor: c.Actor,
	}
	row := &enginev1.Activation{Tenant: c.Tenant, Connector: c.Connector, Digest: c.Digest, ActivatedMs: a.stamp.TimeMS}
	if old, found := get[*enginev1.Activation](a, activationKey(c.Tenant, c.Connector)); found {
		if bytes.Equal(old.Digest, c.Digest) {
			return a.frame(ev)
		}
		row.Previous = old.Digest
		if before, found := get[*enginev1.Connector](a, connectorKey(c.Connector, old.Digest)); found {
			for _, t := range before.JobTypes {
				a.delete(jobRouteKey(c.Tenant, forTenant(t, c.Tenant)))
			}
			for _, r := range before.Routes {
				a.delete(routeKey(c.Tenant, r))
			}
		}
	}
	for _, t := range module.JobTypes {
		k := jobRouteKey(c.Tenant, forTenant(t, c.Tenant))
		if route, taken := get[*enginev1.JobRoute](a, k); taken && route.Connector != c.Connector {
			a.refuse(CodeJobTypeTaken, "Job type "+quote(forTenant(t, c.Tenant))+" is served by connector "+quote(route.Connector)+".")
		}
		a.put(k, &enginev1.JobRoute{Connector: c.Connector})
	}
	for _, r := range module.Routes {
		k := routeKey(c.Tenant, r)
		if route, taken := get[*enginev1.Route](a, k); taken && route.Connector != c.Connector {
			a.refuse(CodeRouteTaken, "The route "+quote(r)+" is served by connector "+quote(route.Connector)+".")
		}
		a.put(k, &enginev1.Route{Connector: c.Connector})
	}
	a.put(activationKey(c.Tenant, c.Connector), row)
	a.hint(Hint{Kind: HintConfig})
	return a.tell(ev)
}

func forTenant(jobType, tenant string) string {
	return strings.ReplaceAll(jobType, "{tenant}", tenant)
}

// route says which digest of which connector serves a job type for a payment. A
// payment keeps the first digest it met of each connector.
func (p *payment) route(jobType string) (connector string, digest []byte, found bool) {
	r, found := get[*enginev1.JobRoute](p.a, jobRouteKey(p.row.Tenant, jobType))
	if !found {
		return "", nil, false
	}
	for _, pin := range p.row.Pins {
		if pin.Connector == r.Connector {
			return r.Connector, pin.Digest, true
		}
	}
	act, found := get[*enginev1.Activation](p.a, activationKey(p.row.Tenant, r.Connector))
	if !found {
		return "", nil, false
	}
	p.row.Pins = append(p.row.Pins, &enginev1.ConnectorPin{Connector: r.Connector, Digest: act.Digest})
	return r.Connector, act.Digest, true
}
