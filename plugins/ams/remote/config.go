package main

import (
	"cmp"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// config is the tenant's configuration of this connector.
type config struct {
	// FSPID is what the scheme calls the tenant; the tenant's id unless set.
	FSPID string `json:"fsp_id"`
	// Institution stands in the terms of money effects for the bank itself; the
	// tenant's id unless set.
	Institution string `json:"institution"`
	// Authorization is the value of the header Authorization, with a reference to a
	// secret; "Bearer {{secret:service_token}}" unless set.
	Authorization string `json:"authorization"`
	// BPMNErrors are the service's refusal codes that end a job with a BPMN error,
	// for flows that catch them, in place of the job's flag.
	BPMNErrors []string `json:"bpmn_errors"`
	// SettleMS is how long after a lost answer the service's "never seen" is
	// believed: longer than it works on a request at most. 12000 unless set.
	SettleMS int64 `json:"settle_ms"`
}

func (c config) settle() time.Duration { return time.Duration(c.SettleMS) * time.Millisecond }

var readConfig = connector.PerConfig(func(c *connector.Context) (config, error) {
	var cfg config
	if err := c.Config(&cfg); err != nil {
		return cfg, err
	}
	cfg.FSPID = cmp.Or(cfg.FSPID, c.Tenant())
	cfg.Institution = cmp.Or(cfg.Institution, c.Tenant())
	cfg.Authorization = cmp.Or(cfg.Authorization, "Bearer {{secret:service_token}}")
	if cfg.SettleMS <= 0 {
		cfg.SettleMS = 12_000
	}
	return cfg, nil
})
