// Package rust_test runs the Rust SDK's own tests, and holds the SDK to the others.
package rust_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
)

// compiler is the rustc that builds connectors.
func compiler(t *testing.T) string {
	t.Helper()
	rustc, err := build.FindRustc(t.Context())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs rustc for wasm32 (Debian packages rustc, libstd-rust-dev-wasm32 and lld)")
	}
	return rustc
}

// The crate's unit tests, compiled natively.
func TestUnits(t *testing.T) {
	rustc, program := compiler(t), filepath.Join(t.TempDir(), "units")
	for _, args := range [][]string{
		{rustc, "--edition", "2021", "--test", "--crate-name", "railhead", "-D", "warnings", "-o", program, "src/lib.rs"},
		{program, "--quiet"},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
}
