package template_test

import (
	"os"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/template"
)

// What is made for Rust builds and keeps what its vectors and rules say.
func TestRust(t *testing.T) {
	if _, err := build.FindRustc(t.Context()); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs rustc for wasm32 (Debian packages rustc, libstd-rust-dev-wasm32 and lld)")
	}
	for _, kind := range template.Kinds {
		if template.Has("rust", kind) {
			t.Run(kind, func(t *testing.T) { green(t, "rust", kind) })
		}
	}
}
