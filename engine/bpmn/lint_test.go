package bpmn

import "testing"

func TestLint(t *testing.T) {
	const message = ` MESSAGE <message id="m" name="x"><extensionElements><z:subscription correlationKey="=a"/></extensionElements></message>`
	for _, row := range []struct{ name, body, want string }{
		{"an end without a result", `{end e} {s -> e}`, "~no-result@e"},
		{"an element nothing leads to", `{job a} {end e} {s -> e} {a -> e}`, "~unreachable@a, ~no-result@e"},
		{"a gateway without a way out", `<parallelGateway id="g"/> {s -> g}`, "~no-way-out@g"},
		{"a gateway without a default", `<exclusiveGateway id="g"/> <endEvent id="e"><extensionElements><z:properties><z:property name="railhead:result" value="failed"/></z:properties></extensionElements></endEvent> {s -> g}
			<sequenceFlow id="f" sourceRef="g" targetRef="e"><conditionExpression>=a</conditionExpression></sequenceFlow>
			<sequenceFlow id="h" sourceRef="g" targetRef="e"><conditionExpression>=b</conditionExpression></sequenceFlow>`, "~no-default-flow@g"},
		{"a wait without a timer", `<receiveTask id="r" messageRef="m"/> {end e} {s -> r} {r -> e}` + message, "~endless-wait@r, ~no-result@e"},
		{"a wait with a timer", `<receiveTask id="r" messageRef="m"/> <boundaryEvent id="b" attachedToRef="r"><timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition></boundaryEvent> {end e} {s -> r} {r -> e} {b -> e}` + message, "~no-result@e"},
		{"a race with a timer", `<eventBasedGateway id="g"/> {timer t} <intermediateCatchEvent id="c"><messageEventDefinition messageRef="m"/></intermediateCatchEvent> {end e} {s -> g} {g -> t} {g -> c} {t -> e} {c -> e}` + message, "~no-result@e"},
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
