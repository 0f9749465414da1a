package bpmn

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Lint looks for what runs but is likely not meant: it never refuses. It needs only
// the process, so that one deployed long ago can be looked at again; what Parse warns
// of it does not repeat.
func Lint(process *Process) []Problem {
	var problems []Problem
	warn := func(e *Element, code, text string) {
		problems = append(problems, Problem{Warning, e.ID, code, text})
	}
	reached := process.reachable()
	for i := range process.Elements {
		e := &process.Elements[i]
		if !reached[i] {
			warn(e, "unreachable", "no start event leads to this "+e.Kind.String())
		}
		switch {
		case e.Kind == KindEnd:
			if e.Parent < 0 && e.Error == nil && e.Result == enginev1.Result_RESULT_UNSPECIFIED {
				warn(e, "no-result", "this end event does not say what became of the payment (railhead:result); it is reported as unknown")
			}
		case e.Kind == KindEventSub || e.ForCompensation || e.Compensate != nil && e.Kind == KindBoundary:
		case len(e.Outgoing) == 0 && e.Kind != KindLinkThrow && e.Parent < 0:
			warn(e, "no-way-out", "nothing follows this "+e.Kind.String()+"; a payment that comes here ends without a result")
		}
		if e.Kind == KindExclusive && len(e.Outgoing) > 1 && e.Default < 0 {
			warn(e, "no-default-flow", "if no condition holds the payment stops here with an incident")
		}
	}
	return problems
}

// reachable marks the elements some start event leads to.
func (p *Process) reachable() []bool {
	reached := make([]bool, len(p.Elements))
	var open []int
	visit := func(i int) {
		if !reached[i] {
			reached[i] = true
			open = append(open, i)
		}
	}
	for i := range p.Elements {
		if e := &p.Elements[i]; e.Kind == KindStart && e.Parent < 0 {
			visit(i)
		}
	}
	for _, i := range p.EventSubs {
		visit(i)
	}
	for len(open) > 0 {
		e := &p.Elements[open[len(open)-1]]
		open = open[:len(open)-1]
		for _, i := range e.Outgoing {
			visit(p.Flows[i].Target)
		}
		for _, i := range e.Boundary {
			visit(i)
		}
		if e.LinkTo >= 0 {
			visit(e.LinkTo)
		}
		if e.CompensatedBy >= 0 {
			visit(e.CompensatedBy)
		}
		if e.SubStart >= 0 {
			visit(e.SubStart)
		}
		for _, i := range e.EventSubs {
			visit(i)
		}
	}
	return reached
}
