package host_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// BenchmarkStep measures one step of a Go guest that completes at once, from the
// request's struct to the reply's.
func BenchmarkStep(b *testing.B) {
	module, err := build.Module(b.Context(), "testdata/probe")
	if err != nil {
		b.Fatal(err)
	}
	m, err := host.Open(b.Context(), module, host.Options{CacheDir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	for _, does := range []string{"complete", "json"} {
		b.Run(does, func(b *testing.B) {
			request := doing(does)
			b.ReportAllocs()
			for b.Loop() {
				reply, err := m.Step(b.Context(), "greenbank", request)
				if err != nil || reply.Outcome == nil {
					b.Fatal(reply, err)
				}
			}
		})
	}
}

func doing(what string, history ...*sdkv1.Entry) *sdkv1.StepRequest {
	return &sdkv1.StepRequest{
		Trigger: &sdkv1.Trigger{TimeMs: 1_767_323_045_000, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type:    "probe",
			Payment: "00000000-0000-4000-8000-000000000001",
			Variables: []*sdkv1.Variable{
				{Name: "do", Json: []byte(`"` + what + `"`)},
				{Name: "payload", Json: []byte(`{"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713803912"}},"amount":{"amount":"230","currency":"TZS"}}`)},
			},
		}}},
		Seed:    []byte("0123456789abcdef0123456789abcdef"),
		History: history,
	}
}
