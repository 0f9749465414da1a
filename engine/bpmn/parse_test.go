package bpmn

import (
	"strings"
	"testing"
)

func TestParseTransfer(t *testing.T) {
	processes, problems := Parse([]byte(transfer))
	if len(processes) != 1 || len(problems) != 0 {
		t.Fatalf("processes %v, problems %v", processes, problems)
	}
	p := processes[0]
	wait, ok := p.Element("wait")
	if !ok || wait.Kind != KindReceive || wait.Message.Name.Static != "answer" || len(wait.Boundary) != 1 {
		t.Errorf("wait = %+v", wait)
	}
	late := &p.Elements[wait.Boundary[0]]
	if late.Kind != KindBoundary || !late.Interrupting || late.AttachedTo != wait.Index {
		t.Errorf("late = %+v", late)
	}
	schedule, err := late.Timer.Schedule(nil, 1000)
	if err != nil || schedule.DueMS != 61_000 || schedule.Repeat != 0 {
		t.Errorf("schedule = %+v, %v", schedule, err)
	}
	gate, _ := p.Element("gate")
	if len(gate.Outgoing) != 2 || gate.Default != gate.Outgoing[1] || p.Flows[gate.Outgoing[0]].Condition == nil {
		t.Errorf("gate = %+v", gate)
	}
	if types := p.JobTypes(); len(types) != 1 || types[0] != "send" {
		t.Errorf("job types = %v", types)
	}
}

const transfer = `<?xml version="1.0" encoding="UTF-8"?>
<b:definitions xmlns:b="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:z="http://camunda.org/schema/zeebe/1.0">
  <b:process id="transfer" isExecutable="true">
    <b:startEvent id="start"/>
    <b:serviceTask id="send">
      <b:extensionElements><z:taskDefinition type="send" retries="5"/></b:extensionElements>
    </b:serviceTask>
    <b:receiveTask id="wait" messageRef="m"/>
    <b:boundaryEvent id="late" attachedToRef="wait">
      <b:timerEventDefinition><b:timeDuration>PT1M</b:timeDuration></b:timerEventDefinition>
    </b:boundaryEvent>
    <b:exclusiveGateway id="gate" default="bad"/>
    <b:endEvent id="done">
      <b:extensionElements><z:properties>
        <z:property name="railhead:result" value="completed"/>
      </z:properties></b:extensionElements>
    </b:endEvent>
    <b:endEvent id="failed">
      <b:extensionElements><z:properties>
        <z:property name="railhead:result" value="failed"/>
        <z:property name="railhead:code" value="NO_ANSWER"/>
      </z:properties></b:extensionElements>
    </b:endEvent>
    <b:sequenceFlow id="f1" sourceRef="start" targetRef="send"/>
    <b:sequenceFlow id="f2" sourceRef="send" targetRef="wait"/>
    <b:sequenceFlow id="f3" sourceRef="wait" targetRef="gate"/>
    <b:sequenceFlow id="good" sourceRef="gate" targetRef="done">
      <b:conditionExpression>=transferFailed = false</b:conditionExpression>
    </b:sequenceFlow>
    <b:sequenceFlow id="bad" sourceRef="gate" targetRef="failed"/>
    <b:sequenceFlow id="f4" sourceRef="late" targetRef="failed"/>
  </b:process>
  <b:message id="m" name="answer">
    <b:extensionElements><z:subscription correlationKey="=transactionId"/></b:extensionElements>
  </b:message>
</b:definitions>`

// TestEncodings: older modellers write Latin-1, and BOMs happen.
func TestEncodings(t *testing.T) {
	const body = `<definitions xmlns="` + nsModel + `"><process id="p" name="%" isExecutable="true"><startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/></process></definitions>`
	for head, name := range map[string]string{
		`<?xml version="1.0" encoding="ISO-8859-1"?>`: "pay\xe9",
		`<?xml version="1.0" encoding="UTF-8"?>`:      "payé",
		``:                                            "payé",
		"\ufeff" + `<?xml version="1.0" encoding="utf-8"?>`: "payé",
	} {
		processes, problems := Parse([]byte(head + strings.Replace(body, "%", name, 1)))
		if len(processes) != 1 || processes[0].Name != "payé" {
			t.Errorf("%q: %v %v", head, processes, problems)
		}
	}
}
