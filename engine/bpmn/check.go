package bpmn

// graph checks what can be checked once all elements and flows are known, and links
// elements to each other.
func (p *parser) graph() {
	process := p.current
	p.starts()
	p.links()
	seen := map[string]bool{} // what boundary events wait for, by host
	for i := range process.Elements {
		if e := &process.Elements[i]; e.Kind == KindBoundary {
			p.attach(e, p.tags[i], seen)
		}
	}
	for i := range process.Elements {
		e := &process.Elements[i]
		t := p.tags[i]
		switch e.Kind {
		case KindExclusive, KindInclusive:
			p.conditions(e, t)
		case KindEventBased:
			p.eventBased(e)
		case KindStart:
			if len(e.Incoming) > 0 {
				p.failf(e.ID, "incoming-at-start", "a sequence flow leads to a start event")
			}
		case KindEnd:
			if len(e.Outgoing) > 0 {
				p.failf(e.ID, "outgoing-at-end", "a sequence flow leaves an end event")
			}
		case KindEventSub:
			if len(e.Incoming)+len(e.Outgoing) > 0 {
				p.failf(e.ID, "flow-at-event-sub-process", "a sequence flow leads to or from an event sub-process, which its event starts")
			}
		}
		if e.Kind != KindExclusive && e.Kind != KindInclusive {
			p.unconditional(e, t)
		}
		if e.ForCompensation && len(e.Incoming)+len(e.Outgoing)+len(e.Boundary) > 0 {
			p.failf(e.ID, "bad-compensation", "a compensation handler has sequence flows or boundary events; an association leads there, and nothing leads on")
		}
		if e.Compensate != nil {
			p.activity(e, t)
		}
		p.references(e, t)
	}
	p.upstream()
}

func (p *parser) starts() {
	process := p.current
	if len(process.Start)+len(process.MessageStart)+len(process.TimerStart)+len(process.SignalStart) == 0 {
		p.failf(process.ID, "no-start-event", "the process has no start event that this build executes")
	}
	for _, i := range process.Start[min(1, len(process.Start)):] {
		p.failf(process.Elements[i].ID, "second-start-event", "a process has at most one none start event")
	}
	names := map[string]bool{}
	for _, starts := range [][]int{process.MessageStart, process.SignalStart} {
		for _, i := range starts {
			e := &process.Elements[i]
			if key := e.waitKey(); key != "" && names[key] {
				p.failf(e.ID, "second-start-event", "another start event waits for the same")
			} else {
				names[key] = true
			}
		}
	}
	p.eventSubs(process.EventSubs)
	for i := range process.Elements {
		p.eventSubs(process.Elements[i].EventSubs)
	}
}

// eventSubs: two event sub-processes side by side cannot wait for the same.
func (p *parser) eventSubs(subs []int) {
	if len(subs) < 2 {
		return
	}
	process := p.current
	waits := map[string]bool{}
	for _, i := range subs {
		if process.Elements[i].SubStart < 0 {
			continue
		}
		start := &process.Elements[process.Elements[i].SubStart]
		if key := start.waitKey(); key != "" && waits[key] {
			p.failf(start.ID, "second-event-sub-process", "another event sub-process beside %s waits for the same", process.Elements[i].ID)
		} else {
			waits[key] = true
		}
	}
}

// waitKey tells events apart that wait for the same in the same place: only one of
// them would be served. It is empty where two may stand.
func (e *Element) waitKey() string {
	switch {
	case e.Message != nil:
		return "message " + e.Message.Name.String()
	case e.Signal != nil:
		return "signal " + e.Signal.Name.String()
	case e.Error != nil:
		return "error " + e.Error.String()
	case e.Escalation != nil:
		return "escalation " + e.Escalation.String()
	case e.Compensate != nil:
		return "compensation"
	}
	return ""
}

func (p *parser) attach(e *Element, t *tag, seen map[string]bool) {
	process := p.current
	ref := t.attr("attachedToRef")
	host, ok := process.Element(ref)
	if !ok {
		p.failf(e.ID, "unattached-boundary-event", "attachedToRef %q is no element of this process", clip(ref))
		return
	}
	switch host.Kind {
	case KindJob, KindReceive, KindCall, KindPass, KindScript, KindUser, KindSub, kindUnsupported:
	default:
		ok = false
	}
	if !ok || host.Kind == KindJob && !activities[p.tags[host.Index].name] {
		p.failf(e.ID, "unattached-boundary-event", "attached to the %s %s, which is no activity", host.Kind, host.ID)
		return
	}
	if host.Parent != e.Parent {
		p.failf(e.ID, "unattached-boundary-event", "attached to %s, which lies in another sub-process", host.ID)
		return
	}
	if len(e.Incoming) > 0 {
		p.failf(e.ID, "incoming-at-boundary", "a sequence flow leads to a boundary event")
	}
	if key := e.waitKey(); key != "" {
		code := "second-boundary-event"
		if e.Message != nil {
			code = "second-boundary-message"
		}
		if key = host.ID + "\x00" + key; seen[key] {
			p.failf(e.ID, code, "another boundary event of %s waits for the same", host.ID)
		}
		seen[key] = true
	}
	e.AttachedTo = host.Index
	host.Boundary = append(host.Boundary, e.Index)
	if e.Compensate != nil {
		p.undone(e, host)
	}
}

// links leads every link throw event to the catch event of its name in the same
// sub-process.
func (p *parser) links() {
	process := p.current
	type name struct {
		parent int
		name   string
	}
	catches := map[name]int{}
	for i := range process.Elements {
		e := &process.Elements[i]
		if e.Kind != KindLinkCatch {
			continue
		}
		if e.LinkName == "" {
			p.failf(e.ID, "bad-link", "a link catch event without a name")
		}
		if len(e.Incoming) > 0 {
			p.failf(e.ID, "bad-link", "a sequence flow leads to a link catch event")
		}
		if _, second := catches[name{e.Parent, e.LinkName}]; second {
			p.failf(e.ID, "bad-link", "another link catch event is named %q", clip(e.LinkName))
			continue
		}
		catches[name{e.Parent, e.LinkName}] = i
	}
	for i := range process.Elements {
		e := &process.Elements[i]
		if e.Kind != KindLinkThrow {
			continue
		}
		if len(e.Outgoing) > 0 {
			p.failf(e.ID, "bad-link", "a sequence flow leaves a link throw event")
		}
		to, ok := catches[name{e.Parent, e.LinkName}]
		if !ok {
			p.failf(e.ID, "bad-link", "no link catch event here is named %q", clip(e.LinkName))
			continue
		}
		e.LinkTo = to
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
		case !ok && !p.blamed[c.text]:
			p.warnf(e.ID, "stale-flow-reference", "%s names %q, which is no sequence flow of this process", c.name, clip(c.text))
		case ok && c.name == "incoming" && flow.Target != e.Index, ok && c.name == "outgoing" && flow.Source != e.Index:
			p.warnf(e.ID, "stale-flow-reference", "%s names %q, which does not lead here", c.name, clip(c.text))
		}
	}
}
