package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A connector's schedule runs as a payment of a flow that the engine makes for it: a
// timer start event and one job. So a run has attempts, a history, incidents and a
// timeline like everything else. Schedules belong to the version that serves all
// payments, never to a canary.
//
// A schedule that comes or changes with a version gets a new version of its flow,
// which outdates the timers of those before. One that goes is not looked for: its
// timer finds, when it fires, that nobody declares it any more.

// ScheduleFlow begins the ids of such flows. No other flow may be called so, which is
// for whoever takes flows from people to see to: a payment that is run again brings its
// flow along.
const ScheduleFlow = "schedule."

// ScheduleType is the job type of a connector's schedule, which no manifest can declare.
func ScheduleType(connector, name string) string { return "schedule:" + connector + ":" + name }

// ScheduleOf is the name of the schedule whose job type this is.
func ScheduleOf(jobType string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(jobType, "schedule:")
	if !ok {
		return "", false
	}
	_, name, ok = strings.Cut(rest, ":")
	return name, ok
}

func scheduleFlowID(connector, name string) string { return ScheduleFlow + connector + "." + name }

const scheduleXML = `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="made-at-%d" targetNamespace="railhead">
  <bpmn:process id="%s" name="%s" isExecutable="true">
    <bpmn:startEvent id="due"><bpmn:outgoing>a</bpmn:outgoing><bpmn:timerEventDefinition id="timer"><bpmn:timeCycle>%s</bpmn:timeCycle></bpmn:timerEventDefinition></bpmn:startEvent>
    <bpmn:sequenceFlow id="a" sourceRef="due" targetRef="run"/>
    <bpmn:serviceTask id="run"><bpmn:extensionElements><zeebe:taskDefinition type="%s"/></bpmn:extensionElements><bpmn:incoming>a</bpmn:incoming><bpmn:outgoing>b</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:sequenceFlow id="b" sourceRef="run" targetRef="ran"/>
    <bpmn:endEvent id="ran"><bpmn:incoming>b</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
`

// reschedule gives a tenant the schedules of a module in place of those of the one
// that served before, which may be nil.
func (a *application) reschedule(tenant string, before, module *enginev1.Connector) {
	if !a.swaps() {
		return
	}
	for _, s := range module.Schedules {
		a.put(jobRouteKey(tenant, ScheduleType(module.Name, s.Name)), &enginev1.JobRoute{Connector: module.Name})
		if before == nil || cycleOf(before, s.Name) != s.Cycle {
			a.deploySchedule(tenant, module.Name, s)
		}
	}
}

// scheduleAll begins the schedules of all versions that serve, in a cluster that had none
// so far.
func (a *application) scheduleAll() {
	var serving []*enginev1.Activation
	a.tx.Ascend(Key{Table: TableActivation}, func(_ Key, row Row) bool {
		serving = append(serving, row.(*enginev1.Activation))
		return true
	})
	for _, act := range serving {
		if module := a.module(act.Connector, act.Digest); module != nil {
			a.reschedule(act.Tenant, nil, module)
		}
	}
}

// cycleOf is the cycle of a module's schedule; empty: it has none of that name.
func cycleOf(module *enginev1.Connector, name string) string {
	for _, s := range module.Schedules {
		if s.Name == name {
			return s.Cycle
		}
	}
	return ""
}

func (a *application) deploySchedule(tenant, connector string, s *enginev1.Schedule) {
	id := scheduleFlowID(connector, s.Name)
	text := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s)) // writing to memory does not fail
		return b.String()
	}
	file := fmt.Appendf(nil, scheduleXML, a.stamp.Index, text(id), text("schedule "+s.Name+" of "+connector), text(s.Cycle), text(ScheduleType(connector, s.Name)))
	processes, problems := bpmn.Parse(file)
	if bpmn.Refused(problems) || len(processes) != 1 {
		why := "it is no schedule"
		if len(problems) > 0 {
			why = problems[0].Text
		}
		a.refuse(CodeFlowRefused, "The schedule "+quote(s.Name)+" of connector "+quote(connector)+" cannot run: "+clip(why))
	}
	digest := sha256.Sum256(file)
	a.deployProcess(&enginev1.Deploy{
		Tenant: tenant, File: id + ".bpmn", Xml: file,
		Ends: []*enginev1.EndResult{{Element: "ran", Result: enginev1.Result_RESULT_COMPLETED, Code: "ran"}},
	}, processes[0], digest[:])
}

// declared tells whether a flow may be started by its timer: that of a schedule only
// while the version that serves the tenant declares it. A flow that a person named so
// before schedules were runs on: of its connector there is no activation.
func (a *application) declared(tenant, flow string) bool {
	rest, isSchedule := strings.CutPrefix(flow, ScheduleFlow)
	if !isSchedule {
		return true
	}
	connector, name, _ := strings.Cut(rest, ".")
	act, found := get[*enginev1.Activation](a, activationKey(tenant, connector))
	if !found || !a.swaps() {
		return true
	}
	module := a.module(connector, act.Digest)
	return module != nil && cycleOf(module, name) != ""
}
