package host_test

import (
	"context"
	"log/slog"
	"syscall"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	connector "github.com/railhead-hub/railhead/sdk/go"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/host/testdata/typical/handler"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// BenchmarkStep measures steps from the request's struct to the reply's, four
// ways: "crossing" is a guest that answers at once, so it is the host's own part;
// "guest" is a Go connector; "instance" is the same without the pool; "native" is
// the same handler called as a Go function, bytes in and bytes out. cpu-ns/op
// counts the process's time on a processor: on a machine that is busy with other
// things, compare that. fuel/op is the same on every machine and in every run
// that collects garbage at the same steps.
func BenchmarkStep(b *testing.B) {
	connector.Serve(handler.Connector)
	module, err := build.Module(b.Context(), "testdata/typical")
	if err != nil {
		b.Fatal(err)
	}
	goGuest := openBench(b, module)
	crossing := openBench(b, guest{}.assemble(b))
	for _, s := range []struct {
		name    string
		request *sdkv1.StepRequest
	}{
		{"empty", typical("empty")},
		{"lean", lean(typical("empty"))},
		{"config-once", lean(typical("config-once"))},
		{"config-each", lean(typical("config-each"))},
		{"ask", typical("block-funds")},
		{"job", answered(b, typical("block-funds"), 1, 201)},
		{"history-3", answered(b, typical("three-questions"), 3, 200)},
	} {
		encoded, err := s.request.MarshalVTStrict()
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range []struct {
			name   string
			module *host.Module
		}{{"crossing", crossing}, {"guest", goGuest}} {
			b.Run(s.name+"/"+way.name, func(b *testing.B) {
				measure(b, func() {
					reply, err := way.module.Step(b.Context(), "greenbank", s.request)
					if err != nil || reply.Outcome == nil && reply.Effects == nil {
						b.Fatal(reply, err)
					}
				})
			})
		}
		b.Run(s.name+"/instance", func(b *testing.B) {
			i, err := goGuest.NewInstance(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer i.Close(context.Background())
			fuel := int64(0)
			measure(b, func() {
				if _, err := i.Step(b.Context(), s.request); err != nil {
					b.Fatal(err)
				}
				fuel += i.FuelUsed()
			})
			b.ReportMetric(float64(fuel)/float64(b.N), "fuel/op")
			b.ReportMetric(float64(i.MemoryBytes())/(1<<20), "guest-MiB")
		})
		b.Run(s.name+"/native", func(b *testing.B) { measure(b, func() { connector.Step(encoded) }) })
	}
}

func openBench(b *testing.B, module []byte) *host.Module {
	b.Helper()
	m, err := host.Open(b.Context(), module, host.Options{CacheDir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// measure runs what is measured and reports the processor time it took, which
// includes that of the host's garbage collector.
func measure(b *testing.B, step func()) {
	b.Helper()
	for range 1000 { // past the first collections of garbage
		step()
	}
	b.ReportAllocs()
	before := cpuNanos()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(cpuNanos()-before)/float64(b.N), "cpu-ns/op")
}

func cpuNanos() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// typical is a request for a job with the variables that a payment has by then.
func typical(jobType string) *sdkv1.StepRequest {
	variable := func(name, json string) *sdkv1.Variable { return &sdkv1.Variable{Name: name, Json: []byte(json)} }
	return &sdkv1.StepRequest{
		Config: []byte(`{"institution":"greenbank","backoff":"2s"}`),
		Trigger: &sdkv1.Trigger{TimeMs: 1_767_323_045_000, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type: jobType, Payment: "00000000-0000-4000-8000-000000000001", Attempt: 1, Retries: 2,
			Element: "block-funds", Flow: "payer-fund-transfer-greenbank", PaymentStartedMs: 1_767_323_044_000,
			Headers: []*sdkv1.Header{{Key: "timeout", Value: "PT30S"}},
			Variables: []*sdkv1.Variable{
				variable("amount", `"12.50"`),
				variable("channelRequest", `{"payer":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"},"payee":{"partyIdType":"MSISDN","partyIdentifier":"27713803912"},"amount":{"amount":"12.50","currency":"TZS"}}`),
				variable("currency", `"TZS"`),
				variable("initiatorFspId", `"greenbank"`),
				variable("isRtpRequest", `false`),
				variable("partyLookupFailed", `false`),
				variable("payeeName", `"Asha Mwangi"`),
				variable("payerAccount", `"greenbank-27710101999-tzs"`),
				variable("quoteId", `"7c23e80c-d078-4077-8263-2c047876fcf6"`),
				variable("transactionId", `"00000000-0000-4000-8000-000000000001"`),
			},
		}}},
		Seed: []byte("0123456789abcdef0123456789abcdef"),
	}
}

// lean is a request for a job whose manifest asks for one variable.
func lean(request *sdkv1.StepRequest) *sdkv1.StepRequest {
	job := request.GetTrigger().GetJob()
	job.Variables, job.Headers = job.Variables[:1], nil
	return request
}

// answered lets the handler ask, and answers each question.
func answered(b *testing.B, request *sdkv1.StepRequest, times int, status uint32) *sdkv1.StepRequest {
	b.Helper()
	for range times {
		encoded, err := request.MarshalVTStrict()
		if err != nil {
			b.Fatal(err)
		}
		reply := new(sdkv1.StepReply)
		if err := reply.UnmarshalVT(connector.Step(encoded)); err != nil || len(reply.Effects) != 1 {
			b.Fatal(reply, err)
		}
		request.History = append(request.History, entry(reply.Effects[0], 1_767_323_045_100, &sdkv1.Answer{
			Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
				Status: status,
				Headers: []*sdkv1.Header{
					{Key: "content-type", Value: "application/json"}, {Key: "location", Value: "/holds/h-1"},
				},
				Body: []byte(`{"id":"h-1","account":"greenbank-27710101999-tzs","amount":"12.50","currency":"TZS","state":"open"}`),
			}},
		}))
	}
	return request
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
