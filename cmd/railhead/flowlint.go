package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/bpmn/lint"
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
	Severity string `json:"severity"` // error, warning or note
	Element  string `json:"element"`  // BPMN id; empty: the file
	Code     string `json:"code"`     // for programs
	Text     string `json:"text"`     // for people
}

// lintOptions are the flags of "flow lint".
type lintOptions struct {
	tenant               string
	connectors           []string
	active               bool
	publishes, operators []string
	ends                 string
	writeEnds            bool
	strict               bool
	failOn               string
	rules                bool
}

func (a *app) flowLint() *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Say whether files would deploy, and what is doubtful about them",
		Long: `Say whether files would deploy, and what is doubtful about them. --rules lists what
is looked for.

Some rules need to know the connectors: --connectors takes modules, manifests or
folders with a manifest.json; --active asks the node for those active for --tenant.
Messages are those that the connectors publish, the other files throw, and
--publishes and --operator name.

A file whose name contains DFSPID is a template: --tenant expands it. What its ends
mean is read from FLOW.ends.yaml beside FLOW.bpmn, as "flow deploy" does;
--write-ends writes one with every end that is not marked, to be filled in.

Exit code 3 if any file would be refused, or has a problem of the severity of
--fail-on or worse.`,
		Example: `  railhead flow lint examples/flows/*.bpmn
  railhead flow lint flows/*.bpmn --connectors bin/connectors/ams-bank.wasm,plugins/scheme/mojaloop --fail-on warning
  railhead flow lint flows/*.bpmn --active --tenant greenbank --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.rules {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.rules {
				return a.lintRules()
			}
			return a.lintFiles(cmd, args, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.tenant, "tenant", "", "expand templates for this `tenant`")
	f.StringSliceVar(&o.connectors, "connectors", nil, "`modules`, manifests or their folders; a comma between two")
	f.BoolVar(&o.active, "active", false, "the connectors that are active for --tenant on the node")
	f.StringSliceVar(&o.publishes, "publishes", nil, "`names` of messages that other systems publish")
	f.StringSliceVar(&o.operators, "operator", nil, "`names` of messages that people publish")
	f.StringVar(&o.ends, "ends", "", "a `file` that says what the ends mean")
	f.BoolVar(&o.writeEnds, "write-ends", false, "write FLOW.ends.yaml for the ends that are not marked")
	f.BoolVar(&o.strict, "strict", false, "refuse job types that nobody serves")
	f.StringVar(&o.failOn, "fail-on", "error", "exit with 3 on problems of this `severity`: error, warning or note")
	f.BoolVar(&o.rules, "rules", false, "list the rules")
	return cmd
}

func (a *app) lintRules() error {
	if a.json {
		type rule struct {
			Code     string `json:"code"`
			Severity string `json:"severity"`
			Text     string `json:"text"`
		}
		for _, r := range lint.Rules {
			if err := printJSON(a.out, rule{r.Code, r.Severity.String(), r.Text}); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(a.out, "rule", "severity", "")
	for _, r := range lint.Rules {
		t.row(r.Code, r.Severity, r.Text)
	}
	return t.flush()
}

func (a *app) lintFiles(cmd *cobra.Command, files []string, o *lintOptions) error {
	limit, ok := map[string]bpmn.Severity{"error": bpmn.Error, "warning": bpmn.Warning, "note": bpmn.Note}[o.failOn]
	if !ok {
		return usagef("--fail-on is error, warning or note, not %q", o.failOn)
	}
	if o.ends != "" && len(files) > 1 {
		return usagef("--ends is for one file")
	}
	known, err := a.known(cmd.Context(), o)
	if err != nil {
		return err
	}
	texts := make([][]byte, len(files))
	for i, file := range files {
		if texts[i], err = os.ReadFile(file); err != nil {
			return usageError{err}
		}
		if o.tenant != "" {
			texts[i] = bpmn.ForTenant(filepath.Base(file), texts[i], o.tenant)
		}
	}
	thrown(known, texts)
	refused, failed := 0, 0
	for i, file := range files {
		report, worst, err := a.lintFile(file, texts[i], known, o)
		if err != nil {
			return err
		}
		verdict := "ok"
		switch {
		case !report.Deployable:
			refused++
			verdict = "refused"
		case worst != 0 && worst <= limit:
			failed++
			verdict = "faulty"
		}
		if a.json {
			if err := printJSON(a.out, report); err != nil {
				return err
			}
			continue
		}
		a.printLint(report, verdict)
	}
	switch {
	case refused > 0:
		return refusedf("%d of %d files would be refused", refused, len(files))
	case failed > 0:
		return refusedf("%d of %d files have problems of severity %s or worse", failed, len(files), o.failOn)
	}
	return nil
}

// lintFile checks one file. worst is the severity of its worst problem, or 0.
func (a *app) lintFile(file string, xml []byte, known lint.Known, o *lintOptions) (report lintReport, worst bpmn.Severity, err error) {
	processes, problems := bpmn.Parse(xml)
	report = lintReport{File: file, Deployable: !bpmn.Refused(problems), Processes: []lintProcess{}, Problems: []lintProblem{}}
	if known.Ends, err = endsOf(file, o.ends); err != nil {
		return report, 0, err
	}
	problems = append(problems, strayEnds(processes, known)...)
	for _, p := range processes {
		problems = append(problems, lint.Flow(p, known)...)
		jobs := p.JobTypes()
		if jobs == nil {
			jobs = []string{}
		}
		report.Processes = append(report.Processes, lintProcess{ID: p.ID, Name: p.Name, Elements: len(p.Elements), JobTypes: jobs})
	}
	for _, p := range problems {
		if o.strict && p.Code == "unserved-job-type" {
			p.Severity, report.Deployable = bpmn.Error, false
		}
		if worst == 0 || p.Severity < worst {
			worst = p.Severity
		}
		report.Problems = append(report.Problems, lintProblem{
			Severity: p.Severity.String(), Element: p.Element, Code: p.Code, Text: p.Text,
		})
	}
	if o.writeEnds {
		return report, worst, a.writeEnds(file, processes, known)
	}
	return report, worst, nil
}

// strayEnds are the ends that a sidecar names and the file does not have.
func strayEnds(processes []*bpmn.Process, known lint.Known) (problems []bpmn.Problem) {
	for id := range known.Ends {
		if !slices.ContainsFunc(processes, func(p *bpmn.Process) bool {
			e, found := p.Element(id)
			return found && e.Kind == bpmn.KindEnd
		}) {
			problems = append(problems, bpmn.Problem{
				Severity: bpmn.Warning, Element: id, Code: "unknown-end",
				Text: "the sidecar gives a result for it, but it is no end event of this file; mend the id",
			})
		}
	}
	slices.SortFunc(problems, func(a, b bpmn.Problem) int { return strings.Compare(a.Element, b.Element) })
	return problems
}

// errSidecar says that a sidecar is there and is not overwritten.
var errSidecar = errors.New("is there already; complete it, or move it away")

// writeEnds writes the sidecar of a file with every end that is not marked. What they
// mean is for a person to say: until then the sidecar is refused.
func (a *app) writeEnds(file string, processes []*bpmn.Process, known lint.Known) error {
	var text strings.Builder
	for _, p := range processes {
		for _, e := range lint.Unmarked(p, known) {
			fmt.Fprintf(&text, "%s: {result: fill-in}", e.ID)
			if name := strings.Join(strings.Fields(e.Name), " "); name != "" {
				fmt.Fprintf(&text, " # %s", name)
			}
			text.WriteByte('\n')
		}
	}
	if text.Len() == 0 {
		return nil
	}
	path := sidecar(file)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return usagef("%s %w", path, errSidecar)
	}
	if err != nil {
		return usageError{err}
	}
	_, err = f.WriteString("# What the ends of " + filepath.Base(file) + " mean: completed, failed, reversed, returned or\n" +
		"# rejected, or unknown, and a code if you like: {result: failed, code: NO_FUNDS}.\n" + text.String())
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		fmt.Fprintf(a.err, "wrote %s\n", path)
	}
	return err
}

func (a *app) printLint(r lintReport, verdict string) {
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
