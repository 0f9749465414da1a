package template_test

import (
	"os"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/template"
)

// What is made for TypeScript builds and keeps what its vectors and rules say.
func TestTypeScript(t *testing.T) {
	if _, err := build.FindClang(t.Context()); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs Debian's packages clang, lld, wasi-libc and libclang-rt-14-dev-wasm32")
	}
	for _, kind := range template.Kinds {
		if template.Has("ts", kind) {
			t.Run(kind, func(t *testing.T) { green(t, "ts", kind) })
		}
	}
}
