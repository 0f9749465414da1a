package host

import "slices"

// Dump copies the memories of the instances that have run a step and wait for the
// next. It is for tests that look for what must not be there; with instances of up
// to 64 MiB it is for nothing else.
func (m *Module) Dump() [][]byte {
	m.use.RLock()
	defer m.use.RUnlock()
	var out [][]byte
	m.pools.Range(func(_, value any) bool {
		p := value.(*pool)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, i := range p.idle {
			if memory, ok := i.memory.Read(0, i.memory.Size()); ok && !m.closed {
				out = append(out, slices.Clone(memory))
			}
		}
		return true
	})
	return out
}
