package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

const (
	defaultRetentionMS = 30 * 24 * 3600 * 1000
	limitRetentionMS   = 100 * 366 * 24 * 3600 * 1000
)

func tenantKey(id string) Key { return Key{Table: TableTenant, S: id} }

func aliasKey(kind, value string) Key { return Key{Table: TableAlias, S: kind + "\x00" + value} }

// putTenant adds or replaces a tenant. Older configurations stay for the jobs
// that are pinned to them.
func (a *application) putTenant(c *enginev1.PutTenant) *enginev1.Event {
	if c.Tenant == nil || !validName(c.Tenant.Id) {
		a.refuse(CodeBadCommand, "A tenant id is 1 to 64 letters, digits, dots, dashes or underscores.")
	}
	if c.Tenant.RetentionMs < 0 || c.Tenant.RetentionMs > limitRetentionMS {
		a.refuse(CodeBadCommand, "Receipts are kept for at most 100 years.")
	}
	if ms := c.Tenant.RetentionMs; ms > 0 && ms < a.minRetention() {
		a.setMeta(func(m *enginev1.Meta) { m.MinRetentionMs = ms })
	}
	tenant := copyOf(c.Tenant)
	tenant.Version = a.stamp.Index
	if old, found := get[*enginev1.Tenant](a, tenantKey(tenant.Id)); found {
		for _, alias := range old.Aliases {
			a.delete(aliasKey(alias.Kind, alias.Value))
		}
	}
	for _, alias := range tenant.Aliases {
		k := aliasKey(alias.Kind, alias.Value)
		if owner, taken := get[*enginev1.Tenant](a, k); taken && owner.Id != tenant.Id {
			a.refuse(CodeAliasTaken, "The alias "+quote(alias.Kind+" "+alias.Value)+" belongs to tenant "+quote(owner.Id)+".")
		}
		a.put(k, &enginev1.Tenant{Id: tenant.Id})
	}
	a.put(tenantKey(tenant.Id), tenant)
	a.put(Key{Table: TableTenantVersion, S: tenant.Id, A: tenant.Version}, &enginev1.TenantVersion{Config: tenant.Config})
	a.hint(Hint{Kind: HintConfig})
	return a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_TENANT_PUT, Tenant: tenant.Id, Name: tenant.Name, Actor: c.Actor,
	})
}

func validName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		return !letter && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	})
}

func (a *application) mustBeTenant(id string) *enginev1.Tenant {
	t, found := get[*enginev1.Tenant](a, tenantKey(id))
	if !found {
		a.refuse(CodeTenantUnknown, "There is no tenant "+quote(id)+".")
	}
	return t
}

// retention is how long receipts and ids of a tenant are kept.
func (a *application) retention(tenant string) int64 {
	if t, found := get[*enginev1.Tenant](a, tenantKey(tenant)); found && t.RetentionMs > 0 {
		return t.RetentionMs
	}
	return defaultRetentionMS
}

// minRetention is a bound below which no row of any tenant is past.
func (a *application) minRetention() int64 {
	if a.meta.MinRetentionMs > 0 {
		return a.meta.MinRetentionMs
	}
	return defaultRetentionMS
}

// sequence takes the next number of a named counter.
func (a *application) sequence(c *enginev1.Sequence) *enginev1.Event {
	if c.Origin != nil {
		return a.asEffect(c.Origin, func(job *enginev1.Job) *enginev1.Event { return a.nextNumber(job.Tenant, c.Name) })
	}
	a.mustBeTenant(c.Tenant)
	return a.nextNumber(c.Tenant, c.Name)
}

func (a *application) nextNumber(tenant, name string) *enginev1.Event {
	if name == "" || len(name) > 200 || name[0] == 0 {
		a.refuse(CodeBadCommand, "A sequence has a name of 1 to 200 bytes, the first not zero.")
	}
	k := Key{Table: TableCounter, S: tenant + "\x00" + name}
	value := a.count64(k, 1)
	return a.frame(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SEQUENCE_TAKEN, Tenant: tenant, Name: name, Value: value,
	})
}

// counted is the value of a counter row.
func (a *application) counted(k Key) uint64 {
	row, _ := get[*enginev1.Counter](a, k)
	return row.GetValue()
}

// count64 adds to a counter row and returns its new value.
func (a *application) count64(k Key, delta int64) uint64 {
	row := &enginev1.Counter{}
	if old, found := get[*enginev1.Counter](a, k); found {
		row = copyOf(old)
	}
	row.Value = uint64(int64(row.Value) + delta)
	if row.Value == 0 {
		a.delete(k)
	} else {
		a.put(k, row)
	}
	return row.Value
}
