package engine

import (
	"bytes"
	"slices"
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

// limitSignatures bounds the signatures kept with a module.
const limitSignatures = 32

// installConnector records a module by digest. The same module again changes
// nothing, unless it brings signatures that are not known yet.
func (a *application) installConnector(c *enginev1.InstallConnector) *enginev1.Event {
	m := c.Connector
	if m == nil || !validName(m.Name) || len(m.Digest) != 32 || len(m.Signatures) > limitSignatures {
		a.refuse(CodeBadCommand, "A connector has a name, a SHA-256 digest and at most 32 signatures.")
	}
	k := connectorKey(m.Name, m.Digest)
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_INSTALLED, Type: m.Name, Name: m.Version,
		Digest: m.Digest, Actor: c.Actor,
	}
	if old, found := get[*enginev1.Connector](a, k); found {
		if !a.swaps() {
			return a.frame(ev)
		}
		row := copyOf(old)
		if row.Author == "" {
			row.Author = m.Author
		}
		row.Signatures = slices.Clip(row.Signatures)
		for _, s := range m.Signatures {
			known := slices.ContainsFunc(row.Signatures, func(k *enginev1.Signature) bool {
				return bytes.Equal(k.Key, s.Key) && k.Tenant == s.Tenant && k.Signer == s.Signer
			})
			if !known && m.Author == row.Author && len(row.Signatures) < limitSignatures {
				row.Signatures = append(row.Signatures, s)
			}
		}
		if len(row.Signatures) == len(old.Signatures) {
			return a.frame(ev)
		}
		a.put(k, row)
		a.hint(Hint{Kind: HintConfig})
		return a.tell(ev)
	}
	row := copyOf(m)
	row.InstalledMs = a.stamp.TimeMS
	if a.swaps() {
		row.InstalledBy = clip(c.Actor.GetName())
	}
	row.RevokedMs, row.RevokedReason = 0, ""
	a.put(k, row)
	a.hint(Hint{Kind: HintConfig})
	return a.tell(ev)
}

// weightAll is the weight of an activation that gets every new payment.
const weightAll = 10_000

// activateConnector makes one installed digest serve a tenant: all new payments, or
// as a canary a share of them. The digest before it is kept for a rollback. Payments
// keep the digest they began with.
func (a *application) activateConnector(c *enginev1.ActivateConnector) *enginev1.Event {
	a.mustBeTenant(c.Tenant)
	module, found := get[*enginev1.Connector](a, connectorKey(c.Connector, c.Digest))
	if !found {
		a.refuse(CodeConnectorUnknown, "Connector "+quote(c.Connector)+" is not installed with this digest.")
	}
	if module.RevokedMs != 0 {
		a.refuse(CodeConnectorRevoked, "This version of connector "+quote(c.Connector)+" has been revoked: "+clip(module.RevokedReason))
	}
	if c.Weight > weightAll {
		a.refuse(CodeBadCommand, "A weight is of 10,000 payments.")
	}
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_ACTIVATED, Tenant: c.Tenant, Type: c.Connector,
		Name: module.Version, Digest: c.Digest, Actor: c.Actor,
	}
	by, guard := "", (*enginev1.Guard)(nil)
	if a.swaps() {
		ev.Weight, by, guard = c.Weight, clip(c.Actor.GetName()), c.Guard
	}
	key := activationKey(c.Tenant, c.Connector)
	old, found := get[*enginev1.Activation](a, key)
	if !found {
		old = &enginev1.Activation{Tenant: c.Tenant, Connector: c.Connector}
	}
	row := copyOf(old)
	row.Withdrawn = without(row.Withdrawn, c.Digest)
	if c.Weight > 0 && c.Weight < weightAll {
		a.mustSwap()
		a.activateCanary(c, row, module)
	} else {
		row.Canary, row.CanaryWeight, row.CanaryMs = nil, 0, 0
		if !bytes.Equal(old.Digest, c.Digest) {
			row.Digest, row.Previous = c.Digest, old.Digest
			row.ActivatedMs, row.ActivatedBy, row.Guard = a.stamp.TimeMS, by, guard
			a.unserveRevoked(old)
			a.serve(c.Tenant, a.module(c.Connector, old.Digest), module)
		} else if guard != nil {
			row.Guard = guard
		}
	}
	if found && bytes.Equal(encoded(row), encoded(old)) {
		return a.frame(ev)
	}
	a.put(key, row)
	a.hint(Hint{Kind: HintConfig})
	return a.tell(ev)
}

// activateCanary lets a second digest serve a share of the new payments. It must
// serve all that the digest beside it does: a payment that meets it first keeps it.
// What it serves beyond that waits until it serves all.
func (a *application) activateCanary(c *enginev1.ActivateConnector, row *enginev1.Activation, module *enginev1.Connector) {
	stable := a.module(c.Connector, row.Digest)
	switch {
	case stable == nil:
		a.refuse(CodeCanaryRefused, "Nothing serves the tenant beside which this version could be a canary; activate it for all payments.")
	case bytes.Equal(row.Digest, c.Digest):
		a.refuse(CodeCanaryRefused, "This version serves all payments already.")
	case len(row.Canary) > 0 && !bytes.Equal(row.Canary, c.Digest):
		a.refuse(CodeCanaryRefused, "Another version is the canary; roll it back or promote it first.")
	}
	if missing := lacks(module, stable); missing != "" {
		a.refuse(CodeCanaryRefused, "A canary serves all that the version beside it does; this one lacks "+missing+".")
	}
	if len(row.Canary) == 0 {
		row.CanaryMs = a.stamp.TimeMS
		row.ActivatedBy = clip(c.Actor.GetName())
	}
	row.Canary, row.CanaryWeight = c.Digest, c.Weight
	if c.Guard != nil || row.CanaryMs == a.stamp.TimeMS {
		row.Guard = c.Guard
	}
}

// lacks names the first job type or route of a module that another does not have.
func lacks(module, needs *enginev1.Connector) string {
	for _, t := range needs.JobTypes {
		if !slices.Contains(module.JobTypes, t) {
			return "job type " + quote(t)
		}
	}
	for _, r := range needs.Routes {
		if !slices.Contains(module.Routes, r) {
			return "the route " + quote(r)
		}
	}
	return ""
}

// module is an installed module; nil where there is none.
func (a *application) module(connector string, digest []byte) *enginev1.Connector {
	row, _ := get[*enginev1.Connector](a, connectorKey(connector, digest))
	return row
}

// serve gives a tenant's job types and routes to a module in place of the one that
// had them; before may be nil.
func (a *application) serve(tenant string, before, module *enginev1.Connector) {
	if code, why := a.conflict(tenant, module); code != "" {
		a.refuse(code, why)
	}
	if before != nil {
		a.unserve(tenant, before)
	}
	a.reschedule(tenant, before, module)
	for _, t := range module.JobTypes {
		a.put(jobRouteKey(tenant, forTenant(t, tenant)), &enginev1.JobRoute{Connector: module.Name})
	}
	for _, r := range module.Routes {
		a.put(routeKey(tenant, r), &enginev1.Route{Connector: module.Name})
	}
}

// unserve takes from a tenant the job types and routes that a module gave it.
func (a *application) unserve(tenant string, module *enginev1.Connector) {
	for _, t := range module.JobTypes {
		k := jobRouteKey(tenant, forTenant(t, tenant))
		if route, found := get[*enginev1.JobRoute](a, k); found && route.Connector == module.Name {
			a.delete(k)
		}
	}
	for _, r := range module.Routes {
		k := routeKey(tenant, r)
		if route, found := get[*enginev1.Route](a, k); found && route.Connector == module.Name {
			a.delete(k)
		}
	}
	for _, s := range module.Schedules {
		a.delete(jobRouteKey(tenant, ScheduleType(module.Name, s.Name)))
	}
}

// unserveRevoked takes away what a revoked version left behind with nothing to go back
// to: until another is activated its jobs stop behind incidents that say so, and from
// then on what the other does not serve is anybody's.
func (a *application) unserveRevoked(act *enginev1.Activation) {
	if len(act.Digest) > 0 {
		return
	}
	for _, digest := range act.Withdrawn {
		if module := a.module(act.Connector, digest); module != nil {
			a.unserve(act.Tenant, module)
		}
	}
}

// conflict says which job type or route of a module another connector of the tenant
// serves, if one does.
func (a *application) conflict(tenant string, module *enginev1.Connector) (code, why string) {
	for _, t := range module.JobTypes {
		jobType := forTenant(t, tenant)
		if route, taken := get[*enginev1.JobRoute](a, jobRouteKey(tenant, jobType)); taken && route.Connector != module.Name {
			return CodeJobTypeTaken, "Job type " + quote(jobType) + " is served by connector " + quote(route.Connector) + "."
		}
	}
	for _, r := range module.Routes {
		if route, taken := get[*enginev1.Route](a, routeKey(tenant, r)); taken && route.Connector != module.Name {
			return CodeRouteTaken, "The route " + quote(r) + " is served by connector " + quote(route.Connector) + "."
		}
	}
	return "", ""
}

func forTenant(jobType, tenant string) string {
	return strings.ReplaceAll(jobType, "{tenant}", tenant)
}

func encoded(row *enginev1.Activation) []byte {
	b, err := row.MarshalVTStrict()
	if err != nil {
		panic(err)
	}
	return b
}

// without is a list of digests less one; a list that lacks it is given back as it is.
func without(digests [][]byte, digest []byte) [][]byte {
	i := slices.IndexFunc(digests, func(d []byte) bool { return bytes.Equal(d, digest) })
	if i < 0 {
		return digests
	}
	return slices.Delete(slices.Clone(digests), i, i+1)
}
