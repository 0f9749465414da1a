//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSidecar deploys a flow that does not say what its ends mean. The file beside it
// does; a strict deployment refuses one by which a failed payment looks completed; and
// the linter, asked what the node's connectors serve, knows what is missing.
func TestSidecar(t *testing.T) {
	h := startHub(t, options{})
	flow := filepath.Join(h.dir, "foreign.bpmn")
	beside := filepath.Join(h.dir, "foreign.ends.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(flow, `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="foreign" isExecutable="true"><bpmn:startEvent id="start"/><bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="held"/>
<bpmn:exclusiveGateway id="held" default="f2"/><bpmn:sequenceFlow id="f2" sourceRef="held" targetRef="paid"/><bpmn:endEvent id="paid"/>
<bpmn:sequenceFlow id="f3" sourceRef="held" targetRef="lost"><bpmn:conditionExpression>=holdFailed = true</bpmn:conditionExpression></bpmn:sequenceFlow><bpmn:endEvent id="lost"/>
<bpmn:sequenceFlow id="f4" sourceRef="held" targetRef="work"><bpmn:conditionExpression>=odd = true</bpmn:conditionExpression></bpmn:sequenceFlow>
<bpmn:serviceTask id="work"><bpmn:extensionElements><zeebe:taskDefinition type="nobody-does-this"/></bpmn:extensionElements></bpmn:serviceTask>
<bpmn:sequenceFlow id="f5" sourceRef="work" targetRef="paid"/></bpmn:process></bpmn:definitions>`)
	if got := h.railhead("flow", "lint", flow, "--active", "--tenant", tenant); !strings.Contains(got, "no connector serves the job type nobody-does-this") ||
		!strings.Contains(got, "no-result") {
		t.Errorf("flow lint says %s", got)
	}
	write(beside, "paid: {result: completed}\nlost: {result: completed}\n")
	h.refused([]string{"lost", "failed-looks-completed"}, "flow", "deploy", "--strict", "--tenant", tenant, flow)
	write(beside, "paid: {result: completed, code: PAID}\nlost: {result: failed, code: NO_COVER}\n")
	h.railhead("flow", "deploy", "--tenant", tenant, flow)
	for failed, want := range map[string]string{"false": "RESULT_COMPLETED PAID", "true": "RESULT_FAILED NO_COVER"} {
		payment := strings.TrimSpace(h.railhead("payment", "start", tenant, "foreign", "--var", "holdFailed="+failed))
		if info := h.ended(payment); info.GetResult().String()+" "+info.GetCode() != want {
			t.Errorf("with holdFailed = %s it ended %s %s, want %s", failed, info.GetResult(), info.GetCode(), want)
		}
	}
}
