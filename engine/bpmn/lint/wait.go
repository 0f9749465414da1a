package lint

import "github.com/railhead-hub/railhead/engine/bpmn"

// waits judges everything that waits for a message.
func (l *linter) waits() {
	published := map[string]bool{}
	for _, name := range l.p.Published {
		published[name] = true
	}
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		if e.Message == nil {
			continue
		}
		m := l.message(e)
		nobody := l.known.Messages != nil && m == nil && e.Message.Name.Expr == nil && !published[e.Message.Name.Static]
		if nobody {
			l.report(i, e.ID, "unpublished-message",
				"nobody who is known publishes the message %s; install a connector that does, or say that people publish it (property railhead:published-by)", e.Message.Name)
		}
		if e.Kind != bpmn.KindReceive && e.Kind != bpmn.KindCatch || m != nil && m.ByHand || l.ends(e) {
			continue
		}
		l.report(i, e.ID, "waits-for-ever", "nothing but the message %s ends this wait; add a timer, or say that people publish it (property railhead:published-by)", e.Message.Name)
	}
}

// message is what is known of the message an element waits for, or nil.
func (l *linter) message(e *bpmn.Element) *Message {
	if e.Message.ByHand {
		return &Message{ByHand: true}
	}
	if m, ok := l.known.Messages[e.Message.Name.String()]; ok {
		return &m
	}
	return nil
}

// ends tells whether something else ends the wait of an element: a timer or a person
// there, beside it behind an event-based gateway, or around it.
func (l *linter) ends(e *bpmn.Element) bool {
	for _, f := range e.Incoming {
		gateway := &l.p.Elements[l.p.Flows[f].Source]
		if gateway.Kind != bpmn.KindEventBased {
			continue
		}
		for _, f := range gateway.Outgoing {
			if other := &l.p.Elements[l.p.Flows[f].Target]; other != e && l.sure(other) {
				return true
			}
		}
	}
	for {
		for _, b := range e.Boundary {
			if boundary := &l.p.Elements[b]; boundary.Interrupting && l.sure(boundary) {
				return true
			}
		}
		subs := l.p.EventSubs
		if e.Parent >= 0 {
			subs = l.p.Elements[e.Parent].EventSubs
		}
		for _, s := range subs {
			start := &l.p.Elements[l.p.Elements[s].SubStart]
			if s != e.Index && start.Interrupting && l.sure(start) {
				return true
			}
		}
		if e.Parent < 0 {
			return false
		}
		e = &l.p.Elements[e.Parent]
	}
}

// sure tells whether an event happens in the end: a timer, or a person's message.
func (l *linter) sure(e *bpmn.Element) bool {
	if e.Timer != nil {
		return true
	}
	if e.Message == nil {
		return false
	}
	m := l.message(e)
	return m != nil && m.ByHand
}

// boundaries judges the events that catch: whether their cause can happen.
func (l *linter) boundaries() {
	triggered := l.triggers()
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		var body *bpmn.Element // what would throw
		switch {
		case e.Kind == bpmn.KindBoundary:
			body = &l.p.Elements[e.AttachedTo]
		case e.Kind == bpmn.KindStart && e.Parent >= 0 && l.p.Elements[e.Parent].Kind == bpmn.KindEventSub:
			if parent := l.p.Elements[e.Parent].Parent; parent >= 0 {
				body = &l.p.Elements[parent]
			}
		default:
			continue
		}
		switch {
		case e.Error != nil:
			if triggered != nil && !triggered[i] {
				l.report(i, e.ID, "boundary-never-triggered", "nothing here can throw %s: only jobs, called flows and error end events do", codeWords("the error", e.Error))
			}
		case e.Escalation != nil:
			if triggered != nil && !triggered[i] {
				l.report(i, e.ID, "boundary-never-triggered", "nothing here throws %s: only escalation events and called flows do", codeWords("the escalation", e.Escalation))
			}
		case body != nil && e.Compensate == nil && (body.Kind == bpmn.KindPass || body.Kind == bpmn.KindScript) && body.Loop == nil:
			l.report(i, e.ID, "boundary-never-triggered", "%s is done at once, so that there is nothing to wait beside", body.ID)
		}
	}
}

func codeWords(what string, c *bpmn.Code) string {
	if !c.IsSet() {
		return what
	}
	return what + " " + c.String()
}

// triggers marks the error and escalation events that something can trigger: what is
// thrown is caught at the activity, at what it lies in, and by event sub-processes
// beside it and around it.
func (l *linter) triggers() []bool {
	triggered := make([]bool, len(l.p.Elements))
	catchers := make([][]int, len(l.p.Elements)) // of what lies in a sub-process
	top := l.catching(nil, l.p.EventSubs)
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		here := top
		if e.Parent >= 0 {
			here = catchers[e.Parent]
		}
		if own := l.catching(e.Boundary, nil); len(own) > 0 {
			here = append(own, here...)
		}
		if e.Kind == bpmn.KindSub || e.Kind == bpmn.KindEventSub {
			catchers[i] = here
			if own := l.catching(nil, e.EventSubs); len(own) > 0 {
				catchers[i] = append(own, here...)
			}
		}
		if l.work -= len(here); l.work < 0 {
			return nil
		}
		for _, c := range here {
			triggered[c] = triggered[c] || throws(e, &l.p.Elements[c])
		}
	}
	return triggered
}

// catching are the error and escalation events among boundary events and the starts
// of event sub-processes.
func (l *linter) catching(boundary, subs []int) (events []int) {
	for _, b := range boundary {
		if e := &l.p.Elements[b]; e.Error != nil || e.Escalation != nil {
			events = append(events, b)
		}
	}
	for _, s := range subs {
		start := l.p.Elements[s].SubStart
		if e := &l.p.Elements[start]; e.Error != nil || e.Escalation != nil {
			events = append(events, start)
		}
	}
	return events
}

// throws tells whether an element can throw what an event catches. A connector may
// answer with any error, and a called flow may end with any.
func throws(e, event *bpmn.Element) bool {
	if e.Kind == bpmn.KindCall || e.JobType.IsSet() && event.Error != nil {
		return true
	}
	var thrown, caught *bpmn.Code
	if e.Kind == bpmn.KindEnd || e.Kind == bpmn.KindThrow {
		thrown, caught = e.Error, event.Error
		if e.Escalation != nil {
			thrown, caught = e.Escalation, event.Escalation
		}
	}
	return thrown != nil && caught != nil && (!caught.IsSet() || thrown.Expr != nil || thrown.Static == caught.Static)
}
