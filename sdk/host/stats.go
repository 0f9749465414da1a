package host

import (
	"time"
)

// Stats says what a module has done since Open, for one tenant or for all.
type Stats struct {
	Steps    uint64 // that returned a reply
	Failures uint64 // instances thrown away: traps, mismatches, guests' own errors
	Retries  uint64 // steps repeated in a fresh instance

	// Fuel of the steps that returned a reply. Quantiles are right to within 6 %.
	FuelTotal        uint64
	FuelP50, FuelP99 int64
	// How long these steps took, without the wait for an instance. After the
	// first steps only some are timed.
	StepP50, StepP99 time.Duration

	Instances   int    // alive now
	MemoryBytes uint64 // of their linear memories
}

// timedSteps is how many steps of a tenant are all timed. Later one in timedEvery
// is, and counts as that many: looking at the clock twice costs a fifth of what a
// small guest costs.
const (
	timedSteps = 512
	timedEvery = 16
)

// Stats is a snapshot of what the module did for all tenants. Instances that are
// no tenant's, such as those of NewInstance, count too.
func (m *Module) Stats() Stats {
	var out Stats
	var fuel, nanos counts
	m.pools.Range(func(_, p any) bool {
		p.(*pool).addTo(&out, &fuel, &nanos)
		return true
	})
	out.quantiles(&fuel, &nanos)
	out.Failures += m.failures.Load()
	out.Instances = int(m.instances.Load())
	out.MemoryBytes = uint64(m.memory.Load())
	return out
}

// TenantStats is a snapshot of what the module did for each tenant that it has
// served.
func (m *Module) TenantStats() map[string]Stats {
	out := map[string]Stats{}
	m.pools.Range(func(tenant, p any) bool {
		var s Stats
		var fuel, nanos counts
		p.(*pool).addTo(&s, &fuel, &nanos)
		s.quantiles(&fuel, &nanos)
		out[tenant.(string)] = s
		return true
	})
	return out
}

func (s *Stats) quantiles(fuel, nanos *counts) {
	s.FuelP50, s.FuelP99 = fuel.quantile(500), fuel.quantile(990)
	s.StepP50, s.StepP99 = time.Duration(nanos.quantile(500)), time.Duration(nanos.quantile(990))
}

func (p *pool) addTo(s *Stats, fuel, nanos *counts) {
	s.Steps += p.steps.Load()
	s.Failures += p.failures.Load()
	s.Retries += p.retries.Load()
	s.FuelTotal += p.fuelTotal.Load()
	s.Instances += int(p.instances.Load())
	s.MemoryBytes += uint64(p.memory.Load())
	fuel.take(&p.fuel)
	nanos.take(&p.nanos)
}
