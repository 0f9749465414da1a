package bpmn

import (
	"strconv"
	"strings"
)

func (p *parser) jobTask(t *tag, e *Element) {
	e.Kind = KindJob
	p.extensions(t, e.ID, "taskDefinition", "taskHeaders", "ioMapping")
	p.mappings(t, e)
	p.job(t, e)
}

// job reads the type and the headers of an element that a connector does.
func (p *parser) job(t *tag, e *Element) {
	p.headers(t, e)
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
}

func (p *parser) headers(t *tag, e *Element) {
	headers := t.extension("taskHeaders")
	if headers == nil {
		return
	}
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

// businessRuleTask is a job: this engine evaluates no decision tables.
func (p *parser) businessRuleTask(t *tag, e *Element) {
	if t.extension("calledDecision") != nil {
		e.Kind = KindJob
		p.failf(e.ID, "unsupported-decision", "this build does not evaluate DMN decisions: give the task a zeebe:taskDefinition, or write the rule as a script task")
		return
	}
	p.jobTask(t, e)
}

// scriptTask is a FEEL expression, or a job for a connector that runs the script.
func (p *parser) scriptTask(t *tag, e *Element) {
	script := t.extension("script")
	if script == nil && t.extension("taskDefinition") != nil {
		p.jobTask(t, e)
		return
	}
	e.Kind = KindScript
	p.extensions(t, e.ID, "script", "taskHeaders", "ioMapping")
	p.mappings(t, e)
	p.headers(t, e)
	if script == nil {
		p.failf(e.ID, "missing-script", "a scriptTask needs zeebe:script with an expression and a resultVariable, or zeebe:taskDefinition")
		return
	}
	e.Script = &Script{
		Expression:     p.expression(e.ID, "bad-script", "the script", script.attr("expression")),
		ResultVariable: script.attr("resultVariable"),
	}
	if !identifier(e.Script.ResultVariable) {
		p.failf(e.ID, "bad-script", "the resultVariable %q is no name of a variable", clip(e.Script.ResultVariable))
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
	p.headers(t, e)
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
