package bpmn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn/bpmntest"
)

// TestStructure: what lies where, and what leads where beside the sequence flows.
func TestStructure(t *testing.T) {
	processes, problems := Parse(bpmntest.File(`
		<startEvent id="sig"><signalEventDefinition signalRef="closing"/></startEvent>
		<subProcess id="pay"><startEvent id="in"/> {job hold} {undo undoHold hold} <task id="release" isForCompensation="true"/>
			{undoHold ~ release} <endEvent id="bad"><errorEventDefinition errorRef="declined"/></endEvent> {in -> hold} {hold -> bad}
			<subProcess id="late" triggeredByEvent="true"><startEvent id="after" isInterrupting="false">{timer}</startEvent>
				<endEvent id="undo"><compensateEventDefinition activityRef="hold"/></endEvent> {after -> undo}</subProcess>
		</subProcess>
		<boundaryEvent id="declinedHere" attachedToRef="pay"><errorEventDefinition errorRef="declined"/></boundaryEvent>
		<userTask id="ask">{for inputCollection="=people" inputElement="person"}</userTask>
		<endEvent id="tell"><extensionElements><z:taskDefinition type="notify"/></extensionElements><messageEventDefinition messageRef="told"/></endEvent>
		{on stop stopped escalationEventDefinition}
		{s -> pay} {sig -> pay} {pay -> ask} {ask -> tell} {declinedHere -> ask}
		MESSAGE <signal id="closing" name="closing"/> <error id="declined" errorCode="DECLINED"/> <message id="told" name="told"/>`))
	if len(processes) != 1 || len(problems) > 0 {
		t.Fatal(problems)
	}
	p := processes[0]
	if len(p.Start) != 1 || len(p.SignalStart) != 1 || strings.Join(ids(p, p.EventSubs), " ") != "stop" {
		t.Errorf("starts %v %v, event sub-processes %v", ids(p, p.Start), ids(p, p.SignalStart), ids(p, p.EventSubs))
	}
	var lies []string
	for i := range p.Elements {
		if e := &p.Elements[i]; e.Parent >= 0 {
			lies = append(lies, p.Elements[e.Parent].ID+"/"+e.ID)
		}
	}
	if got, want := strings.Join(lies, " "), "pay/in pay/hold pay/undoHold pay/release pay/bad pay/late late/after late/undo stop/stopped"; got != want {
		t.Errorf("lies in:\n got %s\nwant %s", got, want)
	}
	pay, hold, undo := element(t, p, "pay"), element(t, p, "hold"), element(t, p, "undo")
	if pay.Kind != KindSub || p.Elements[pay.SubStart].ID != "in" || strings.Join(ids(p, pay.EventSubs), " ") != "late" || strings.Join(ids(p, pay.Boundary), " ") != "declinedHere" {
		t.Errorf("pay = %+v", pay)
	}
	if p.Elements[hold.CompensatedBy].ID != "release" || undo.Compensate.Activity != hold.Index {
		t.Errorf("hold = %+v, undo = %+v", hold, undo)
	}
	if after := element(t, p, "after"); after.Interrupting || after.Timer == nil || after.Kind != KindStart {
		t.Errorf("after = %+v", after)
	}
	if stopped := element(t, p, "stopped"); !stopped.Interrupting || stopped.Escalation.IsSet() {
		t.Errorf("stopped = %+v", stopped)
	}
	if element(t, p, "bad").Error.Static != "DECLINED" || element(t, p, "declinedHere").Error.Static != "DECLINED" {
		t.Error("the error's code is lost")
	}
	if ask := element(t, p, "ask"); ask.Loop.InputElement != "person" || ask.Loop.Sequential {
		t.Errorf("ask = %+v", ask.Loop)
	}
	if got := fmt.Sprint(p.JobTypes()); got != "[x notify]" {
		t.Errorf("job types %s", got)
	}
}

// TestUpstream: a joining gateway knows from where a token can still come.
func TestUpstream(t *testing.T) {
	processes, problems := Parse(bpmntest.File(`
		<inclusiveGateway id="fork" default="skip"/> {job a} {job b} <inclusiveGateway id="join"/> {job again} {end e} {end late}
		<boundaryEvent id="slow" attachedToRef="a" cancelActivity="false">{timer}</boundaryEvent>
		<boundaryEvent id="dead" attachedToRef="b">{timer}</boundaryEvent>
		<intermediateThrowEvent id="off"><linkEventDefinition name="l"/></intermediateThrowEvent>
		<intermediateCatchEvent id="on"><linkEventDefinition name="l"/></intermediateCatchEvent>
		<exclusiveGateway id="more" default="done"/>
		{s -> fork} {if fa fork -> a} {if fb fork -> b} <sequenceFlow id="skip" sourceRef="fork" targetRef="join"/>
		{a -> join} {b -> join} {slow -> off} {on -> join} {dead -> late}
		{join -> more} <sequenceFlow id="done" sourceRef="more" targetRef="e"/> {if back more -> again} {again -> fork}`))
	if len(processes) != 1 || len(problems) > 0 {
		t.Fatal(problems)
	}
	p := processes[0]
	// After the join a token comes back to it only through what lies before: the
	// loop counts, the join itself does not.
	for way, want := range []string{
		"s fork again more", "s fork a again more", "s fork b again more", "s fork a again slow off on more",
	} {
		var from []int
		for i, yes := range element(t, p, "join").Upstream[way] {
			if yes {
				from = append(from, i)
			}
		}
		if got := strings.Join(ids(p, from), " "); got != want {
			t.Errorf("upstream of way %d:\n got %s\nwant %s", way, got, want)
		}
	}
	if element(t, p, "fork").Upstream == nil || element(t, p, "more").Upstream != nil {
		t.Error("upstream is for inclusive gateways with several ways in")
	}
}

func element(t *testing.T, p *Process, id string) *Element {
	t.Helper()
	e, ok := p.Element(id)
	if !ok {
		t.Fatalf("no element %s", id)
	}
	return e
}

func ids(p *Process, elements []int) (ids []string) {
	for _, i := range elements {
		ids = append(ids, p.Elements[i].ID)
	}
	return ids
}
