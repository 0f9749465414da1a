package bpmn

// graph checks what can be checked once all elements and flows are known, and links
// elements to each other.
func (p *parser) graph() {
	process := p.current
	p.starts()
	for i := range process.Elements {
		e := &process.Elements[i]
		t := p.tags[i]
		switch e.Kind {
		case KindExclusive:
			p.exclusive(e, t)
		case KindEventBased:
			p.eventBased(e)
		case KindBoundary:
			p.attach(e, t)
		case KindLinkThrow:
			p.link(e)
		case KindLinkCatch:
			p.linkTarget(e)
		case KindStart:
			if len(e.Incoming) > 0 {
				p.failf(e.ID, "incoming-at-start", "a sequence flow leads to a start event")
			}
		case KindEnd:
			if len(e.Outgoing) > 0 {
				p.failf(e.ID, "outgoing-at-end", "a sequence flow leaves an end event")
			}
		}
		if e.Kind != KindExclusive {
			p.unconditional(e, t)
		}
		p.references(e, t)
	}
}

func (p *parser) starts() {
	process := p.current
	if len(process.Start)+len(process.MessageStart)+len(process.TimerStart) == 0 {
		p.failf(process.ID, "no-start-event", "the process has no start event that this build executes")
	}
	for _, i := range process.Start[min(1, len(process.Start)):] {
		p.failf(process.Elements[i].ID, "second-start-event", "a process has at most one none start event")
	}
	names := map[string]bool{}
	for _, i := range process.MessageStart {
		e := &process.Elements[i]
		if e.Message == nil {
			continue
		}
		if name := e.Message.Name.String(); names[name] {
			p.failf(e.ID, "second-start-event", "another start event waits for the message %s", clip(name))
		} else {
			names[name] = true
		}
	}
}

// exclusive: with several ways out each needs a condition or is the default.
func (p *parser) exclusive(e *Element, t *tag) {
	process := p.current
	if ref := t.attr("default"); ref != "" {
		flow, ok := process.Flow(ref)
		switch {
		case !ok || flow.Source != e.Index:
			p.failf(e.ID, "bad-default-flow", "the default flow %q does not leave this gateway", clip(ref))
		case flow.Condition != nil:
			p.failf(flow.ID, "condition-on-default-flow", "the default flow of %s has a condition, which would never be looked at", e.ID)
		default:
			e.Default = flow.Index
		}
	}
	if len(e.Outgoing) < 2 {
		return
	}
	for _, i := range e.Outgoing {
		f := &process.Flows[i]
		if f.Condition == nil && i != e.Default && !p.blamed(f.ID) {
			p.failf(f.ID, "missing-condition", "gateway %s has several ways out; this one has no condition and is not the default flow", e.ID)
		}
	}
}

// blamed tells whether a condition that could not be read was already reported.
func (p *parser) blamed(id string) bool {
	for i := range p.problems {
		if p.problems[i].Element == id && p.problems[i].Severity == Error {
			return true
		}
	}
	return false
}

// unconditional: conditions on the ways out of anything but an exclusive gateway would
// have to be executed and are not. A default flow without conditions beside it says
// nothing, but one of several flows may have been meant to be left out.
func (p *parser) unconditional(e *Element, t *tag) {
	if e.Kind == kindUnsupported {
		return
	}
	for _, i := range e.Outgoing {
		if f := &p.current.Flows[i]; f.Condition != nil {
			p.failf(f.ID, "unsupported-condition", "a condition on a flow out of a %s; conditions belong behind exclusive gateways", e.Kind)
		}
	}
	if ref := t.attr("default"); ref != "" {
		if len(e.Outgoing) > 1 {
			p.failf(e.ID, "unsupported-condition", "a default flow at a %s with several ways out; it belongs to exclusive gateways", e.Kind)
		} else {
			p.warnf(e.ID, "needless-default-flow", "a default flow at a %s means nothing", e.Kind)
		}
	}
}

func (p *parser) eventBased(e *Element) {
	process := p.current
	if len(e.Outgoing) < 2 {
		p.failf(e.ID, "bad-event-gateway", "an event-based gateway needs at least two ways out")
	}
	for _, i := range e.Outgoing {
		next := &process.Elements[process.Flows[i].Target]
		switch {
		case next.Kind == kindUnsupported:
		case next.Kind != KindCatch:
			p.failf(next.ID, "bad-event-gateway", "a %s behind event-based gateway %s, where only message and timer catch events may stand", next.Kind, e.ID)
		case len(next.Incoming) > 1:
			p.failf(next.ID, "bad-event-gateway", "a catch event behind event-based gateway %s has another way in", e.ID)
		}
	}
}

func (p *parser) attach(e *Element, t *tag) {
	process := p.current
	ref := t.attr("attachedToRef")
	host, ok := process.Element(ref)
	if !ok {
		p.failf(e.ID, "unattached-boundary-event", "attachedToRef %q is no element of this process", clip(ref))
		return
	}
	switch host.Kind {
	case KindJob, KindReceive, KindCall, KindPass, kindUnsupported:
	default:
		p.failf(e.ID, "unattached-boundary-event", "attached to the %s %s, which is no activity", host.Kind, host.ID)
		return
	}
	if len(e.Incoming) > 0 {
		p.failf(e.ID, "incoming-at-boundary", "a sequence flow leads to a boundary event")
	}
	if e.Message != nil {
		for _, other := range host.Boundary {
			if m := process.Elements[other].Message; m != nil && m.Name.String() == e.Message.Name.String() {
				p.failf(e.ID, "second-boundary-message", "another boundary event of %s waits for the same message", host.ID)
			}
		}
	}
	e.AttachedTo = host.Index
	host.Boundary = append(host.Boundary, e.Index)
}

func (p *parser) link(e *Element) {
	process := p.current
	if len(e.Outgoing) > 0 {
		p.failf(e.ID, "bad-link", "a sequence flow leaves a link throw event")
	}
	for i := range process.Elements {
		if other := &process.Elements[i]; other.Kind == KindLinkCatch && other.LinkName == e.LinkName {
			e.LinkTo = i
			return
		}
	}
	p.failf(e.ID, "bad-link", "no link catch event is named %q", clip(e.LinkName))
}

func (p *parser) linkTarget(e *Element) {
	process := p.current
	if e.LinkName == "" {
		p.failf(e.ID, "bad-link", "a link catch event without a name")
	}
	if len(e.Incoming) > 0 {
		p.failf(e.ID, "bad-link", "a sequence flow leads to a link catch event")
	}
	for i := range process.Elements[:e.Index] {
		if other := &process.Elements[i]; other.Kind == KindLinkCatch && other.LinkName == e.LinkName {
			p.failf(e.ID, "bad-link", "another link catch event is named %q", clip(e.LinkName))
			return
		}
	}
}

// references compares <incoming> and <outgoing> with the flows themselves, which
// count. Hand-edited files often forget the former.
func (p *parser) references(e *Element, t *tag) {
	for _, c := range t.children {
		if !c.is(nsModel, "incoming") && !c.is(nsModel, "outgoing") {
			continue
		}
		flow, ok := p.current.Flow(c.text)
		switch {
		case !ok && !p.blamed(c.text):
			p.warnf(e.ID, "stale-flow-reference", "%s names %q, which is no sequence flow of this process", c.name, clip(c.text))
		case ok && c.name == "incoming" && flow.Target != e.Index, ok && c.name == "outgoing" && flow.Source != e.Index:
			p.warnf(e.ID, "stale-flow-reference", "%s names %q, which does not lead here", c.name, clip(c.text))
		}
	}
}
