// Package bpmntest reads small flows for tests, written in a few words each. The
// words are explained at the head of engine/bpmn/testdata/refusals.txt.
package bpmntest

import (
	"regexp"
	"strings"
	"testing"
)

// Case is one small flow and what is expected of it.
type Case struct {
	Name string
	Want string
	File []byte
}

// Cases reads the text of a file of cases: each begins with "-- name => expectation";
// lines that begin with "#" are comments. What stands in tail is added to each.
func Cases(t testing.TB, text []byte, tail string) []Case {
	t.Helper()
	var cases []Case
	for _, c := range strings.Split("\n"+string(text), "\n-- ")[1:] {
		head, body, _ := strings.Cut(c, "\n")
		name, want, ok := strings.Cut(head, " => ")
		if !ok {
			t.Fatalf("%q has no expectation", head)
		}
		cases = append(cases, Case{name, want, File(withoutComments(body) + tail)})
	}
	return cases
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

// shorthands are what a case may write instead of XML.
var shorthands = []struct {
	pattern *regexp.Regexp
	xml     string
}{
	{regexp.MustCompile(`\{job (\w+)\}`), `<serviceTask id="$1"><extensionElements><z:taskDefinition type="x"/></extensionElements></serviceTask>`},
	{regexp.MustCompile(`\{timer (\w+)\}`), `<intermediateCatchEvent id="$1"><timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition></intermediateCatchEvent>`},
	{regexp.MustCompile(`\{done (\w+)\}`), `<endEvent id="$1"><extensionElements><z:properties><z:property name="railhead:result" value="completed"/></z:properties></extensionElements></endEvent>`},
	{regexp.MustCompile(`\{lost (\w+)\}`), `<endEvent id="$1"><extensionElements><z:properties><z:property name="railhead:result" value="failed"/></z:properties></extensionElements></endEvent>`},
	{regexp.MustCompile(`\{type (\w+) (\w+)\}`), `<serviceTask id="$1"><extensionElements><z:taskDefinition type="$2"/></extensionElements></serviceTask>`},
	{regexp.MustCompile(`\{when (\w+) (\w+) -> (\w+) : (.+?)\}`), `<sequenceFlow id="$1" sourceRef="$2" targetRef="$3"><conditionExpression>=$4</conditionExpression></sequenceFlow>`},
	{regexp.MustCompile(`\{wait (\w+) (\w+)\}`), `<receiveTask id="$1" messageRef="$2"/>`},
	{regexp.MustCompile(`\{hear (\w+) (\w+)\}`), `<intermediateCatchEvent id="$1"><messageEventDefinition messageRef="$2"/></intermediateCatchEvent>`},
	{regexp.MustCompile(`\{late (\w+) (\w+)\}`), `<boundaryEvent id="$1" attachedToRef="$2"><timerEventDefinition><timeDuration>PT1M</timeDuration></timerEventDefinition></boundaryEvent>`},
	{regexp.MustCompile(`\{msg (\w+)\}`), `<message id="$1" name="$1"><extensionElements><z:subscription correlationKey="=transactionId"/></extensionElements></message>`},
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

// File is the file that a case's text stands for.
func File(body string) []byte {
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
	return []byte(`<definitions xmlns="` + "http://www.omg.org/spec/BPMN/20100524/MODEL" + `" xmlns:z="` + "http://camunda.org/schema/zeebe/1.0" + `">` + body + `</definitions>`)
}
