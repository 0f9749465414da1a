//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

// refused runs the command line against the hub and demands exit code 3, and
// words in what it says.
func (h *hub) refused(words []string, args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), h.bin, append(args, "--control", h.leader().door)...)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 3 {
		h.t.Errorf("railhead %s: %v, want exit code 3\n%s", strings.Join(args, " "), err, out)
	}
	for _, w := range words {
		if !bytes.Contains(out, []byte(w)) {
			h.t.Errorf("railhead %s does not say %q:\n%s", strings.Join(args, " "), w, out)
		}
	}
}

// TestRefusals deploys flows that would not run and installs what is no
// connector. Each is refused by name, and changes nothing.
func TestRefusals(t *testing.T) {
	h := startHub(t, options{})
	write := func(name string, content []byte) string {
		path := filepath.Join(h.dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	state := func() string {
		return h.railhead("flow", "list", "--json", "--all") + h.railhead("connector", "list", "--json")
	}
	before := state()

	const head = `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true"><bpmn:startEvent id="start"/>`
	const tail = `<bpmn:endEvent id="end"/></bpmn:process></bpmn:definitions>`
	for _, c := range []struct {
		name, body string
		words      []string
	}{
		{"an element we do not run", `<bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="decide"/><bpmn:businessRuleTask id="decide"/><bpmn:sequenceFlow id="f2" sourceRef="decide" targetRef="end"/>`, []string{"decide", "businessRuleTask"}},
		{"a dangling flow", `<bpmn:sequenceFlow id="dangling" sourceRef="start" targetRef="nowhere"/>`, []string{"dangling", "nowhere"}},
		{"a bad expression", `<bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="choice"/><bpmn:exclusiveGateway id="choice" default="f3"/>
<bpmn:sequenceFlow id="bad" sourceRef="choice" targetRef="end"><bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">=amount &gt;</bpmn:conditionExpression></bpmn:sequenceFlow>
<bpmn:sequenceFlow id="f3" sourceRef="choice" targetRef="end"/>`, []string{"bad"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.in(t)
			h.refused(c.words, "flow", "deploy", "--tenant", tenant, write("flow.bpmn", []byte(head+c.body+tail)))
		})
	}
	t.Run("no XML", func(t *testing.T) {
		h := h.in(t)
		h.refused(nil, "flow", "deploy", "--tenant", tenant, write("flow.bpmn", []byte("This is not XML.")))
	})
	t.Run("an unknown tenant", func(t *testing.T) {
		h := h.in(t)
		h.refused([]string{"nobody"}, "flow", "deploy", "--tenant", "nobody", "../flows/payer-fund-transfer-DFSPID.bpmn")
	})

	none := wasm.Header
	module, err := os.ReadFile(connector + "/ams-bank.wasm")
	if err != nil {
		t.Fatal(err)
	}
	manifest, found, err := wasm.Custom(module, "railhead.manifest")
	if err != nil || !found {
		t.Fatalf("the bank's connector has no manifest: %v", err)
	}
	with := func(module []byte) []byte {
		out, err := wasm.WithCustom(module, "railhead.manifest", manifest)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		module []byte
		words  []string
	}{
		{"text", []byte("This is not WebAssembly."), []string{"not-wasm"}},
		{"a module without a manifest", none, []string{"manifest"}},
		{"a module without exports", with(none), []string{"missing-export", "railhead_abi_v1"}},
		{"a module that imports a clock", with(importing("env", "clock")), []string{"forbidden-import", "env", "clock"}},
		{"half a connector", module[:len(module)/2], nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.in(t)
			h.refused(c.words, "connector", "install", write("module.wasm", c.module))
		})
	}

	if after := state(); after != before {
		t.Errorf("refusals changed something:\n%s\n%s", before, after)
	}
}

// importing is a module with every export of the ABI, and one import.
func importing(from, name string) []byte {
	text := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	const i32, i64, function = 0x7f, 0x7e, 0x60
	types := []byte{3, function, 0, 0, function, 1, i32, 1, i32, function, 2, i32, i32, 1, i64}
	imports := slices.Concat([]byte{1}, text(from), text(name), []byte{0, 0})
	functions := []byte{4, 0, 0, 1, 2} // after the import, which is function 0
	memory := []byte{1, 1, 1, 2}       // one page, at most two
	exports := slices.Concat([]byte{5}, text("memory"), []byte{2, 0},
		text("railhead_abi_v1"), []byte{0, 1}, text("_initialize"), []byte{0, 2},
		text("railhead_buf"), []byte{0, 3}, text("railhead_step"), []byte{0, 4})
	code := []byte{4, 2, 0, 0x0b, 2, 0, 0x0b, 4, 0, 0x41, 0, 0x0b, 4, 0, 0x42, 0, 0x0b}
	module := slices.Clone(wasm.Header)
	for _, section := range []struct {
		id      byte
		content []byte
	}{
		{wasm.SectionType, types}, {wasm.SectionImport, imports}, {wasm.SectionFunction, functions},
		{wasm.SectionMemory, memory}, {wasm.SectionExport, exports}, {wasm.SectionCode, code},
	} {
		module = wasm.AppendSection(module, section.id, section.content)
	}
	return module
}

// TestUnservedJob deploys a flow whose job nobody serves: a warning, unless the
// caller is strict; and at run time an incident, which is no end.
func TestUnservedJob(t *testing.T) {
	h := startHub(t, options{})
	flow := filepath.Join(h.dir, "unserved.bpmn")
	if err := os.WriteFile(flow, []byte(`<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="unserved" isExecutable="true"><bpmn:startEvent id="start"/><bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="work"/>
<bpmn:serviceTask id="work"><bpmn:extensionElements><zeebe:taskDefinition type="nobody-does-this"/></bpmn:extensionElements></bpmn:serviceTask>
<bpmn:sequenceFlow id="f2" sourceRef="work" targetRef="end"/><bpmn:endEvent id="end"/></bpmn:process></bpmn:definitions>`), 0o644); err != nil {
		t.Fatal(err)
	}
	h.refused([]string{"work", "nobody-does-this"}, "flow", "deploy", "--strict", "--tenant", tenant, flow)
	deployed := h.railhead("flow", "deploy", "--json", "--tenant", tenant, flow)
	if !strings.Contains(deployed, "nobody-does-this") {
		t.Errorf("deploying it warns of nothing: %s", deployed)
	}
	payment := strings.TrimSpace(h.railhead("payment", "start", tenant, "unserved"))
	until(t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		if state := p.GetPayment().GetState(); state != "incident" || len(p.GetIncidents()) != 1 {
			return fmt.Errorf("payment %s is %s with %d incidents, want one", payment, state, len(p.GetIncidents()))
		}
		return nil
	})
	if got := h.railhead("payment", "list", "--incidents"); !strings.Contains(got, payment) {
		t.Errorf("the list of incidents lacks it: %s", got)
	}
	h.railhead("payment", "cancel", payment, "--reason", "nobody does this")
	if info := h.ended(payment); info.GetResult().String() != "RESULT_CANCELLED" {
		t.Errorf("cancelled, it is %s", info.GetResult())
	}
}
