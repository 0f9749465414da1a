package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

// lintReport is what "flow lint --json" prints for a file.
type lintReport struct {
	File       string        `json:"file"`
	Deployable bool          `json:"deployable"`
	Processes  []lintProcess `json:"processes"`
	Problems   []lintProblem `json:"problems"`
}

type lintProcess struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Elements int      `json:"elements"`
	JobTypes []string `json:"job_types"`
}

type lintProblem struct {
	Severity string `json:"severity"` // error: refused; warning
	Element  string `json:"element"`  // BPMN id; empty: the file
	Code     string `json:"code"`     // for programs
	Text     string `json:"text"`     // for people
}

func (a *app) flowLint() *cobra.Command {
	var tenant string
	var connectors []string
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Say whether files would deploy, and what is doubtful about them",
		Long: `Say whether files would deploy, and what is doubtful about them. Nothing is
contacted. With --connectors, job types that none of those modules serves are
warnings; with --strict they are errors, as they are for "flow deploy --strict".

A file whose name contains DFSPID is a template: --tenant expands it. Exit code 3
if any file would be refused.`,
		Example: `  railhead flow lint examples/flows/*.bpmn
  railhead flow lint flows/*.bpmn --connectors bin/connectors/*.wasm --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			served, err := servedJobs(connectors, tenant)
			if err != nil {
				return err
			}
			refused := 0
			for _, file := range args {
				xml, err := os.ReadFile(file)
				if err != nil {
					return usageError{err}
				}
				report := lint(file, xml, tenant, served, strict)
				if !report.Deployable {
					refused++
				}
				if a.json {
					if err := printJSON(a.out, report); err != nil {
						return err
					}
					continue
				}
				a.printLint(report)
			}
			if refused > 0 {
				return refusedf("%d of %d files would be refused", refused, len(args))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "expand templates for this `tenant`")
	cmd.Flags().StringSliceVar(&connectors, "connectors", nil, "`modules` whose job types are served; a comma between two")
	cmd.Flags().BoolVar(&strict, "strict", false, "with --connectors: refuse job types that nobody serves")
	return cmd
}

// lint checks one file. With no connectors named, served is nil and job types are
// not judged.
func lint(file string, xml []byte, tenant string, served map[string]bool, strict bool) lintReport {
	if tenant != "" {
		xml = bpmn.ForTenant(filepath.Base(file), xml, tenant)
	}
	processes, problems := bpmn.Parse(xml)
	for _, p := range processes {
		problems = append(problems, bpmn.Lint(p)...)
	}
	report := lintReport{
		File: file, Deployable: !bpmn.Refused(problems),
		Processes: []lintProcess{}, Problems: []lintProblem{},
	}
	for _, p := range problems {
		report.Problems = append(report.Problems, lintProblem{
			Severity: p.Severity.String(), Element: p.Element, Code: p.Code, Text: p.Text,
		})
	}
	for _, p := range processes {
		jobs := p.JobTypes()
		if jobs == nil {
			jobs = []string{}
		}
		report.Processes = append(report.Processes, lintProcess{
			ID: p.ID, Name: p.Name, Elements: len(p.Elements), JobTypes: jobs,
		})
		if served == nil {
			continue
		}
		for _, e := range p.Elements {
			job := e.JobType
			if e.Kind != bpmn.KindJob || job.Expr != nil || served[job.Static] {
				continue
			}
			severity := bpmn.Warning
			if strict {
				severity, report.Deployable = bpmn.Error, false
			}
			report.Problems = append(report.Problems, lintProblem{
				Severity: severity.String(), Element: e.ID, Code: "unserved-job-type",
				Text: fmt.Sprintf("no connector named serves job type %q", job.Static),
			})
		}
	}
	return report
}

// servedJobs collects the job types of modules. A module's {tenant} stands for the
// tenant, or in an unexpanded template for DFSPID.
func servedJobs(modules []string, tenant string) (map[string]bool, error) {
	if len(modules) == 0 {
		return nil, nil
	}
	if tenant == "" {
		tenant = "DFSPID"
	}
	served := map[string]bool{}
	for _, file := range modules {
		module, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		m, err := manifest.FromModule(module)
		if err != nil {
			return nil, refusedf("%s: %w", file, err)
		}
		for _, job := range m.Jobs {
			served[strings.ReplaceAll(job.GetType(), "{tenant}", tenant)] = true
		}
	}
	return served, nil
}

func (a *app) printLint(r lintReport) {
	verdict := "ok"
	if !r.Deployable {
		verdict = "refused"
	}
	names := make([]string, 0, len(r.Processes))
	for _, p := range r.Processes {
		names = append(names, p.ID)
	}
	fmt.Fprintf(a.out, "%s: %s", r.File, verdict)
	if len(names) > 0 {
		slices.Sort(names)
		fmt.Fprintf(a.out, " (%s)", strings.Join(names, ", "))
	}
	fmt.Fprintln(a.out)
	for _, p := range r.Problems {
		fmt.Fprintf(a.out, "  %s: ", p.Severity)
		if p.Element != "" {
			fmt.Fprintf(a.out, "%s: ", p.Element)
		}
		fmt.Fprintf(a.out, "%s (%s)\n", p.Text, p.Code)
	}
}
