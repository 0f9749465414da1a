package connector_test

import (
	"testing"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// BenchmarkStep is the native twin of sdk/host's benchmark: the difference is
// what the sandbox costs.
func BenchmarkStep(b *testing.B) {
	request, err := doing("settle").MarshalVTStrict()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		connector.Step(request)
	}
}
