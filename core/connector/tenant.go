package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// tenantConfig is the JSON of Tenant.config: what each connector is told, and
// where its endpoints are.
//
//	{"connectors": {"bank": {
//	  "config": {"branch": "1"},
//	  "endpoints": {"ledger": {
//	    "url": "https://ledger.bank.example/api", "mode": "keyed",
//	    "allow": ["10.1.0.0/16"], "timeout_ms": 5000,
//	    "headers": {"authorization": "Bearer {{secret:bank_token}}"},
//	    "secrets": ["bank_token"]}}}}}
//
// Unknown names are refused: a misspelt limit would otherwise be no limit.
type tenantConfig struct {
	Connectors map[string]connectorConfig `json:"connectors"`
}

type connectorConfig struct {
	Config    json.RawMessage           `json:"config"`
	Endpoints map[string]endpointConfig `json:"endpoints"`
}

type endpointConfig struct {
	URL string `json:"url"`
	// Mode is safe, keyed, ask or never. The manifest's counts too: the more
	// careful of the two is used. Empty: the manifest's.
	Mode          string            `json:"mode"`
	Allow         []string          `json:"allow"` // address ranges or addresses
	TimeoutMS     int64             `json:"timeout_ms"`
	Headers       map[string]string `json:"headers"`
	Secrets       []string          `json:"secrets"`
	ResponseMax   int64             `json:"response_max_bytes"`
	Retries       *int              `json:"retries"` // absent: 1
	RatePerSecond float64           `json:"rate_per_second"`
	Connections   int               `json:"connections"`
}

const timeoutMaxMS = 120_000

// parseTenant reads a tenant's configuration; an empty one binds nothing.
func parseTenant(text []byte) (*tenantConfig, error) {
	c := new(tenantConfig)
	if len(bytes.TrimSpace(text)) == 0 {
		return c, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("the tenant's configuration: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the tenant's configuration has text after its end")
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
		endpoints := c.Connectors[name].Endpoints
		for _, endpoint := range slices.Sorted(maps.Keys(endpoints)) {
			config, err := endpoints[endpoint].bind(tenant, name, &sdkv1.Endpoint{Name: endpoint, Mode: "safe"})
			if err != nil {
				return err
			}
			e, err := egress.New(config, around)
			if err != nil {
				return err
			}
			e.Close()
		}
	}
	return nil
}

// bind joins the tenant's side of an endpoint with the manifest's.
func (c endpointConfig) bind(tenant, connector string, declared *sdkv1.Endpoint) (egress.Config, error) {
	fail := func(format string, args ...any) (egress.Config, error) {
		return egress.Config{}, fmt.Errorf("endpoint %s of connector %s: "+format,
			append([]any{declared.Name, connector}, args...)...)
	}
	mode, known := modes[declared.Mode]
	if !known {
		return fail("the manifest's mode %q is none of safe, keyed, ask and never", declared.Mode)
	}
	if c.Mode != "" {
		own, known := modes[c.Mode]
		if !known {
			return fail("mode %q is none of safe, keyed, ask and never", c.Mode)
		}
		mode = max(mode, own) // the numbers ascend from safe to never
	}
	if c.TimeoutMS < 0 || c.TimeoutMS > timeoutMaxMS {
		return fail("timeout_ms is %d; 0 to %d are allowed", c.TimeoutMS, timeoutMaxMS)
	}
	if c.ResponseMax < 0 || c.ResponseMax > 4<<20 {
		return fail("response_max_bytes is %d; 0 to %d are allowed", c.ResponseMax, 4<<20)
	}
	if c.RatePerSecond < 0 || c.Connections < 0 || c.Connections > 10_000 {
		return fail("rate_per_second and connections may not be negative, connections not above 10000")
	}
	var allow []netip.Prefix
	for _, text := range c.Allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return fail("%q in allow is neither an address nor a range such as 10.1.0.0/16", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if prefix.Addr().Is4In6() {
			return fail("%q in allow would match nothing; write its IPv4 range", text)
		}
		allow = append(allow, prefix)
	}
	var headers []*sdkv1.Header
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		headers = append(headers, &sdkv1.Header{Key: name, Value: c.Headers[name]})
	}
	retries := 1
	if c.Retries != nil {
		retries = *c.Retries
	}
	return egress.Config{
		Connector: connector, Tenant: tenant, Name: declared.Name,
		URL: c.URL, Mode: mode, KeyHeader: declared.KeyHeader, Allow: allow,
		Timeout: time.Duration(c.TimeoutMS) * time.Millisecond,
		Headers: headers, Secrets: c.Secrets, ResponseMax: c.ResponseMax,
		Retries: retries, RatePerSecond: c.RatePerSecond, Connections: c.Connections,
	}, nil
}

var modes = map[string]enginev1.Mode{
	"safe":  enginev1.Mode_MODE_SAFE,
	"keyed": enginev1.Mode_MODE_KEYED,
	"ask":   enginev1.Mode_MODE_ASK,
	"never": enginev1.Mode_MODE_NEVER,
	"":      enginev1.Mode_MODE_NEVER,
}
