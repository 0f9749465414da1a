package assemblyscript_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/template"
)

// The example connector passes the vectors that every language's template passes, and
// keeps the rules of its kind.
func TestLedger(t *testing.T) {
	needNode(t)
	dir := filepath.Join(t.TempDir(), "green-ledger")
	if err := os.CopyFS(dir, os.DirFS("testdata/ledger")); err != nil {
		t.Fatal(err)
	}
	vectorsOf(t, dir)
	module, err := build.Module(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := conformance.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := conformance.Examine(t.Context(), module, vectors, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Failed() {
		t.Error(v)
	}
	t.Logf("%d vectors, %d KiB", len(vectors), len(module)>>10)
}

func needNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "true" {
			t.Skip("needs Debian's packages nodejs and npm")
		}
	}
}

// vectorsOf puts the shared vectors and the shared manifest into the folder of the
// connector.
func vectorsOf(t *testing.T, dir string) {
	t.Helper()
	files, err := template.Files(template.Connector{Name: "green-ledger", Lang: "go", Kind: "ams", Version: "v0"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if ok, err := filepath.Match("testdata/*.txt", name); !ok || err != nil {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), files["manifest.json"], 0o644); err != nil {
		t.Fatal(err)
	}
}
