package template_test

import (
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/template"
)

// What is made for Go builds far from the repository, without a module proxy, and
// keeps what its vectors and the rules of its kind say.
func TestGo(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	for _, kind := range template.Kinds {
		if !template.Has("go", kind) {
			continue
		}
		t.Run(kind, func(t *testing.T) { green(t, "go", kind) })
	}
}

func green(t *testing.T, lang, kind string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "green-ledger")
	if _, err := template.New(template.Connector{Name: "green-ledger", Lang: lang, Kind: kind, Version: "v0"}, dir); err != nil {
		t.Fatal(err)
	}
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
}
