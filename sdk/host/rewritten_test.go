package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/host"
)

// The metered module is kept beside the native code, and one that was damaged is
// made anew: never run.
func TestMeteredModulesAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	module := guest{}.assemble(t)
	open := func() {
		t.Helper()
		m, err := host.Open(t.Context(), module, host.Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Step(t.Context(), "greenbank", hostileRequest()); err != nil {
			t.Error(err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	open()
	files, err := filepath.Glob(filepath.Join(dir, "metered", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the cache has %v (%v), not one metered module", files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"a byte":   append(bytes.Clone(kept[:len(kept)-1]), kept[len(kept)-1]^1),
		"cut":      kept[:len(kept)/2],
		"empty":    {},
		"no meter": append(bytes.Clone(kept[:32]), module...),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			open()
			if again, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(again, kept) {
				t.Errorf("the damaged file was not made anew (%v)", err)
			}
		})
	}
}
