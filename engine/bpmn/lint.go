package bpmn

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Lint looks for what runs but is likely not meant: it never refuses. What Parse
// already warns of is repeated, so that a process deployed long ago can be looked at
// again.
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
			if e.Result == enginev1.Result_RESULT_UNSPECIFIED {
				warn(e, "no-result", "this end event does not say what became of the payment (railhead:result); it is reported as unknown")
			}
		case len(e.Outgoing) == 0 && e.Kind != KindLinkThrow:
			warn(e, "no-way-out", "nothing follows this "+e.Kind.String()+"; a payment that comes here ends without a result")
		}
		if e.Kind == KindExclusive && len(e.Outgoing) > 1 && e.Default < 0 {
			warn(e, "no-default-flow", "if no condition holds the payment stops here with an incident")
		}
		if waits(e) && !watched(process, e) {
			warn(e, "endless-wait", "this waits for message "+e.Message.Name.String()+" without a timer; if it never comes the payment stays open")
		}
	}
	return problems
}

// waits tells whether a token can stay at the element until a message comes.
func waits(e *Element) bool {
	return e.Message != nil && (e.Kind == KindReceive || e.Kind == KindCatch)
}

// watched tells whether a timer ends the waiting, or another event wins the race.
func watched(process *Process, e *Element) bool {
	for _, i := range e.Boundary {
		if process.Elements[i].Timer != nil {
			return true
		}
	}
	for _, i := range e.Incoming {
		gateway := &process.Elements[process.Flows[i].Source]
		if gateway.Kind != KindEventBased {
			continue
		}
		for _, j := range gateway.Outgoing {
			if process.Elements[process.Flows[j].Target].Timer != nil {
				return true
			}
		}
	}
	return false
}
