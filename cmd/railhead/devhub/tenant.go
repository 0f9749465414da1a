package devhub

import (
	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// demoTenant is the institution of the demonstration: greenbank, whose ledger is
// the example bank and whose scheme is the simulated one.
func demoTenant(bankURL, schemeURL string) (*corev1.Tenant, error) {
	bind := func(url string) endpoint {
		return endpoint{URL: url, Allow: []string{"127.0.0.1/32"}, TimeoutMs: 5000}
	}
	config, err := tenantConfig(map[string]connectorConfig{
		"bank":     {Endpoints: map[string]endpoint{"ledger": bind(bankURL)}},
		"mojaloop": {Endpoints: map[string]endpoint{"hub": bind(schemeURL), "hub-query": bind(schemeURL)}, Auth: anybody},
		// Our own flow in place of Payment Hub EE's, under whose name the channel
		// would look for it.
		"paymenthub": {Config: map[string]string{"flow": "payer-fund-transfer-{tenant}"}, Auth: anybody},
	})
	if err != nil {
		return nil, err
	}
	return &corev1.Tenant{
		Id: Tenant, Name: "Green Bank", Config: config,
		Aliases: []*corev1.Alias{{Kind: "fsp_id", Value: Tenant}},
	}, nil
}
