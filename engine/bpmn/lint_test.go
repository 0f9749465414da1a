package bpmn

import "testing"

func TestLint(t *testing.T) {
	for _, row := range []struct{ name, body, want string }{
		{"an end without a result", `{end e} {s -> e}`, "~no-result@e"},
		{"an element nothing leads to", `{job a} {end e} {s -> e} {a -> e}`, "~unreachable@a, ~no-result@e"},
		{"a gateway without a way out", `<parallelGateway id="g"/> {s -> g}`, "~no-way-out@g"},
		{"a gateway without a default", `<exclusiveGateway id="g"/> <endEvent id="e"><extensionElements><z:properties><z:property name="railhead:result" value="failed"/></z:properties></extensionElements></endEvent> {s -> g}
			<sequenceFlow id="f" sourceRef="g" targetRef="e"><conditionExpression>=a</conditionExpression></sequenceFlow>
			<sequenceFlow id="h" sourceRef="g" targetRef="e"><conditionExpression>=b</conditionExpression></sequenceFlow>`, "~no-default-flow@g"},
	} {
		processes, problems := Parse(definitions(row.body))
		if len(processes) != 1 {
			t.Errorf("%s: %v", row.name, problems)
			continue
		}
		if got := summary(Lint(processes[0])); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
}
