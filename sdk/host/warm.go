package host

import "context"

// Warm makes instances for a tenant until as many are alive as may run at once, so
// that its first steps need not wait for any to be made. Those that are not used are
// given back after a while, as any are.
func (m *Module) Warm(ctx context.Context, tenant string) error {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.closed {
		return m.failure(Closed, "", nil)
	}
	p := m.pool(tenant)
	for p.instances.Load() < int64(m.options.Instances) {
		i, err := m.NewInstance(ctx)
		if err != nil {
			return err
		}
		i.join(p)
		m.put(p, i)
	}
	return nil
}
