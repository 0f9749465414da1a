package connector

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// endpointConfig is what a tenant says of one endpoint. What it leaves out has the
// value that egress.Config documents; only url must be there.
//
//	"ledger": {
//	  "url": "https://ledger.bank.example/api",
//	  "mode": "keyed",
//	  "allow": ["10.1.0.0/16"],
//	  "tls": {"certificate": "bank_client", "ca": "bank_ca", "server_name": "ledger.bank.example",
//	          "pins": ["pin-sha256=\"d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=\""]},
//	  "timeout_ms": 5000, "wait_ms": 2000, "retries": 1,
//	  "headers": {"authorization": "Bearer {{secret:bank_token}}"},
//	  "secrets": ["bank_token"],
//	  "request_headers": {"allow": ["content-type", "x-request-id"]},
//	  "response_headers": {"deny": ["x-powered-by"]},
//	  "request_max_bytes": 65536, "response_max_bytes": 262144,
//	  "connections": 32, "rate_per_second": 200,
//	  "breaker": {"share": 0.5, "calls": 20, "within_ms": 10000, "open_ms": 5000, "trials": 3}
//	}
//
// Secrets, certificates, keys and authorities are named; their files are
// <secrets_dir>/<tenant>/<name>, and may be replaced at any time (core/secret).
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

	TLS             tlsConfig     `json:"tls"`
	RequestHeaders  headerRules   `json:"request_headers"` // of a guest
	ResponseHeaders headerRules   `json:"response_headers"`
	RequestMax      int64         `json:"request_max_bytes"`
	WaitMS          int64         `json:"wait_ms"` // for room, before an attempt's timeout_ms begin
	Breaker         breakerConfig `json:"breaker"`
}

type tlsConfig struct {
	Certificate string   `json:"certificate"` // chain and key in one file
	Key         string   `json:"key"`         // a file of its own, else empty
	CA          string   `json:"ca"`
	ServerName  string   `json:"server_name"`
	Pins        []string `json:"pins"`
}

type headerRules struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

type breakerConfig struct {
	Off      bool    `json:"off"`
	Share    float64 `json:"share"`
	Calls    int     `json:"calls"`
	WithinMS int64   `json:"within_ms"`
	OpenMS   int64   `json:"open_ms"`
	Trials   int     `json:"trials"`
}

func (b breakerConfig) bind() egress.Breaker {
	const hour = int64(time.Hour / time.Millisecond)
	return egress.Breaker{
		Off: b.Off, Share: b.Share, Calls: b.Calls, Trials: b.Trials,
		// More than an hour is refused, and must not come round to less on the way.
		Within: time.Duration(min(b.WithinMS, hour+1)) * time.Millisecond,
		Open:   time.Duration(min(b.OpenMS, hour+1)) * time.Millisecond,
	}
}

const timeoutMaxMS = 120_000

// bind joins the tenant's side of an endpoint with the manifest's.
func (c endpointConfig) bind(tenant string, version uint64, connector string, declared *sdkv1.Endpoint) (egress.Config, error) {
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
	if c.RequestMax < 0 || c.WaitMS < 0 || c.WaitMS > timeoutMaxMS {
		return fail("request_max_bytes may not be negative, wait_ms is 0 to %d", timeoutMaxMS)
	}
	if c.RatePerSecond < 0 || c.Connections < 0 || c.Connections > 10_000 {
		return fail("rate_per_second and connections may not be negative, connections not above 10000")
	}
	allow, err := prefixes(c.Allow)
	if err != nil {
		return fail("%w", err)
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
		RequestMax: c.RequestMax, WaitMax: time.Duration(c.WaitMS) * time.Millisecond, Version: version,
		RequestHeaders: egress.HeaderRules(c.RequestHeaders), ResponseHeaders: egress.HeaderRules(c.ResponseHeaders),
		TLS: egress.TLS(c.TLS), Breaker: c.Breaker.bind(),
	}, nil
}

var modes = map[string]enginev1.Mode{
	"safe":  enginev1.Mode_MODE_SAFE,
	"keyed": enginev1.Mode_MODE_KEYED,
	"ask":   enginev1.Mode_MODE_ASK,
	"never": enginev1.Mode_MODE_NEVER,
	"":      enginev1.Mode_MODE_NEVER,
}
