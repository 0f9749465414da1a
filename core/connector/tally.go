package connector

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/railhead-hub/railhead/sdk/host"
)

// Tally counts what became of a module's work for one tenant on this node: attempts of
// jobs, and requests. The sandbox counts steps, fuel and memory itself.
type Tally struct{ attempts, failures, traps atomic.Uint64 }

// Ended counts an attempt or a request; failed is one that ended with Fail or Doubt.
// A nil *Tally counts nothing.
func (t *Tally) Ended(failed bool) {
	if t == nil {
		return
	}
	t.attempts.Add(1)
	if failed {
		t.failures.Add(1)
	}
}

// Trapped counts one that ended because the guest could not go on: a trap, a mismatch,
// an error of its own, an answer that is none. It is counted as failed as well.
func (t *Tally) Trapped() {
	if t != nil {
		t.traps.Add(1)
	}
}

// Counts is a Tally at one moment.
type Counts struct{ Attempts, Failures, Traps uint64 }

// Less is what was counted since an earlier moment.
func (c Counts) Less(before Counts) Counts {
	return Counts{c.Attempts - before.Attempts, c.Failures - before.Failures, c.Traps - before.Traps}
}

func (t *Tally) counts() Counts {
	return Counts{Attempts: t.attempts.Load(), Failures: t.failures.Load(), Traps: t.traps.Load()}
}

// Tally is the module's for a tenant.
func (m *Module) Tally(tenant string) *Tally {
	t, known := m.tallies.Load(tenant)
	if !known {
		t, _ = m.tallies.LoadOrStore(tenant, new(Tally))
	}
	return t.(*Tally)
}

// Counts is what a module did for a tenant on this node since it was loaded.
func (r *Registry) Counts(tenant string, digest Digest) Counts {
	m := r.loaded(digest)
	if m == nil {
		return Counts{}
	}
	return m.Tally(tenant).counts()
}

// Stat is what one module did for one tenant on this node since it was loaded.
type Stat struct {
	Tenant string
	Digest Digest
	Counts
	host.Stats
}

// Stats lists what modules did on this node, by digest and tenant.
func (r *Registry) Stats() []Stat {
	var out []Stat
	for _, m := range r.all() {
		tenants := map[string]host.Stats{}
		if counted, ok := m.Stepper.(interface{ TenantStats() map[string]host.Stats }); ok {
			tenants = counted.TenantStats()
		}
		m.tallies.Range(func(tenant, _ any) bool {
			if _, known := tenants[tenant.(string)]; !known {
				tenants[tenant.(string)] = host.Stats{}
			}
			return true
		})
		for tenant, stats := range tenants {
			out = append(out, Stat{Tenant: tenant, Digest: m.Digest, Counts: m.Tally(tenant).counts(), Stats: stats})
		}
	}
	slices.SortFunc(out, func(a, b Stat) int {
		return cmp.Or(slices.Compare(a.Digest[:], b.Digest[:]), cmp.Compare(a.Tenant, b.Tenant))
	})
	return out
}

func (r *Registry) all() []*Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Module, 0, len(r.modules))
	for _, m := range r.modules {
		out = append(out, m)
	}
	return out
}

// ReadyModules lists the modules that are compiled on this node.
func (r *Registry) ReadyModules() [][]byte {
	var out [][]byte
	for _, m := range r.all() {
		out = append(out, m.Digest[:])
	}
	slices.SortFunc(out, slices.Compare)
	return out
}
