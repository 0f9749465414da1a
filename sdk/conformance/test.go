package conformance

import (
	"context"
	"fmt"
	"os"

	"github.com/railhead-hub/railhead/sdk/build"
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
// function (connector.Step), and compiled, as [Examine] does. It reads
// manifest.json and testdata/*.txt there.
func Test(t T, step func([]byte) []byte, dir string) {
	t.Helper()
	if err := test(t, step, dir); err != nil {
		t.Fatalf("%v", err)
	}
}

func test(t T, step func([]byte) []byte, dir string) error {
	t.Helper()
	m, err := manifest.ReadFile(dir)
	if err != nil {
		return err
	}
	subject := Native(m, step)
	if os.Getenv("RAILHEAD_REWRITE") == "1" {
		if err := Rewrite(t.Context(), subject, dir); err != nil {
			return err
		}
	}
	vectors, err := Load(dir)
	if err != nil {
		return err
	}
	found, err := Check(t.Context(), subject, vectors)
	for _, p := range found {
		t.Errorf("native: %s", p)
	}
	if err != nil || len(found) > 0 {
		return err // the module would only say it again
	}
	module, err := build.Module(t.Context(), dir)
	if err != nil {
		return err
	}
	r, err := Examine(t.Context(), module, vectors, nil)
	if err != nil {
		return err
	}
	for _, v := range r.Failed() {
		t.Errorf("%s", v)
	}
	t.Logf("%s %s: %d vectors, %d cases, %d KiB", m.Name, m.Version, len(vectors), len(r.Verdicts), len(module)>>10)
	return nil
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
		return fmt.Errorf("conformance: rewritten, but not whole: %s: %s", r.problems[0].Where, r.problems[0].Text)
	}
	return nil
}
