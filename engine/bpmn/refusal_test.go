package bpmn

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestRefusals runs testdata/refusals.txt.
func TestRefusals(t *testing.T) {
	text, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split("\n"+string(text), "\n-- ")[1:]
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		head, body, _ := strings.Cut(c, "\n")
		name, want, ok := strings.Cut(head, " => ")
		if !ok {
			t.Fatalf("%q has no expectation", head)
		}
		processes, problems := Parse(definitions(withoutComments(body)))
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

func withoutComments(body string) string {
	var lines []string
	for line := range strings.SplitSeq(body, "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

var shorthands = []struct {
	pattern *regexp.Regexp
	xml     string
}{
	{regexp.MustCompile(`\{job (\w+)\}`), `<serviceTask id="$1"><extensionElements><z:taskDefinition type="x"/></extensionElements></serviceTask>`},
	{regexp.MustCompile(`\{timer (\w+)\}`), `<intermediateCatchEvent id="$1"><timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition></intermediateCatchEvent>`},
	{regexp.MustCompile(`\{timer\}`), `<timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition>`},
	{regexp.MustCompile(`\{task (\w+)\}`), `<task id="$1"/>`},
	{regexp.MustCompile(`\{script (\w+)\}`), `<scriptTask id="$1"><extensionElements><z:script expression="=1" resultVariable="x"/></extensionElements></scriptTask>`},
	{regexp.MustCompile(`\{call (\w+)\}`), `<callActivity id="$1"><extensionElements><z:calledElement processId="other"/></extensionElements></callActivity>`},
	{regexp.MustCompile(`\{sub (\w+) (\w+) -> (\w+)\}`), `<subProcess id="$1"><startEvent id="$2"/><endEvent id="$3"/>{$2 -> $3}</subProcess>`},
	{regexp.MustCompile(`\{on (\w+) (\w+) (\w+)\}`), `<subProcess id="$1" triggeredByEvent="true"><startEvent id="$2"><$3/></startEvent></subProcess>`},
	{regexp.MustCompile(`\{undo (\w+) (\w+)\}`), `<boundaryEvent id="$1" attachedToRef="$2"><compensateEventDefinition/></boundaryEvent>`},
	{regexp.MustCompile(`\{for (.+?)\}`), `<multiInstanceLoopCharacteristics><extensionElements><z:loopCharacteristics $1/></extensionElements></multiInstanceLoopCharacteristics>`},
	{regexp.MustCompile(`\{if (\w+) (\w+) -> (\w+)\}`), `<sequenceFlow id="$1" sourceRef="$2" targetRef="$3"><conditionExpression>=$1</conditionExpression></sequenceFlow>`},
	{regexp.MustCompile(`\{(\w+) ~ (\w+)\}`), `<association id="$1-$2" sourceRef="$1" targetRef="$2"/>`},
	{regexp.MustCompile(`\{end (\w+)\}`), `<endEvent id="$1"/>`},
	{regexp.MustCompile(`\{(\w+) -> (\w+)\}`), `<sequenceFlow id="$1-$2" sourceRef="$1" targetRef="$2"/>`},
}

// definitions is the file a case stands for.
func definitions(body string) []byte {
	if root, ok := strings.CutPrefix(body, "ROOT"); ok {
		return []byte(strings.TrimSpace(root))
	}
	for _, s := range shorthands {
		body = s.pattern.ReplaceAllString(body, s.xml)
	}
	if !strings.Contains(body, "<process") {
		inside, outside, _ := strings.Cut(body, "MESSAGE")
		body = `<process id="p" isExecutable="true"><startEvent id="s"/>` + inside + `</process>` + outside
	}
	return []byte(`<definitions xmlns="` + nsModel + `" xmlns:z="` + nsZeebe + `">` + body + `</definitions>`)
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
		processes, problems := Parse(definitions(body.String()))
		if got := summary(problems); len(processes) != 0 || !strings.Contains(got, row.want) {
			t.Errorf("%s: %.200s", name, got)
		}
	}
}

// TestManyWarnings: however many warnings a file earns, its errors are reported.
func TestManyWarnings(t *testing.T) {
	body := strings.Repeat("<incoming>gone</incoming>", 3*maxProblems)
	processes, problems := Parse(definitions(`<endEvent id="e">` + body + `</endEvent> {s -> e} <transaction id="u"/>`))
	if len(processes) != 0 || !Refused(problems) || len(problems) > 2*maxProblems {
		t.Errorf("%d processes, %d problems", len(processes), len(problems))
	}
}
