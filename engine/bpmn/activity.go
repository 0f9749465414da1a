package bpmn

import (
	"strconv"
	"strings"
)

func (p *parser) jobTask(t *tag, e *Element) {
	e.Kind = KindJob
	p.extensions(t, e.ID, "taskDefinition", "taskHeaders", "ioMapping")
	p.mappings(t, e)
	definition := t.extension("taskDefinition")
	if definition == nil || strings.TrimSpace(definition.attr("type")) == "" {
		p.failf(e.ID, "missing-job-type", "a %s needs zeebe:taskDefinition with a type", t.name)
		return
	}
	e.JobType = p.textOr(e.ID, "bad-job-type", "the job type", definition.attr("type"))
	e.Retries = p.textOr(e.ID, "bad-retries", "the number of retries", definition.attr("retries"))
	if s := e.Retries.Static; s != "" {
		if n, err := strconv.ParseUint(s, 10, 31); err != nil || n > 1000 {
			p.failf(e.ID, "bad-retries", "retries %q is not a whole number up to 1000", clip(s))
		}
	}
	if headers := t.extension("taskHeaders"); headers != nil {
		for _, h := range headers.children {
			if !h.is(nsZeebe, "header") {
				continue
			}
			if h.attr("key") == "" {
				p.failf(e.ID, "bad-header", "a task header has no key")
				continue
			}
			e.Headers = append(e.Headers, Header{h.attr("key"), h.attr("value")})
		}
	}
}

// receiveTask also tolerates a taskDefinition: Payment Hub EE's flows carry some, and
// Zeebe passes over them.
func (p *parser) receiveTask(t *tag, e *Element) {
	e.Kind = KindReceive
	p.extensions(t, e.ID, "taskDefinition", "taskHeaders", "ioMapping")
	p.mappings(t, e)
	e.Message = p.message(t.attr("messageRef"), e.ID, true)
}

func (p *parser) passTask(t *tag, e *Element) {
	e.Kind = KindPass
	p.extensions(t, e.ID, "ioMapping", "taskHeaders")
	p.mappings(t, e)
}

func (p *parser) callActivity(t *tag, e *Element) {
	e.Kind = KindCall
	p.extensions(t, e.ID, "calledElement", "ioMapping", "taskHeaders")
	p.mappings(t, e)
	called := t.extension("calledElement")
	if called == nil || strings.TrimSpace(called.attr("processId")) == "" {
		p.failf(e.ID, "missing-called-element", "a callActivity needs zeebe:calledElement with a processId")
		return
	}
	e.CalledElement = p.textOr(e.ID, "bad-called-element", "the called process id", called.attr("processId"))
	e.PropagateParent = called.attr("propagateAllParentVariables") != "false"
	e.PropagateChild = called.attr("propagateAllChildVariables") != "false"
	if kind := called.attr("bindingType"); kind != "" && kind != "latest" {
		p.failf(e.ID, "unsupported-attribute", "this build calls the latest version only, not bindingType=%q", clip(kind))
	}
}

func gateway(kind Kind) func(*parser, *tag, *Element) {
	return func(p *parser, t *tag, e *Element) {
		e.Kind = kind
		p.extensions(t, e.ID)
	}
}

// maxPath bounds the names in a mapping's target; each is a level of a context.
const maxPath = 32

// mappings reads zeebe:ioMapping.
func (p *parser) mappings(t *tag, e *Element) {
	mapping := t.extension("ioMapping")
	if mapping == nil {
		return
	}
	for _, c := range mapping.children {
		if !c.is(nsZeebe, "input") && !c.is(nsZeebe, "output") {
			continue
		}
		m := Mapping{
			Source: p.textOr(e.ID, "bad-mapping", "the source of a mapping", c.attr("source")),
			Target: strings.Split(c.attr("target"), "."),
		}
		for _, name := range m.Target {
			if !identifier(name) {
				p.failf(e.ID, "bad-mapping", "the target %q of a mapping is not a variable or a path such as a.b", clip(c.attr("target")))
				break
			}
		}
		if len(m.Target) > maxPath {
			p.failf(e.ID, "bad-mapping", "the target %q of a mapping is a path of more than %d names", clip(c.attr("target")), maxPath)
		}
		if !c.has("source") {
			p.failf(e.ID, "bad-mapping", "the mapping to %q has no source", clip(c.attr("target")))
		}
		if c.name == "input" {
			e.Inputs = append(e.Inputs, m)
		} else {
			e.Outputs = append(e.Outputs, m)
		}
	}
}

// identifier tells whether a text can be the name of a variable.
func identifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 256
}
