package bpmn

func gateway(kind Kind) func(*parser, *tag, *Element) {
	return func(p *parser, t *tag, e *Element) {
		e.Kind = kind
		p.extensions(t, e.ID)
	}
}

// conditions checks the ways out of an exclusive or inclusive gateway: with several,
// each needs a condition or is the default.
func (p *parser) conditions(e *Element, t *tag) {
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
		if f.Condition == nil && i != e.Default && !p.blamed[f.ID] {
			p.failf(f.ID, "missing-condition", "gateway %s has several ways out; this one has no condition and is not the default flow", e.ID)
		}
	}
}

// unconditional: conditions on the ways out of anything but an exclusive or inclusive
// gateway would have to be executed and are not. A default flow without conditions
// beside it says nothing, but one of several flows may have been meant to be left out.
func (p *parser) unconditional(e *Element, t *tag) {
	if e.Kind == kindUnsupported {
		return
	}
	for _, i := range e.Outgoing {
		if f := &p.current.Flows[i]; f.Condition != nil {
			p.failf(f.ID, "unsupported-condition", "a condition on a flow out of a %s; conditions belong behind exclusive and inclusive gateways", e.Kind)
		}
	}
	if ref := t.attr("default"); ref != "" {
		if len(e.Outgoing) > 1 {
			p.failf(e.ID, "unsupported-condition", "a default flow at a %s with several ways out; it belongs to exclusive and inclusive gateways", e.Kind)
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
	names := map[string]bool{}
	for _, i := range e.Outgoing {
		next := &process.Elements[process.Flows[i].Target]
		waits := next.waitKey()
		switch {
		case next.Kind == kindUnsupported:
		case next.Kind != KindCatch:
			p.failf(next.ID, "bad-event-gateway", "a %s behind event-based gateway %s, where only message, timer and signal catch events may stand", next.Kind, e.ID)
		case len(next.Incoming) > 1:
			p.failf(next.ID, "bad-event-gateway", "a catch event behind event-based gateway %s has another way in", e.ID)
		case waits != "" && names[waits]:
			p.failf(next.ID, "bad-event-gateway", "another event behind gateway %s waits for the same", e.ID)
		default:
			names[waits] = true
		}
	}
}

// upstream works out Element.Upstream of every inclusive gateway that waits for
// several flows.
func (p *parser) upstream() {
	process := p.current
	ways := 0
	for i := range process.Elements {
		if e := &process.Elements[i]; e.Kind == KindInclusive && len(e.Incoming) > 1 {
			ways += len(e.Incoming)
			if ways*len(process.Elements) > maxUpstream {
				p.failf(e.ID, "too-large", "too many inclusive gateways with several ways in for a process of this size; divide it and call the parts")
				return
			}
		}
	}
	if ways == 0 {
		return
	}
	links := map[int][]int{} // the throw events of a link catch event
	for i := range process.Elements {
		if e := &process.Elements[i]; e.LinkTo >= 0 {
			links[e.LinkTo] = append(links[e.LinkTo], i)
		}
	}
	for i := range process.Elements {
		if e := &process.Elements[i]; e.Kind == KindInclusive && len(e.Incoming) > 1 {
			for _, f := range e.Incoming {
				e.Upstream = append(e.Upstream, process.before(f, links))
			}
		}
	}
}

// before marks the elements from where a flow can be reached without passing its
// target.
func (p *Process) before(flow int, links map[int][]int) []bool {
	marked := make([]bool, len(p.Elements))
	var open []int
	visit := func(i int) {
		if i != p.Flows[flow].Target && !marked[i] {
			marked[i] = true
			open = append(open, i)
		}
	}
	visit(p.Flows[flow].Source)
	for len(open) > 0 {
		e := &p.Elements[open[len(open)-1]]
		open = open[:len(open)-1]
		for _, f := range e.Incoming {
			visit(p.Flows[f].Source)
		}
		for _, i := range links[e.Index] {
			visit(i)
		}
		if e.AttachedTo >= 0 {
			visit(e.AttachedTo)
		}
	}
	return marked
}
