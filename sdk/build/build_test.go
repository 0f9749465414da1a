package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

func TestFile(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "ledger.wasm")
	if err := build.File(t.Context(), "../conformance/testdata/ledger", out); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.FromModule(module)
	if err != nil || m.Name != "ledger" {
		t.Fatalf("%+v, %v", m, err)
	}
	left, err := filepath.Glob(out + ".*")
	if err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestErrorsSayWhatToMend(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := build.Module(t.Context(), dir); err == nil || !strings.Contains(err.Error(), manifest.File) {
		t.Errorf("no manifest: %v", err)
	}
	write(manifest.File, `{"name": "x", "version": "1.0.0", "kind": "ams", "jobs": [{"type": "j"}]}`)
	write("go.mod", "module x\n\ngo 1.26\n")
	write("main.go", "package main\n\nfunc main() { undefined() }\n")
	if _, err := build.Module(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "main.go:3") {
		t.Errorf("a mistake in the source: %v", err)
	}
}
