package main

import (
	"strings"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// config is a tenant's configuration of this connector.
type config struct {
	// Flow is the process a transfer starts; {tenant} stands for the tenant's id.
	// "PayerFundTransfer-{tenant}".
	Flow string `json:"flow"`
	// FSP is the tenant's id in the scheme. The tenant's id.
	FSP string `json:"fsp_id"`
	// DestinationFSP is where payees are unless X-PayeeDFSP-ID says otherwise. Empty
	// leaves it to the look-up.
	DestinationFSP string `json:"destination_fsp_id"`
	// AutoConfirm answers for the payer that a quote is accepted. True. When it is
	// false, the message accept-quote has to come from elsewhere.
	AutoConfirm bool `json:"auto_confirm"`
	// CallbackPath, when set, is where on the endpoint "callback" the outcome of
	// each transfer is posted.
	CallbackPath string `json:"callback_path"`
}

// configOf reads the configuration, or says in a text for the operator what is
// wrong with it.
var configOf = connector.PerConfig(func(c *connector.Context) (_ config, problem string) {
	cfg := config{Flow: "PayerFundTransfer-{tenant}", FSP: c.Tenant(), AutoConfirm: true}
	if err := c.Config(&cfg); err != nil {
		return cfg, err.Error()
	}
	switch {
	case cfg.Flow == "":
		return cfg, "flow is empty"
	case cfg.CallbackPath != "" && cfg.CallbackPath[0] != '/':
		return cfg, "callback_path does not begin with /"
	}
	cfg.Flow = strings.ReplaceAll(cfg.Flow, "{tenant}", c.Tenant())
	return cfg, ""
})
