package bpmn

import (
	"strconv"
	"strings"

	"github.com/railhead-hub/railhead/engine/feel"
)

// userTask reads work for a person. Zeebe has two kinds, told apart by the marker
// zeebe:userTask; here they are one.
func (p *parser) userTask(t *tag, e *Element) {
	e.Kind = KindUser
	p.extensions(t, e.ID, "userTask", "assignmentDefinition", "formDefinition", "taskSchedule", "priorityDefinition",
		"taskHeaders", "ioMapping")
	p.mappings(t, e)
	p.headers(t, e)
	e.User = &User{}
	if c := t.extension("assignmentDefinition"); c != nil {
		e.User.Assignee = p.textOr(e.ID, "bad-assignment", "the assignee", c.attr("assignee"))
		e.User.CandidateGroups = p.textOr(e.ID, "bad-assignment", "the list of candidate groups", c.attr("candidateGroups"))
		e.User.CandidateUsers = p.textOr(e.ID, "bad-assignment", "the list of candidate users", c.attr("candidateUsers"))
	}
	p.form(t, e)
	if c := t.extension("taskSchedule"); c != nil {
		e.User.DueDate = p.date(e.ID, "the due date", c.attr("dueDate"))
		e.User.FollowUpDate = p.date(e.ID, "the follow-up date", c.attr("followUpDate"))
	}
	if c := t.extension("priorityDefinition"); c != nil {
		e.User.Priority = p.textOr(e.ID, "bad-priority", "the priority", c.attr("priority"))
		if s := e.User.Priority.Static; s != "" {
			if n, err := strconv.ParseUint(s, 10, 8); err != nil || n > 100 {
				p.failf(e.ID, "bad-priority", "the priority %q is not a whole number from 0 to 100", clip(s))
			}
		}
	}
}

// form reads which form a user task shows. Forms live with the program that shows
// them, so all three ways to name one are the same to the engine.
func (p *parser) form(t *tag, e *Element) {
	c := t.extension("formDefinition")
	if c == nil {
		return
	}
	for _, name := range []string{"formKey", "formId", "externalReference"} {
		if strings.TrimSpace(c.attr(name)) == "" {
			continue
		}
		if e.User.FormKey.IsSet() {
			p.failf(e.ID, "bad-form", "a form is named by one of formKey, formId and externalReference, not by several")
			return
		}
		e.User.FormKey = p.textOr(e.ID, "bad-form", "the "+name, c.attr(name))
	}
	if kind := c.attr("bindingType"); kind != "" && kind != "latest" {
		p.failf(e.ID, "unsupported-attribute", "this build hands out the name of a form only, not bindingType=%q", clip(kind))
	}
}

func (p *parser) date(id, what, text string) Text {
	date := p.textOr(id, "bad-schedule", what, text)
	if date.Static != "" {
		if _, err := feel.ParseDateTime(date.Static); err != nil {
			p.failf(id, "bad-schedule", "%s: %v", what, err)
		}
	}
	return date
}
