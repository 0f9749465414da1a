package conformance

import (
	"context"
	"fmt"
	"os"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

// T is what Test needs of a *testing.T.
type T interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Test checks the Go connector in the directory: natively, through its step
// function (connector.Step), and compiled, through the sandbox. It reads
// manifest.json and testdata/*.txt there.
func Test(t T, step func([]byte) []byte, dir string) {
	t.Helper()
	m, err := manifest.ReadFile(dir)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	if os.Getenv("RAILHEAD_REWRITE") == "1" {
		if err := Rewrite(t.Context(), Native(m, step), dir); err != nil {
			t.Fatalf("%v", err)
			return
		}
	}
	vectors, err := Load(dir)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	if problems(t, "native", Native(m, step), vectors) {
		return // the module would only say it again
	}
	module, err := build.Module(t.Context(), dir)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	opened, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	defer func() {
		if err := opened.Close(context.Background()); err != nil {
			t.Errorf("%v", err)
		}
	}()
	if !problems(t, "module", Module(opened), vectors) {
		t.Logf("%s %s: %d vectors pass natively and in the sandbox, %d KiB", m.Name, m.Version, len(vectors), len(module)>>10)
	}
}

func problems(t T, how string, subject Subject, vectors []*Vector) bool {
	t.Helper()
	found, err := Check(t.Context(), subject, vectors)
	if err != nil {
		t.Fatalf("%s: %v", how, err)
		return true
	}
	for _, p := range found {
		t.Errorf("%s: %s", how, p)
	}
	return len(found) > 0
}

// Rewrite runs each vector of dir/testdata cold and writes what it observes
// below the dashes. Vectors whose answers do not suit the effects are an error,
// and keep what they have.
func Rewrite(ctx context.Context, subject Subject, dir string) error {
	files, err := loadFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		r := &run{ctx: ctx, subject: subject}
		if err := r.cold(f.vectors); err != nil {
			return err
		}
		if err := f.rewrite(r.observed); err != nil {
			return err
		}
	}
	vectors, err := Load(dir)
	if err != nil {
		return err
	}
	r := &run{ctx: ctx, subject: subject}
	if err := r.cold(vectors); err != nil {
		return err
	}
	if len(r.problems) > 0 {
		return fmt.Errorf("conformance: after rewriting: %s", r.problems[0])
	}
	return nil
}
