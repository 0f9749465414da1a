package bpmn

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn/bpmntest"
)

// TestRefusals runs testdata/refusals.txt.
func TestRefusals(t *testing.T) {
	cases := bpmntest.Cases(t, text(t, "testdata/refusals.txt"), "")
	if len(cases) < 200 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		name, want := c.Name, c.Want
		processes, problems := Parse(c.File)
		if got := summary(problems); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if Refused(problems) != (len(processes) == 0) {
			t.Errorf("%s: %d processes with problems %v", name, len(processes), problems)
		}
		for _, problem := range problems {
			if problem.Text == "" || strings.Contains(problem.Text, "%!") {
				t.Errorf("%s: text %q", name, problem.Text)
			}
		}
	}
}

// summary writes problems as the cases do. A case that expects errors does not list
// the warnings that come with them.
func summary(problems []Problem) string {
	var parts []string
	for _, p := range problems {
		part := p.Code
		if p.Element != "" {
			part += "@" + p.Element
		}
		if p.Severity == Warning {
			if Refused(problems) {
				continue
			}
			part = "~" + part
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// TestLimits: a file beyond them is refused, not read to the end.
func TestLimits(t *testing.T) {
	for name, file := range map[string]string{
		"too large":       strings.Repeat(" ", maxBytes+1),
		"too deep":        strings.Repeat("<a>", maxDepth+1),
		"too many nodes":  "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
		"too many in one": "<a>" + strings.Repeat("<b c='d'/>", maxNodes/2+1) + "</a>",
	} {
		processes, problems := Parse([]byte(file))
		if len(processes) != 0 || summary(problems) != "bad-xml" {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// TestLargeProcess: what is beyond the limits of a process is refused.
func TestLargeProcess(t *testing.T) {
	nested := strings.Repeat(`<subProcess id="%"><startEvent id="%"/>`, maxNesting+1) + strings.Repeat("</subProcess>", maxNesting+1)
	var joins strings.Builder
	for i := 1; i <= maxElements/2; i++ {
		flow := fmt.Sprintf(`<sequenceFlow id="%%" sourceRef="s" targetRef="n%d"/>`, 3*i-2)
		joins.WriteString(`<inclusiveGateway id="%"/>` + flow + flow)
	}
	for name, row := range map[string]struct{ body, want string }{
		"too many elements": {strings.Repeat(`<task id="%"/>`, maxElements), "too-large@p"},
		"nested too deep":   {nested, fmt.Sprintf("too-deep@n%d", 2*maxNesting+1)},
		"too many joins":    {joins.String(), "too-large@"},
	} {
		var body strings.Builder
		for i, part := range strings.Split(row.body, "%") {
			if i > 0 {
				fmt.Fprintf(&body, "n%d", i)
			}
			body.WriteString(part)
		}
		processes, problems := Parse(bpmntest.File(body.String()))
		if got := summary(problems); len(processes) != 0 || !strings.Contains(got, row.want) {
			t.Errorf("%s: %.200s", name, got)
		}
	}
}

// TestManyWarnings: however many warnings a file earns, its errors are reported.
func TestManyWarnings(t *testing.T) {
	body := strings.Repeat("<incoming>gone</incoming>", 3*maxProblems)
	processes, problems := Parse(bpmntest.File(`<endEvent id="e">` + body + `</endEvent> {s -> e} <transaction id="u"/>`))
	if len(processes) != 0 || !Refused(problems) || len(problems) > 2*maxProblems {
		t.Errorf("%d processes, %d problems", len(processes), len(problems))
	}
}

// text is a file of test data.
func text(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
