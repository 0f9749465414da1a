package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

func (a *app) connectorTest() *cobra.Command {
	var vectors, junit string
	var rewrite, verbose bool
	cmd := &cobra.Command{
		Use:   "test DIR|MODULE",
		Short: "Hold a connector to its vectors and to what its kind must do",
		Long: `Hold a connector to its vectors, the files testdata/*.txt, to the rules of all
connectors and to the suite of its kind, in the sandbox. A folder is built first;
with a module, of whatever language, --vectors names the folder that holds
testdata. Without vectors the cases remain that need no particular answer.

How vectors are written stands in testdata/README.md of a new connector. Only what
stands above their dashes has to be written: --rewrite fills in the rest.

The groups of cases are, in the order in which they are run:
  vector    the conversation is the one in the file
  crash     so it is when every step is taken up by a fresh instance
  warm      and in an instance that has served all the other vectors
  shuffled  and in one that serves them all at once
  prefix    every prefix of a history asks for the same effects again
  rules     what every connector must keep
  ams, channel, scheme
            the suite of its kind: ams/hold/duplicate
  engines   compiler and interpreter agree, to the unit of fuel

A case that a connector gives no occasion for is not applicable, and says why.
The exit code is 0 if no case failed, 1 if one did, 2 if there is nothing to test,
and 3 if a node would refuse the module.`,
		Example: `  railhead connector test .
  railhead connector test mine.wasm --vectors ./mine --junit report.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			module, dir, err := moduleOf(ctx, args[0], vectors)
			if err != nil {
				return err
			}
			if rewrite && dir == "" {
				return usagef("--vectors names the folder whose testdata is to be written")
			}
			if rewrite {
				if err := rewriteVectors(ctx, module, dir); err != nil {
					return err
				}
			}
			var loaded []*conformance.Vector // of a module alone there are none
			if dir != "" {
				if loaded, err = conformance.Load(dir); err != nil {
					return usageError{err}
				}
			}
			t := tester{app: a, verbose: verbose}
			report, err := t.examine(ctx, module, loaded)
			if err != nil {
				return err
			}
			if junit != "" {
				if err := writeJUnit(junit, report); err != nil {
					return err
				}
			}
			if a.json {
				err = printJSON(a.out, reportJSON(report))
			} else {
				err = t.conclude(report)
			}
			if err == nil && len(report.Failed()) > 0 {
				return errQuiet
			}
			return err
		},
	}
	cmd.Flags().StringVar(&vectors, "vectors", "", "`folder` whose testdata holds the vectors; DIR unless set")
	cmd.Flags().BoolVar(&rewrite, "rewrite", false, "first write what the connector answers into the vectors")
	cmd.Flags().StringVar(&junit, "junit", "", "`file` to write a JUnit report to")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name every case")
	return cmd
}

func rewriteVectors(ctx context.Context, module []byte, dir string) error {
	subject, opened, err := conformance.Open(ctx, module, host.Options{})
	if err != nil {
		return refusedf("%w", err)
	}
	defer opened.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the vectors are written, or their error says more
	return conformance.Rewrite(ctx, subject, dir)
}

// tester tells of a test while it runs.
type tester struct {
	*app
	verbose bool
}

func (t *tester) examine(ctx context.Context, module []byte, vectors []*conformance.Vector) (*conformance.Report, error) {
	done := t.group
	if t.json {
		done = nil
	}
	report, err := conformance.Examine(ctx, module, vectors, done)
	if refusal := (*host.Error)(nil); report == nil && errors.As(err, &refusal) {
		return nil, refusedError{err}
	}
	return report, err
}

// group tells what became of a group: a line, and whatever is not as it should be.
func (t *tester) group(group string, verdicts []conformance.Verdict) {
	count := map[conformance.Status]int{}
	for _, v := range verdicts {
		count[v.Status]++
	}
	fmt.Fprintf(t.out, "%-9s %3d passed", group, count[conformance.Passed])
	for _, s := range []conformance.Status{conformance.Failed, conformance.NotApplicable} {
		if count[s] > 0 {
			fmt.Fprintf(t.out, ", %d %s", count[s], s)
		}
	}
	fmt.Fprintln(t.out)
	for i := 0; i < len(verdicts); i++ {
		switch v := verdicts[i]; {
		case v.Status == conformance.Failed:
			fmt.Fprintf(t.out, "  FAILED %s\n    %s\n", v.Case, strings.ReplaceAll(t.shown(v.Text), "\n", "\n    "))
		case v.Text == conformance.BrokenVector && !t.verbose: // it has been shown as failed
		case t.verbose && v.Status == conformance.Passed:
			fmt.Fprintf(t.out, "  passed %s\n", v.Case)
		case v.Status == conformance.NotApplicable:
			names := []string{v.Case} // with those that follow for the same reason
			for ; i+1 < len(verdicts) && verdicts[i+1].Status == v.Status && verdicts[i+1].Text == v.Text; i++ {
				next := verdicts[i+1].Case
				names = append(names, next[strings.LastIndexByte(next, '/')+1:])
			}
			fmt.Fprintf(t.out, "  n/a    %s: %s\n", short(strings.Join(names, ", "), 100), v.Text)
		}
	}
}

// linesMax is how much of one case is shown: a flaw may show in every vector.
const linesMax = 20

func (t *tester) shown(text string) string {
	lines := strings.Split(text, "\n")
	if t.verbose || len(lines) <= linesMax {
		return text
	}
	return fmt.Sprintf("%s\nand %d lines more (--verbose shows them)", strings.Join(lines[:linesMax], "\n"), len(lines)-linesMax)
}

// conclude tells what vectors use, the dearest first, and the sum of it all. Where
// cases have failed, those are what is looked for: they are named once more.
func (t *tester) conclude(r *conformance.Report) error {
	fmt.Fprintln(t.out)
	if failed := r.Failed(); len(failed) > 0 && !t.verbose {
		for _, v := range failed[:min(len(failed), linesMax)] {
			fmt.Fprintln(t.out, "FAILED", v.Case)
		}
		if more := len(failed) - linesMax; more > 0 {
			fmt.Fprintf(t.out, "and %d more\n", more)
		}
		return t.sum(r)
	}
	shown := r.Costs
	if !t.verbose {
		shown = r.Dearest(5)
	}
	table := newTable(t.out, "vector", "steps", "fuel", "dearest step", "of the limit", "memory")
	for _, c := range shown {
		table.row(short(c.Vector, 60), c.Steps, c.Fuel, c.FuelDearest, fmt.Sprintf("%.2f %%", 100*float64(c.FuelDearest)/float64(r.FuelMax)),
			fmt.Sprintf("%.1f MiB", float64(c.MemoryBytes)/(1<<20)))
	}
	if len(shown) > 0 {
		if err := table.flush(); err != nil {
			return err
		}
	}
	if n := len(r.Costs) - len(shown); n > 0 {
		fmt.Fprintf(t.out, "and %d vectors that use less (--verbose names them)\n", n)
	}
	return t.sum(r)
}

func (t *tester) sum(r *conformance.Report) error {
	result := fmt.Sprintf("%d cases passed", len(r.Verdicts))
	if n := len(r.Failed()); n > 0 {
		result = fmt.Sprintf("%d of %d cases FAILED", n, len(r.Verdicts))
	} else if n := r.Count(conformance.NotApplicable); n > 0 {
		result = fmt.Sprintf("%d cases passed, %d were not applicable", len(r.Verdicts)-n, n)
	}
	_, err := fmt.Fprintf(t.out, "\n%s %s (%s, %s, %.1f MiB): %s\n", r.Connector, r.Version, r.Kind, r.Digest[:12], float64(r.SizeBytes)/(1<<20), result)
	return err
}

func short(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func writeJUnit(file string, report *conformance.Report) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	err = report.JUnit(f)
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	return err
}

// reportJSON is the report for programs.
func reportJSON(r *conformance.Report) map[string]any {
	cases := make([]map[string]any, 0, len(r.Verdicts))
	for _, v := range r.Verdicts {
		c := map[string]any{"case": v.Case, "status": strings.ReplaceAll(string(v.Status), " ", "-")}
		if v.Text != "" {
			c["text"] = v.Text
		}
		cases = append(cases, c)
	}
	costs := make([]map[string]any, 0, len(r.Costs))
	for _, c := range r.Costs {
		costs = append(costs, map[string]any{
			"vector": c.Vector, "steps": c.Steps, "fuel": c.Fuel, "fuel_dearest_step": c.FuelDearest, "memory_bytes": c.MemoryBytes,
		})
	}
	return map[string]any{
		"connector": r.Connector, "version": r.Version, "kind": r.Kind, "digest": r.Digest, "size_bytes": r.SizeBytes,
		"fuel_max": r.FuelMax, "failed": len(r.Failed()), "cases": cases, "vectors": costs,
	}
}

// moduleOf builds the connector in a folder, or reads a module; dir is where its
// vectors are, empty if that is not said.
func moduleOf(ctx context.Context, path, vectors string) (module []byte, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", usageError{err}
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, manifest.File)); err != nil {
			return nil, "", usagef("%s is no connector's folder: %w", path, err)
		}
		if vectors == "" {
			vectors = path
		}
		module, err = build.Module(ctx, path)
		return module, vectors, err
	}
	module, err = os.ReadFile(path)
	return module, vectors, err
}
