package connector

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/core/caller"
	"github.com/railhead-hub/railhead/core/secret"
)

// routeConfig is what a tenant says of one of a connector's routes, by the name that
// the manifest gives it.
type routeConfig struct {
	// Auth takes the place of the connector's.
	Auth json.RawMessage `json:"auth"`
}

// auth is who may call a connector's routes, read in.
type auth struct {
	all     *caller.Rule // nil: nothing is said
	allErr  error
	byRoute map[string]*caller.Rule
	errs    map[string]error
}

// newAuth reads what a tenant says of a connector's callers. Package caller documents
// the schema. What is wrong is kept, and is the answer to whoever asks.
func newAuth(c connectorConfig, tenant string, secrets *secret.Store) *auth {
	a := &auth{byRoute: make(map[string]*caller.Rule), errs: make(map[string]error)}
	if len(c.Auth) > 0 {
		a.all, a.allErr = caller.New(c.Auth, tenant, secrets)
	}
	for name, route := range c.Routes {
		if len(route.Auth) == 0 {
			continue
		}
		rule, err := caller.New(route.Auth, tenant, secrets)
		if err != nil {
			a.errs[name] = fmt.Errorf("route %s: %w", name, err)
			continue
		}
		a.byRoute[name] = rule
	}
	return a
}

// check is the first fault.
func (a *auth) check() error {
	if a.allErr != nil {
		return a.allErr
	}
	for _, name := range slices.Sorted(maps.Keys(a.errs)) {
		return a.errs[name]
	}
	return nil
}

// Auth is how callers of a route are found out; nil when the tenant has said nothing
// about it, which lets nobody in. An error says that this node cannot find out now.
func (b *Binding) Auth(route string) (*caller.Rule, error) {
	a, _ := b.auth.get() // its faults are those of single rules
	if rule := a.byRoute[route]; rule != nil {
		return rule, nil
	}
	if err := a.errs[route]; err != nil {
		return nil, err
	}
	return a.all, a.allErr
}
