package enginetest

import (
	"fmt"
	"strings"
)

// drawing is a BPMN file with one process, being written by the generator. What
// events refer to (messages, errors, …) is declared when it is first used.
type drawing struct {
	process  string
	declared map[string]bool
	heads    strings.Builder
	flows    int
}

// level is the inside of the process or of one sub-process.
type level struct {
	*drawing
	xml      strings.Builder
	undoable []string // activities with a compensation handler
}

// tag writes an element. extensions go into extensionElements, which the schema
// wants first.
func (l *level) tag(name, id, attributes, extensions, inner string) {
	if attributes != "" {
		attributes = " " + attributes
	}
	fmt.Fprintf(&l.xml, "<%s id=%q%s>%s%s</%s>\n", name, id, attributes, wrap(extensions), inner, name)
}

// flow leads from one element to another; its id is returned. Without a condition
// it is taken always.
func (l *level) flow(from, to, condition string) { l.flowAs(l.flowID(), from, to, condition) }

func (d *drawing) flowID() string {
	d.flows++
	return fmt.Sprint("f", d.flows)
}

func (l *level) flowAs(id, from, to, condition string) {
	if condition != "" {
		condition = `<conditionExpression xsi:type="tFormalExpression">=` + escape(condition) + `</conditionExpression>`
	}
	fmt.Fprintf(&l.xml, "<sequenceFlow id=%q sourceRef=%q targetRef=%q>%s</sequenceFlow>\n", id, from, to, condition)
}

// declare writes a root element such as an error once and returns its id.
func (d *drawing) declare(kind, name, attributes, extensions string) string {
	id := kind + "_" + name
	if !d.declared[id] {
		d.declared[id] = true
		fmt.Fprintf(&d.heads, "<%s id=%q name=%q%s>%s</%s>\n", kind, id, name, attributes, wrap(extensions), kind)
	}
	return id
}

func (d *drawing) messageEvent(name, key string) string {
	return `<messageEventDefinition messageRef="` + d.message(name, key) + `"/>`
}

func (d *drawing) message(name, key string) string {
	extensions := ""
	if key != "" {
		extensions = `<zeebe:subscription correlationKey="=` + escape(key) + `"/>`
	}
	return d.declare("message", name, "", extensions)
}

func (d *drawing) errorEvent(code string) string {
	if code == "" {
		return "<errorEventDefinition/>"
	}
	return `<errorEventDefinition errorRef="` + d.declare("error", code, ` errorCode="`+code+`"`, "") + `"/>`
}

func (d *drawing) escalationEvent(code string) string {
	if code == "" {
		return "<escalationEventDefinition/>"
	}
	return `<escalationEventDefinition escalationRef="` + d.declare("escalation", code, ` escalationCode="`+code+`"`, "") + `"/>`
}

func (d *drawing) signalEvent(name string) string {
	return `<signalEventDefinition signalRef="` + d.declare("signal", name, "", "") + `"/>`
}

func timerEvent(kind, text string) string {
	return "<timerEventDefinition><" + kind + ">" + escape(text) + "</" + kind + "></timerEventDefinition>"
}

// ioMapping is an extension: pairs of source expression and target.
func ioMapping(inputs, outputs [][2]string) string {
	var b strings.Builder
	for _, m := range inputs {
		fmt.Fprintf(&b, `<zeebe:input source="=%s" target="%s"/>`, escape(m[0]), m[1])
	}
	for _, m := range outputs {
		fmt.Fprintf(&b, `<zeebe:output source="=%s" target="%s"/>`, escape(m[0]), m[1])
	}
	if b.Len() == 0 {
		return ""
	}
	return "<zeebe:ioMapping>" + b.String() + "</zeebe:ioMapping>"
}

// file is the whole file around the inside of the process.
func (l *level) file() string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="t">
` + l.heads.String() + `<process id="` + l.process + `" isExecutable="true">
` + l.xml.String() + `</process>
</definitions>
`
}
