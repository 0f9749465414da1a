package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

// A crate with a dependency besides the SDK is built by cargo, without a network and
// as Cargo.lock says; where it lies does not change the module.
func TestRustWithAnotherDependency(t *testing.T) {
	_, err := build.FindRustc(t.Context())
	if err == nil {
		_, err = exec.LookPath("cargo")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs cargo and rustc for wasm32 (Debian packages cargo, rustc, libstd-rust-dev-wasm32 and lld)")
	}
	var modules []string
	for range 2 {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "railhead"), os.DirFS("../rust")); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			manifest.File: `{"name": "x", "version": "1.0.0", "kind": "ams", "jobs": [{"type": "greet"}]}`,
			"Cargo.toml": `[package]
name = "x"
version = "1.0.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[dependencies]
railhead = { path = "railhead" }
greeting = { path = "greeting" }
`,
			"Cargo.lock": `version = 3

[[package]]
name = "greeting"
version = "0.1.0"

[[package]]
name = "railhead"
version = "0.1.0"

[[package]]
name = "x"
version = "1.0.0"
dependencies = [
 "greeting",
 "railhead",
]
`,
			"src/lib.rs": `use railhead::*;

railhead::connector! { jobs { "greet" => greet } }

async fn greet(_: Context<'_>, _: Job<'_>) -> Outcome {
    Outcome::complete(vars! { "said": greeting::hello() })
}
`,
			"greeting/Cargo.toml": "[package]\nname = \"greeting\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
			"greeting/src/lib.rs": "pub fn hello() -> &'static str {\n    \"hello\"\n}\n",
		} {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		module, err := build.Module(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, string(module))
	}
	if modules[0] != modules[1] {
		t.Error("built elsewhere, the module is another")
	}
}
