package connector

import (
	"strings"
	"sync/atomic"
)

// PerConfig returns what read makes of the tenant's configuration, and calls read
// once for each configuration instead of in every step: reading a small one costs
// more than the rest of most steps. Keep the result in a package variable:
//
//	var settings = connector.PerConfig(func(c *connector.Context) (config, error) {
//		cfg := config{Currency: "TZS"}
//		err := c.Config(&cfg)
//		return cfg, err
//	})
//
// read may use the context's Config, ConfigJSON and Tenant and nothing else of it;
// an effect panics. Handlers share what it returned and must not change it.
func PerConfig[T, E any](read func(*Context) (T, E)) func(*Context) (T, E) {
	type reading struct {
		config, tenant string
		value          T
		problem        E
	}
	var last atomic.Pointer[reading] // natively, steps may run side by side
	return func(c *Context) (T, E) {
		r := last.Load()
		if r == nil || r.config != c.config || r.tenant != c.tenant {
			// Cloned, since a part of a request would keep all of it.
			r = &reading{config: strings.Clone(c.config), tenant: strings.Clone(c.tenant)}
			r.value, r.problem = read(&Context{config: r.config, tenant: r.tenant, reading: true})
			last.Store(r)
		}
		return r.value, r.problem
	}
}
