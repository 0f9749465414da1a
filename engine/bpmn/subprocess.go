package bpmn

func (p *parser) subProcess(t *tag, e *Element) {
	e.Kind = KindSub
	if t.attr("triggeredByEvent") == "true" {
		e.Kind = KindEventSub
	}
	p.extensions(t, e.ID, "ioMapping", "taskHeaders")
	p.mappings(t, e)
	p.headers(t, e)
}

// inside reads the content of a sub-process and checks where it begins.
func (p *parser) inside(t *tag, index int) {
	process := p.current
	id := process.Elements[index].ID
	if parent := process.Elements[index].Parent; process.Elements[index].Kind == KindEventSub {
		if parent < 0 {
			process.EventSubs = append(process.EventSubs, index)
		} else {
			process.Elements[parent].EventSubs = append(process.Elements[parent].EventSubs, index)
		}
	}
	if p.depth >= maxNesting {
		p.failf(id, "too-deep", "sub-processes nested deeper than %d", maxNesting)
		return
	}
	p.depth++
	p.content(t, index)
	p.depth--
	if process.Elements[index].SubStart < 0 && !p.tooLarge {
		p.failf(id, "no-start-event", "the %s has no start event", process.Elements[index].Kind)
	}
}

// subStart reads the start event of a sub-process: a none event, or in an event
// sub-process what it waits for.
func (p *parser) subStart(t, definition *tag, e *Element) {
	parent := &p.current.Elements[e.Parent]
	if parent.SubStart >= 0 {
		p.failf(e.ID, "second-start-event", "a sub-process has one start event; %s has %s already", parent.ID, p.current.Elements[parent.SubStart].ID)
		return
	}
	parent.SubStart = e.Index
	if parent.Kind == KindSub {
		if definition != nil {
			p.failf(e.ID, "bad-start-event", "the start event of sub-process %s waits for something; a flow leads there, so it is a none start event", parent.ID)
		}
		return
	}
	if definition == nil {
		p.failf(e.ID, "bad-start-event", "the start event of event sub-process %s waits for nothing", parent.ID)
		return
	}
	e.Interrupting = t.attr("isInterrupting") != "false"
	p.waitsFor(t, definition, e)
}
