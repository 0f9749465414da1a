package bpmn

// association notes where an association leads from: one from a compensation
// boundary event leads to the handler. All others are decoration.
func (p *parser) association(t *tag) {
	source := t.attr("sourceRef")
	if _, second := p.associations[source]; !second {
		p.associations[source] = t.attr("targetRef")
	}
}

// handler marks what undoes another activity.
func (p *parser) handler(t *tag, e *Element) {
	switch t.name {
	case "serviceTask", "sendTask", "businessRuleTask", "scriptTask", "userTask", "task", "manualTask":
		e.ForCompensation = true
	default:
		p.failf(e.ID, "unsupported-compensation", "this build does not execute a %s as a compensation handler: use a task", t.name)
	}
}

// undone links an activity to the handler of its compensation boundary event e.
func (p *parser) undone(e, host *Element) {
	process := p.current
	if len(e.Outgoing) > 0 {
		p.failf(e.ID, "bad-compensation", "a sequence flow leaves a compensation boundary event; an association leads to the handler")
	}
	ref, ok := p.associations[e.ID]
	if !ok {
		p.failf(e.ID, "bad-compensation", "no association leads from this compensation boundary event to the handler that undoes %s", host.ID)
		return
	}
	handler, ok := process.Element(ref)
	switch {
	case !ok:
		p.failf(e.ID, "bad-compensation", "the association leads to %q, which is no element of this process", clip(ref))
	case handler.Kind == kindUnsupported || p.blamed[handler.ID]:
	case !handler.ForCompensation:
		p.failf(e.ID, "bad-compensation", "the association leads to %s, which is no compensation handler (isForCompensation)", handler.ID)
	case handler.Parent != host.Parent:
		p.failf(e.ID, "bad-compensation", "the handler %s lies in another sub-process than %s", handler.ID, host.ID)
	case host.ForCompensation:
		p.failf(e.ID, "bad-compensation", "%s is itself a compensation handler", host.ID)
	default:
		host.CompensatedBy = handler.Index
	}
}

// compensate reads what a compensation throw or end event undoes; which activity is
// resolved by activity, once all are known.
func (p *parser) compensate(definition *tag, e *Element) {
	if definition.attr("waitForCompletion") == "false" {
		p.failf(e.ID, "unsupported-attribute", "this build does not execute waitForCompletion=\"false\"")
	}
	e.Compensate = &Compensate{Activity: -1}
}

// activity resolves the activity that a compensation event e undoes. It must lie
// beside the event, or around the event sub-process the event lies in.
func (p *parser) activity(e *Element, t *tag) {
	definition := t.child(nsModel, "compensateEventDefinition")
	if definition == nil || e.Kind == KindBoundary || definition.attr("activityRef") == "" {
		return
	}
	process := p.current
	ref := definition.attr("activityRef")
	activity, ok := process.Element(ref)
	if !ok {
		p.failf(e.ID, "bad-compensation", "activityRef %q is no element of this process", clip(ref))
		return
	}
	around := e.Parent
	if around >= 0 && process.Elements[around].Kind == KindEventSub {
		around = process.Elements[around].Parent
	}
	switch {
	case activity.Parent != e.Parent && activity.Parent != around:
		p.failf(e.ID, "bad-compensation", "the activity %s lies in another sub-process than this event", activity.ID)
	case activity.Kind != KindSub && activity.CompensatedBy < 0 && !p.blamed[activity.ID]:
		p.failf(e.ID, "bad-compensation", "the activity %s has no compensation boundary event with a handler", activity.ID)
	default:
		e.Compensate.Activity = activity.Index
	}
}
