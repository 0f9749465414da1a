package typescript_test

import (
	"context"
	"os"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
)

// module builds a connector of testdata.
func module(t testing.TB, name string) []byte {
	t.Helper()
	if _, err := build.FindClang(t.Context()); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs Debian's packages clang, lld, wasi-libc and libclang-rt-14-dev-wasm32")
	}
	out, err := build.Module(t.Context(), "testdata/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, module []byte, options host.Options) *host.Module {
	t.Helper()
	m, err := host.Open(t.Context(), module, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// The sample connector of sdk/conformance behaves alike in TypeScript.
func TestVectors(t *testing.T) {
	built := module(t, "ledger")
	vectors, err := conformance.Load("testdata/ledger")
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []host.Options{{}, {Interpreter: true}} {
		problems, err := conformance.Check(t.Context(), conformance.Module(open(t, built, options)), vectors)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Error(p)
		}
	}
	t.Logf("%d KiB", len(built)>>10)
}
