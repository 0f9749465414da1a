package bpmn

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn/bpmntest"
)

var rewrite = flag.Bool("rewrite", false, "write the tables in testdata anew; commit only differences you understand")

// shared lists the shared test data matching a pattern. It skips the test when the
// folder is not given and fails it when the data is not there.
func shared(t testing.TB, pattern string) []string {
	t.Helper()
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("RAILHEAD_SHARED is %s, and there is no %s (%v)", root, pattern, err)
	}
	sort.Strings(files)
	return files
}

// TestPaymentHubFlows compares the verdict on every flow of Payment Hub EE with the
// committed table testdata/paymenthub.txt.
func TestPaymentHubFlows(t *testing.T) {
	var table strings.Builder
	table.WriteString(`# Payment Hub EE's flow files and whether they deploy, for the tenant greenbank: the
# file, yes and the process ids or no, and below it every error and warning with its
# element. A file is refused only for a fault that is in it. The test compares this
# table; go test -run PaymentHubFlows -rewrite writes it.
`)
	for _, file := range shared(t, "flows/paymenthub/*.bpmn") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		// The part before "__" says which repository the file is from.
		own := name[strings.LastIndex(name, "__")+2:]
		processes, problems := Parse(ForTenant(own, text, "greenbank"))
		verdict := "no"
		if len(processes) > 0 {
			verdict = "yes"
		}
		fmt.Fprintf(&table, "\n%s %s", name, verdict)
		for _, p := range processes {
			fmt.Fprintf(&table, " %s", p.ID)
		}
		table.WriteString("\n")
		for _, p := range problems {
			fmt.Fprintf(&table, "  %s\n", p)
		}
	}
	compareTable(t, "testdata/paymenthub.txt", table.String())
}

// compareTable holds a table against the committed one, or writes it.
func compareTable(t *testing.T, golden, table string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, expected := strings.Split(table, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(expected)) {
		if i >= len(got) || i >= len(expected) || got[i] != expected[i] {
			t.Fatalf("%s, line %d differs:\n got %s\nwant %s", golden, i+1, at(got, i), at(expected, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// FuzzParse: no file makes the parser panic, and what it accepts holds together.
func FuzzParse(f *testing.F) {
	f.Add([]byte(transfer))
	for _, c := range bpmntest.Cases(f, text(f, "testdata/refusals.txt"), "") {
		f.Add(c.File)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		processes, problems := Parse(file)
		if Refused(problems) == (len(processes) > 0) {
			t.Fatalf("%d processes with problems %v", len(processes), problems)
		}
		for _, p := range processes {
			whole(t, p)
		}
		Inspect(file)
		onlyProcess(file)
	})
}

// whole checks the promises of Process and Element that the engine relies on.
func whole(t *testing.T, p *Process) {
	if len(p.Start)+len(p.MessageStart)+len(p.TimerStart)+len(p.SignalStart) == 0 {
		t.Fatal("no start event")
	}
	for i := range p.Elements {
		e := &p.Elements[i]
		if found, ok := p.Element(e.ID); !ok || found != e || e.Index != i {
			t.Fatalf("element %d %s is not found by its id", i, e.ID)
		}
		switch e.Kind {
		case KindJob:
			if !e.JobType.IsSet() {
				t.Fatalf("%s: job without a type", e.ID)
			}
		case KindReceive:
			if e.Message == nil || e.Message.CorrelationKey == nil {
				t.Fatalf("%s: receive task without a message and its key", e.ID)
			}
		case KindCatch, KindBoundary:
			if causes(e) != 1 {
				t.Fatalf("%s: waits for %d things", e.ID, causes(e))
			}
			if e.Kind == KindBoundary && (e.AttachedTo < 0 || p.Elements[e.AttachedTo].Parent != e.Parent) {
				t.Fatalf("%s: attached to nothing here", e.ID)
			}
			if e.Error != nil && !e.Interrupting {
				t.Fatalf("%s: an error that does not interrupt", e.ID)
			}
		case KindThrow, KindEnd:
			if n := causes(e); n > 1 || n == 1 && (e.JobType.IsSet() || e.Terminate) {
				t.Fatalf("%s: throws %d things", e.ID, n)
			}
		case KindSub, KindEventSub:
			if e.SubStart < 0 || p.Elements[e.SubStart].Kind != KindStart || p.Elements[e.SubStart].Parent != i {
				t.Fatalf("%s: begins nowhere", e.ID)
			}
			if want := e.Kind == KindEventSub; want != (causes(&p.Elements[e.SubStart]) == 1) {
				t.Fatalf("%s: its start waits for %d things", e.ID, causes(&p.Elements[e.SubStart]))
			}
		case KindScript:
			if e.Script == nil || e.Script.Expression == nil || e.Script.ResultVariable == "" {
				t.Fatalf("%s: no script", e.ID)
			}
		case KindUser:
			if e.User == nil {
				t.Fatalf("%s: no user task", e.ID)
			}
		case KindLinkThrow:
			if e.LinkTo < 0 {
				t.Fatalf("%s: link to nothing", e.ID)
			}
		case KindCall:
			if !e.CalledElement.IsSet() {
				t.Fatalf("%s: calls nothing", e.ID)
			}
		case kindUnsupported:
			t.Fatalf("%s: unsupported", e.ID)
		}
		if e.Loop != nil && e.Loop.InputCollection == nil {
			t.Fatalf("%s: a loop over nothing", e.ID)
		}
		if e.ForCompensation && len(e.Incoming)+len(e.Outgoing)+len(e.Boundary) > 0 {
			t.Fatalf("%s: a handler in the way", e.ID)
		}
		if c := e.CompensatedBy; c >= 0 && !p.Elements[c].ForCompensation {
			t.Fatalf("%s: undone by no handler", e.ID)
		}
		if (e.Upstream != nil) != (e.Kind == KindInclusive && len(e.Incoming) > 1) {
			t.Fatalf("%s: upstream", e.ID)
		}
		if e.Parent >= i {
			t.Fatalf("%s: lies in %d", e.ID, e.Parent)
		}
	}
	for i := range p.Flows {
		f := &p.Flows[i]
		if found, ok := p.Flow(f.ID); !ok || found != f || f.Index != i {
			t.Fatalf("flow %d %s is not found by its id", i, f.ID)
		}
		source := &p.Elements[f.Source]
		if source.Parent != p.Elements[f.Target].Parent {
			t.Fatalf("flow %s crosses a border", f.ID)
		}
		if source.Kind == KindExclusive && len(source.Outgoing) > 1 && f.Condition == nil && source.Default != i {
			t.Fatalf("flow %s has no condition", f.ID)
		}
	}
}

// causes counts what an event waits for or throws.
func causes(e *Element) (n int) {
	for _, set := range []bool{e.Message != nil, e.Timer != nil, e.Signal != nil, e.Error != nil, e.Escalation != nil, e.Compensate != nil} {
		if set {
			n++
		}
	}
	return n
}
