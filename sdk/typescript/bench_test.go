package typescript_test

import (
	"context"
	"log/slog"
	"syscall"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// BenchmarkStep measures the steps of the sample connector: it asks for a hold, and
// it ends with the answer. cpu-ns/op is the process's time on a
// processor.
func BenchmarkStep(b *testing.B) {
	built := module(b, "ledger")
	m := open(b, built, host.Options{Log: slog.New(slog.DiscardHandler)})
	ask := &sdkv1.StepRequest{
		Seed: []byte("0123456789abcdef0123456789abcdef"),
		Trigger: &sdkv1.Trigger{TimeMs: 1_767_323_045_000, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type: "hold-{tenant}", Payment: "00000000-0000-4000-8000-000000000001", Attempt: 1,
			Variables: []*sdkv1.Variable{
				{Name: "account", Json: []byte(`"greenbank-27710101999-tzs"`)},
				{Name: "amount", Json: []byte(`"12.50"`)},
				{Name: "currency", Json: []byte(`"TZS"`)},
			},
		}}},
	}
	reply, err := m.Step(b.Context(), "greenbank", ask)
	if err != nil {
		b.Fatal(err)
	}
	answered := &sdkv1.StepRequest{Config: ask.Config, Trigger: ask.Trigger, Seed: ask.Seed, History: []*sdkv1.Entry{{
		Ordinal: 1, Digest: abi.EffectDigest(reply.Effects[0]), TimeMs: ask.Trigger.TimeMs + 100,
		Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 201}}},
	}}}
	for name, request := range map[string]*sdkv1.StepRequest{"ask": ask, "answered": answered} {
		b.Run(name, func(b *testing.B) {
			i, err := m.NewInstance(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer i.Close(context.Background())
			fuel := int64(0)
			b.ReportAllocs()
			before := cpuNanos()
			for b.Loop() {
				if _, err := i.Step(b.Context(), request); err != nil {
					b.Fatal(err)
				}
				fuel += i.FuelUsed()
			}
			b.ReportMetric(float64(cpuNanos()-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(fuel)/float64(b.N), "fuel/op")
			b.ReportMetric(float64(i.MemoryBytes())/(1<<20), "guest-MiB")
		})
	}
	b.Run("instance", func(b *testing.B) {
		for b.Loop() {
			i, err := m.NewInstance(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			i.Close(context.Background())
		}
	})
}

func cpuNanos() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
