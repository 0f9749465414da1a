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
// manifest.json and testdata/*.txt there. The vectors run in the interpreter as
// well, since a mistake of the compiler would look like one of the connector's.
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
	if report(t, "native", found) || err != nil {
		return err // the module would only say it again
	}
	module, err := build.Module(t.Context(), dir)
	if err != nil {
		return err
	}
	for _, engine := range []struct {
		name    string
		options host.Options
		run     func(context.Context, Subject, []*Vector) ([]Problem, error)
	}{
		{"compiler", host.Options{}, Check},
		{"interpreter", host.Options{Interpreter: true}, Once},
	} {
		opened, err := host.Open(t.Context(), module, engine.options)
		if err != nil {
			return err
		}
		found, err := engine.run(t.Context(), Module(opened), vectors)
		report(t, engine.name, found)
		if errClose := opened.Close(context.WithoutCancel(t.Context())); err == nil {
			err = errClose
		}
		if err != nil {
			return err
		}
	}
	t.Logf("%s %s: %d vectors run natively and in the sandbox, %d KiB", m.Name, m.Version, len(vectors), len(module)>>10)
	return nil
}

func report(t T, how string, found []Problem) bool {
	t.Helper()
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
