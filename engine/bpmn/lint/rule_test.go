package lint_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/bpmn/bpmntest"
	"github.com/railhead-hub/railhead/engine/bpmn/lint"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// known is what the cases of testdata/rules.txt may rely on.
var known = lint.Known{
	Jobs: map[string]lint.Job{
		"x": {}, "hold": {Money: true}, "send": {Money: true}, "release": {Money: true, Undoes: []string{"hold"}},
		"book": {Money: true, Settles: []string{"hold"}},
	},
	Messages: map[string]lint.Message{"answer": {}, "answer2": {}, "word": {ByHand: true}},
}

// messages stand at the end of every case's file.
const messages = ` MESSAGE <error id="no" errorCode="NO"/> <error id="other" errorCode="OTHER"/> <escalation id="esc" escalationCode="LATE"/>` +
	`{msg answer} {msg answer2} {msg word} {msg silence}`

// TestRules runs testdata/rules.txt.
func TestRules(t *testing.T) {
	cases := bpmntest.Cases(t, read(t, "testdata/rules.txt"), messages)
	found := map[string]bool{}
	for _, c := range cases {
		processes, problems := bpmn.Parse(c.File)
		if len(processes) != 1 {
			t.Errorf("%s: %v", c.Name, problems)
			continue
		}
		got := lint.Flow(processes[0], known)
		for _, p := range got {
			found[p.Code] = true
			if p.Text == "" || strings.Contains(p.Text, "%!") {
				t.Errorf("%s: text %q", c.Name, p.Text)
			}
		}
		if got := summary(got); got != c.Want {
			t.Errorf("%s:\n got %s\nwant %s", c.Name, got, c.Want)
		}
	}
	for _, r := range lint.Rules {
		if !found[r.Code] && r.Code != "variable-never-set" {
			t.Errorf("no case shows %s", r.Code)
		}
	}
}

func summary(problems []bpmn.Problem) string {
	var parts []string
	for _, p := range problems {
		mark := map[bpmn.Severity]string{bpmn.Error: "!", bpmn.Warning: "", bpmn.Note: "~"}[p.Severity]
		parts = append(parts, mark+p.Code+"@"+p.Element)
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// TestUnknown: what is not known is not judged.
func TestUnknown(t *testing.T) {
	p := parse(t, `{type a nobody} {wait b silence} {late t b} {done e} {s -> a} {a -> b} {b -> e} {t -> e}`)
	if got := lint.Flow(p, lint.Known{}); len(got) > 0 {
		t.Error(got)
	}
}

// TestSidecar: a sidecar's results count as the flow's own.
func TestSidecar(t *testing.T) {
	p := parse(t, `{job a} <exclusiveGateway id="g" default="n"/> {end e} {end f} {s -> a} {a -> g} {when b g -> e : aFailed = true} <sequenceFlow id="n" sourceRef="g" targetRef="f"/>`)
	got := lint.Flow(p, lint.Known{Ends: map[string]enginev1.Result{
		"e": enginev1.Result_RESULT_COMPLETED, "f": enginev1.Result_RESULT_FAILED,
	}})
	if summary(got) != "!failed-looks-completed@e" {
		t.Error(got)
	}
}

// TestVariables: once everything that sets variables is known, a name that nobody
// sets is told.
func TestVariables(t *testing.T) {
	body := `{type a look} {wait b answer} {late t b} {script c} <exclusiveGateway id="g" default="n"/> {done e} {lost f}
		{s -> a} {a -> b} {b -> c} {c -> g} {t -> f} {when w g -> f : %} <sequenceFlow id="n" sourceRef="g" targetRef="e"/>`
	known := lint.Known{
		Jobs:     map[string]lint.Job{"look": {Sets: []string{"party"}}},
		Messages: map[string]lint.Message{"answer": {Sets: []string{"state"}}},
		Starts:   map[string]bool{"amount": true, "transactionId": true},
	}
	for condition, want := range map[string]string{
		`party = state and amount = x`: "none",
		`partty = "A"`:                 "variable-never-set@g",
	} {
		p := parse(t, strings.Replace(body, "%", condition, 1))
		if got := summary(lint.Flow(p, known)); got != want {
			t.Errorf("%s: got %s, want %s", condition, got, want)
		}
	}
	open := known
	open.Starts = nil
	if got := lint.Flow(parse(t, strings.Replace(body, "%", `partty = "A"`, 1)), open); len(got) > 0 {
		t.Errorf("judged without knowing how payments start: %v", got)
	}
}

// TestLargeFlow: a flow as large as one may be, drawn to be hard to judge, is judged
// within the limits.
func TestLargeFlow(t *testing.T) {
	var body strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&body, `<exclusiveGateway id="g%d" default="d%d"/> {type j%d hold}`, i, i, i)
		fmt.Fprintf(&body, `{when x%d g%d -> j%d : aFailed = true and (b &lt; c or c &lt; d or d &lt; e or f = "A" or h)}`, i, i, i)
		fmt.Fprintf(&body, `<sequenceFlow id="d%d" sourceRef="g%d" targetRef="j%d"/>`, i, i, (i+7)%2500)
		fmt.Fprintf(&body, `<sequenceFlow id="y%d" sourceRef="j%d" targetRef="g%d"/>`, i, i, (i+1)%2500)
	}
	p := parse(t, body.String()+`{done e} <sequenceFlow id="first" sourceRef="s" targetRef="g0"/> <sequenceFlow id="last" sourceRef="j2499" targetRef="e"/>`)
	if got := lint.Flow(p, known); len(got) > 2000 {
		t.Errorf("%d problems", len(got))
	}
}

func parse(t *testing.T, body string) *bpmn.Process {
	t.Helper()
	processes, problems := bpmn.Parse(bpmntest.File(body + messages))
	if len(processes) != 1 {
		t.Fatal(problems)
	}
	return processes[0]
}

// FuzzFlow: no flow makes the linter panic or work without end.
func FuzzFlow(f *testing.F) {
	for _, file := range []string{"testdata/rules.txt", "../testdata/refusals.txt"} {
		for _, c := range bpmntest.Cases(f, read(f, file), messages) {
			f.Add(c.File)
		}
	}
	code := regexp.MustCompile(`^[a-z-]+$`)
	f.Fuzz(func(t *testing.T, file []byte) {
		processes, _ := bpmn.Parse(file)
		for _, p := range processes {
			for _, problem := range append(lint.Flow(p, known), lint.Flow(p, lint.Known{})...) {
				if !code.MatchString(problem.Code) || problem.Severity == 0 {
					t.Fatal(problem)
				}
			}
		}
	})
}

// read is a file of test data.
func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
