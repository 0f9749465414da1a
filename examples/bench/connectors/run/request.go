package main

import (
	"fmt"

	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// job is a request of about 260 bytes, for a job of the guests.
func job(jobType string, payment int) *sdkv1.StepRequest {
	return &sdkv1.StepRequest{
		Trigger: &sdkv1.Trigger{TimeMs: 1_767_323_045_000, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type: jobType, Payment: fmt.Sprintf("00000000-0000-4000-8000-%012d", payment), Attempt: 1,
			Variables: []*sdkv1.Variable{
				{Name: "amount", Json: []byte(`"12.50"`)},
				{Name: "currency", Json: []byte(`"TZS"`)},
				{Name: "transfer", Json: []byte(`{"account":"greenbank-27710101999-tzs","name":"Asha Mwangi","amount":"12.50","reference":"INV-2026-17"}`)},
			},
		}}},
		Seed: []byte("0123456789abcdef0123456789abcdef"),
	}
}

// native is the Go guest's code called as a Go function.
func native(request []byte) []byte { return connector.Step(request) }
