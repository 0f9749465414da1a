package template_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/template"
)

func TestRequestsThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []template.Connector{
		{Name: "Green", Lang: "go", Kind: "ams"},
		{Name: "", Lang: "go", Kind: "ams"},
		{Name: strings.Repeat("a", 65), Lang: "go", Kind: "ams"},
		{Name: "../up", Lang: "go", Kind: "ams"},
		{Name: "green", Lang: "cobol", Kind: "ams"},
		{Name: "green", Lang: "go", Kind: "notify"},
	} {
		_, err := template.New(c, filepath.Join(dir, "x"))
		if wrong := (*template.RequestError)(nil); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := template.Connector{Name: "green-ledger", Lang: "go", Kind: "ams", Version: "v1"}
	_, err := template.New(c, dir)
	if wrong := (*template.RequestError)(nil); !errors.As(err, &wrong) {
		t.Errorf("a folder that is not empty: %v", err)
	}
	_, err = template.New(c, filepath.Join(dir, "mine"))
	if wrong := (*template.RequestError)(nil); !errors.As(err, &wrong) {
		t.Errorf("a file: %v", err)
	}
	names, err := template.New(c, filepath.Join(dir, "a", "b"))
	if err != nil || !slices.Contains(names, "manifest.json") || !slices.Contains(names, ".gitignore") {
		t.Fatalf("%v, %v", names, err)
	}
}

// Nothing of a template's own language is left in what it makes.
func TestPlaceholdersAreReplaced(t *testing.T) {
	for _, lang := range template.Langs() {
		for _, kind := range template.Kinds {
			if !template.Has(lang, kind) {
				continue
			}
			files, err := template.Files(template.Connector{Name: "green-ledger", Lang: lang, Kind: kind, Version: "v1"})
			if err != nil {
				t.Fatal(lang, kind, err)
			}
			for name, text := range files {
				if strings.Contains(string(text), "{{.") || strings.HasSuffix(name, ".tmpl") || strings.Contains(name, "dot-") {
					t.Errorf("%s %s: %s", lang, kind, name)
				}
			}
		}
	}
}
