package main

import (
	"slices"
	"time"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// config is a tenant's configuration of this connector.
type config struct {
	// FSP is the tenant's id in the scheme. The tenant's id.
	FSP string `json:"fsp_id"`
	// Hubs are the names under which the hub itself sends callbacks. "hub", "Hub"
	// and "switch".
	Hubs []string `json:"hub_fsp_ids"`
	// Version is the FSPIOP version spoken. "1.1".
	Version string `json:"api_version"`
	// QuoteTTLMS is how long after its start a payment still wants a quote. 10 min.
	QuoteTTLMS int64 `json:"quote_ttl_ms"`
	// TransferTTLMS is how long after it was sent a transfer may still be made; the
	// quote's expiration may come first. 2 min.
	TransferTTLMS int64 `json:"transfer_ttl_ms"`
	// GraceMS is how long after a transfer's expiration the hub may still know
	// nothing of a transfer that it then makes. 10 s.
	GraceMS int64 `json:"grace_ms"`
}

// configOf reads the configuration, or says in a text for the operator what is
// wrong with it.
var configOf = connector.PerConfig(func(c *connector.Context) (_ config, problem string) {
	cfg := config{
		FSP: c.Tenant(), Hubs: []string{"hub", "Hub", "switch"}, Version: "1.1",
		QuoteTTLMS: 600_000, TransferTTLMS: 120_000, GraceMS: 10_000,
	}
	if err := c.Config(&cfg); err != nil {
		return cfg, err.Error()
	}
	switch {
	case !fspiop.ValidFSP(cfg.FSP):
		return cfg, "fsp_id is not an FSP id"
	case cfg.Version != "1.0" && cfg.Version != "1.1":
		return cfg, "api_version is neither 1.0 nor 1.1"
	case cfg.QuoteTTLMS < 1000 || cfg.QuoteTTLMS > 86_400_000:
		return cfg, "quote_ttl_ms is not between a second and a day"
	case cfg.TransferTTLMS < 1000 || cfg.TransferTTLMS > 86_400_000:
		return cfg, "transfer_ttl_ms is not between a second and a day"
	case cfg.GraceMS < 0 || cfg.GraceMS > 86_400_000:
		return cfg, "grace_ms is not between 0 and a day"
	}
	return cfg, ""
})

func (cfg config) isHub(fsp string) bool { return slices.Contains(cfg.Hubs, fsp) }

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
