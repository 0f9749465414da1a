package main

import (
	"cmp"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// config is the tenant's configuration of this connector.
type config struct {
	// Institution is the tenant's name at the bank; the tenant's id unless set.
	Institution string `json:"institution"`
	// FSPID is what the scheme calls the tenant; the tenant's id unless set.
	FSPID string `json:"fsp_id"`
	// SettleMS is how long after a lost answer the bank's "never seen" is
	// believed: longer than the bank works on a request at most, which is 10 s for
	// the example bank. 12000 unless set.
	SettleMS int64 `json:"settle_ms"`
}

func (c config) settle() time.Duration { return time.Duration(c.SettleMS) * time.Millisecond }

var readConfig = connector.PerConfig(func(c *connector.Context) (config, error) {
	var cfg config
	if err := c.Config(&cfg); err != nil {
		return cfg, err
	}
	cfg.Institution = cmp.Or(cfg.Institution, c.Tenant())
	cfg.FSPID = cmp.Or(cfg.FSPID, c.Tenant())
	if cfg.SettleMS <= 0 {
		cfg.SettleMS = 12_000
	}
	return cfg, nil
})
