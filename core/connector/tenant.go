package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/strictjson"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// tenantConfig is the JSON of Tenant.config: what each connector is told, and
// where its endpoints are, and who may call its routes.
//
//	{"connectors": {
//	  "bank": {
//	    "config": {"branch": "1"},
//	    "endpoints": {"ledger": {
//	      "url": "https://ledger.bank.example/api", "mode": "keyed",
//	      "allow": ["10.1.0.0/16"], "timeout_ms": 5000,
//	      "headers": {"authorization": "Bearer {{secret:bank_token}}"},
//	      "secrets": ["bank_token"]}}},
//	  "paymenthub": {
//	    "auth": {"kind": "api_key", "keys": [{"secret": "branch_key", "principal": "branches"}]},
//	    "routes": {"callback": {"auth": {"kind": "none"}}}}}}
//
// endpointConfig has all that may be said of an endpoint, package caller all that may
// be said of callers.
// Unknown names are refused: a misspelt limit would otherwise be no limit.
type tenantConfig struct {
	Connectors map[string]connectorConfig `json:"connectors"`
	Tokens     *keys.TokensConfig         `json:"tokens"` // see keys.go
}

type connectorConfig struct {
	Config    json.RawMessage           `json:"config"`
	Endpoints map[string]endpointConfig `json:"endpoints"`
	Keys      map[string]keys.Config    `json:"keys"`
	Tokens    keys.TokensUse            `json:"tokens"`
	Links     map[string]linkConfig     `json:"links"`
	// Auth says who may call the connector's routes, Routes what differs for single
	// ones; see package caller. Nobody may call a route of which neither says anything.
	Auth   json.RawMessage        `json:"auth"`
	Routes map[string]routeConfig `json:"routes"`
}

// parseTenant reads a tenant's configuration; an empty one binds nothing.
func parseTenant(text []byte) (*tenantConfig, error) {
	c := new(tenantConfig)
	if len(bytes.TrimSpace(text)) == 0 {
		return c, nil
	}
	if err := strictjson.Decode(text, c); err != nil {
		return nil, fmt.Errorf("the tenant's configuration: %w", err)
	}
	for name, connector := range c.Connectors {
		if config := bytes.TrimSpace(connector.Config); len(config) > 0 && config[0] != '{' {
			return nil, fmt.Errorf("the configuration of connector %s must be a JSON object", name)
		}
	}
	return c, nil
}

// CheckTenant reports the first fault of a tenant's configuration as this node
// sees it, its secrets included.
func CheckTenant(tenant string, text []byte, around egress.Surroundings) error {
	c, err := parseTenant(text)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Connectors)) {
		if err := newAuth(c.Connectors[name], tenant, around.Secrets).check(); err != nil {
			return fmt.Errorf("connector %s: %w", name, err)
		}
		endpoints := c.Connectors[name].Endpoints
		for _, endpoint := range slices.Sorted(maps.Keys(endpoints)) {
			config, err := endpoints[endpoint].bind(tenant, 0, name, &sdkv1.Endpoint{Name: endpoint, Mode: "safe"})
			if err != nil {
				return err
			}
			e, err := egress.New(config, around)
			if err != nil {
				return err
			}
			e.Close()
		}
		if err := c.Connectors[name].checkLinks(tenant, name, around); err != nil {
			return err
		}
	}
	return nil
}
