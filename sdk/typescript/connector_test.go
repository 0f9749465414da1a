package typescript_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
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

// The same script gives the same module, so that its digest says what it is.
func TestSameBytes(t *testing.T) {
	if first, second := module(t, "ledger"), module(t, "ledger"); !bytes.Equal(first, second) {
		t.Error("two builds differ")
	}
}

func TestErrorsSayWhatToMend(t *testing.T) {
	module(t, "ledger") // for the engine, or to skip
	for _, row := range []struct{ script, want string }{
		{"import { serve } from \"railhead\";\nserve({ jobs: }});\n", "src/main.ts:2:15: "},
		{"import fs from \"fs\";\nfs.read();\n", `Could not resolve "fs"`},
		{"export const x = 1;\n", "the script does not call serve"},
		{"import { serve } from \"railhead\";\nserve({}); serve({});\n", "serve was called twice"},
		{"throw new Error(\"at the top\");\n", "Error: at the top"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"manifest.json": `{"name": "x", "version": "1.0.0", "kind": "ams", "jobs": [{"type": "j"}]}`,
			"src/main.ts":   row.script,
		} {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := build.Module(t.Context(), dir); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", row.want, err)
		}
	}
}
