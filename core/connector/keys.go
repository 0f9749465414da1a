package connector

import (
	"fmt"
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/core/keys"
)

// keys are one connector's keys and what it may do with the tenant's tokens:
//
//	{"tokens": {"file": "tokens.key"},
//	 "connectors": {"cards": {
//	   "keys": {"jws": {"file": "jws.pem", "algorithms": ["PS256"], "uses": ["sign"]}},
//	   "tokens": {"tokenize": true, "detokenize": true}}}}
//
// The key of tokens belongs to the tenant, since all of its connectors have to give
// the same token for a value.
func (c *tenantConfig) keys(tenant, connector string, declared []string) keys.Bindings {
	own := c.Connectors[connector]
	return keys.Bindings{
		Tenant: tenant, Connector: connector, Declared: declared,
		Keys: own.Keys, Tokens: c.Tokens, Use: own.Tokens,
	}
}

// CheckKeys reports the first fault of a tenant's keys as this node sees them, their
// files included.
func CheckKeys(tenant string, text []byte, around keys.Surroundings) error {
	c, err := parseTenant(text)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Connectors)) {
		if err := keys.Check(c.keys(tenant, name, nil), around); err != nil {
			return fmt.Errorf("connector %s: %w", name, err)
		}
	}
	return nil
}
