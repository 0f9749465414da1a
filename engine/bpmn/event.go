package bpmn

import (
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// definition is the event definition of an event: nil for a none event. ok is false
// if the event has several or refers to one kept elsewhere, which is refused.
func (p *parser) definition(t *tag, e *Element) (definition *tag, ok bool) {
	for _, c := range t.children {
		if c.space != nsModel || !strings.HasSuffix(c.name, "ventDefinition") && c.name != "eventDefinitionRef" {
			continue
		}
		if definition != nil {
			p.failf(e.ID, "unsupported-event", "this build does not execute events with several definitions")
			return nil, false
		}
		definition = c
	}
	if definition != nil && definition.name == "eventDefinitionRef" {
		p.failf(e.ID, "unsupported-event", "this build does not execute events that refer to a shared definition")
		return nil, false
	}
	return definition, true
}

// unsupported refuses an event definition at this place.
func (p *parser) unsupported(t, definition *tag, e *Element) {
	what := "none"
	if definition != nil {
		what = strings.TrimSuffix(definition.name, "EventDefinition")
	}
	p.failf(e.ID, "unsupported-event", "this build does not execute a %s %s", what, t.name)
}

func (p *parser) startEvent(t *tag, e *Element) {
	e.Kind = KindStart
	process := p.current
	p.extensions(t, e.ID, "ioMapping")
	p.mappings(t, e)
	definition, ok := p.definition(t, e)
	if e.Parent >= 0 {
		if ok {
			p.subStart(t, definition, e)
		} else {
			process.Elements[e.Parent].SubStart = e.Index
		}
		return
	}
	switch {
	case !ok:
	case definition == nil:
		process.Start = append(process.Start, e.Index)
	case definition.name == "messageEventDefinition":
		e.Message = p.message(definition.attr("messageRef"), e.ID, false)
		if e.Message != nil && e.Message.Name.Expr != nil {
			p.failf(e.ID, "bad-message-name", "the name of a message that starts a process is plain text: nothing is there yet to work it out from")
		}
		process.MessageStart = append(process.MessageStart, e.Index)
	case definition.name == "timerEventDefinition":
		e.Timer = p.timer(definition, e.ID)
		process.TimerStart = append(process.TimerStart, e.Index)
	case definition.name == "signalEventDefinition":
		e.Signal = p.signal(definition, e)
		if e.Signal != nil && e.Signal.Name.Expr != nil {
			p.failf(e.ID, "bad-signal-name", "the name of a signal that starts a process is plain text: nothing is there yet to work it out from")
		}
		process.SignalStart = append(process.SignalStart, e.Index)
	default:
		p.unsupported(t, definition, e)
	}
}

func (p *parser) endEvent(t *tag, e *Element) {
	e.Kind = KindEnd
	p.throws(t, e)
	p.result(t, e)
}

func (p *parser) throwEvent(t *tag, e *Element) {
	e.Kind = KindThrow
	p.throws(t, e)
}

// throws reads what an end event or an intermediate throw event does.
func (p *parser) throws(t *tag, e *Element) {
	p.mappings(t, e)
	definition, ok := p.definition(t, e)
	if ok && definition != nil && definition.name == "messageEventDefinition" {
		p.sends(t, definition, e)
		return
	}
	p.extensions(t, e.ID, "ioMapping")
	end := e.Kind == KindEnd
	switch {
	case !ok || definition == nil:
	case definition.name == "signalEventDefinition":
		e.Signal = p.signal(definition, e)
	case definition.name == "escalationEventDefinition":
		e.Escalation = p.code(definition, "escalation", e, true)
	case definition.name == "compensateEventDefinition":
		p.compensate(definition, e)
	case end && definition.name == "errorEventDefinition":
		e.Error = p.code(definition, "error", e, true)
	case end && definition.name == "terminateEventDefinition":
		e.Terminate = true
	case !end && definition.name == "linkEventDefinition":
		e.Kind, e.LinkName = KindLinkThrow, definition.attr("name")
	default:
		p.unsupported(t, definition, e)
	}
}

// sends reads a message event that throws: a job, as with Zeebe, for a connector that
// knows whom to tell.
func (p *parser) sends(t, definition *tag, e *Element) {
	if e.Kind == KindThrow {
		e.Kind = KindJob
	}
	p.extensions(t, e.ID, "taskDefinition", "taskHeaders", "ioMapping")
	if definition.extension("publishMessage") != nil {
		p.failf(e.ID, "unsupported-extension", "this build does not execute zeebe:publishMessage: give the event a zeebe:taskDefinition, and let a connector publish")
		return
	}
	p.job(t, e)
	if m := p.roots[definition.attr("messageRef")]; m != nil && m.name == "message" && m.attr("name") != "" {
		p.current.Published = append(p.current.Published, m.attr("name"))
	}
}

// results are the values of the property railhead:result.
var results = map[string]enginev1.Result{
	"completed": enginev1.Result_RESULT_COMPLETED,
	"failed":    enginev1.Result_RESULT_FAILED,
	"reversed":  enginev1.Result_RESULT_REVERSED,
	"returned":  enginev1.Result_RESULT_RETURNED,
	"rejected":  enginev1.Result_RESULT_REJECTED,
}

// result reads the marks of an end event, which Camunda Modeler edits as extension
// properties.
func (p *parser) result(t *tag, e *Element) {
	properties := t.extension("properties")
	if properties == nil {
		return
	}
	for _, c := range properties.children {
		name, ours := strings.CutPrefix(c.attr("name"), "railhead:")
		if !c.is(nsZeebe, "property") || !ours {
			continue
		}
		switch name {
		case "result":
			var ok bool
			if e.Result, ok = results[c.attr("value")]; !ok {
				p.failf(e.ID, "bad-result", "railhead:result %q is none of completed, failed, reversed, returned, rejected", clip(c.attr("value")))
			}
		case "code":
			if e.Code = c.attr("value"); len(e.Code) > 64 {
				p.failf(e.ID, "bad-result", "railhead:code is longer than 64 bytes")
			}
		default:
			p.failf(e.ID, "bad-property", "there is no property railhead:%s", clip(name))
		}
	}
	if e.Code != "" && e.Result == enginev1.Result_RESULT_UNSPECIFIED {
		p.failf(e.ID, "bad-result", "railhead:code without railhead:result")
	}
}

func (p *parser) catchEvent(t *tag, e *Element) {
	e.Kind = KindCatch
	p.extensions(t, e.ID, "ioMapping")
	p.mappings(t, e)
	definition, ok := p.definition(t, e)
	switch {
	case !ok:
	case definition == nil:
		p.failf(e.ID, "missing-event-definition", "an intermediateCatchEvent that waits for nothing")
	case definition.name == "messageEventDefinition":
		e.Message = p.message(definition.attr("messageRef"), e.ID, true)
	case definition.name == "signalEventDefinition":
		e.Signal = p.signal(definition, e)
	case definition.name == "timerEventDefinition":
		if e.Timer = p.timer(definition, e.ID); e.Timer != nil && e.Timer.Kind == TimerCycle {
			p.failf(e.ID, "bad-timer", "a cycle at an intermediate catch event, which fires once")
		}
	case definition.name == "linkEventDefinition":
		e.Kind, e.LinkName = KindLinkCatch, definition.attr("name")
	default:
		p.unsupported(t, definition, e)
	}
}

func (p *parser) boundaryEvent(t *tag, e *Element) {
	e.Kind = KindBoundary
	e.Interrupting = t.attr("cancelActivity") != "false"
	p.extensions(t, e.ID, "ioMapping")
	p.mappings(t, e)
	definition, ok := p.definition(t, e)
	switch {
	case !ok:
	case definition == nil:
		p.failf(e.ID, "missing-event-definition", "a boundaryEvent that waits for nothing")
	case definition.name == "compensateEventDefinition":
		e.Compensate = &Compensate{Activity: -1}
		e.Interrupting = false // it waits for the activity to be done
	default:
		p.waitsFor(t, definition, e)
	}
}

// waitsFor reads what a boundary event or the start event of an event sub-process
// waits for.
func (p *parser) waitsFor(t, definition *tag, e *Element) {
	switch definition.name {
	case "messageEventDefinition":
		e.Message = p.message(definition.attr("messageRef"), e.ID, true)
	case "signalEventDefinition":
		e.Signal = p.signal(definition, e)
	case "timerEventDefinition":
		if e.Timer = p.timer(definition, e.ID); e.Timer != nil && e.Timer.Kind == TimerCycle && e.Interrupting {
			p.failf(e.ID, "bad-timer", "a cycle at an interrupting event, which fires once")
		}
	case "errorEventDefinition":
		e.Error = p.code(definition, "error", e, false)
		if !e.Interrupting {
			p.failf(e.ID, "error-not-interrupting", "an error always interrupts; a non-interrupting event can wait for an escalation")
		}
	case "escalationEventDefinition":
		e.Escalation = p.code(definition, "escalation", e, false)
	default:
		p.unsupported(t, definition, e)
	}
}

// signal resolves the signal of an event.
func (p *parser) signal(definition *tag, e *Element) *Signal {
	ref := definition.attr("signalRef")
	if ref == "" {
		p.failf(e.ID, "missing-signal", "no signalRef says which signal this is about")
		return nil
	}
	t := p.roots[ref]
	if t == nil || t.name != "signal" {
		p.failf(e.ID, "unknown-signal", "signalRef %q is no signal of this file", clip(ref))
		return nil
	}
	if strings.TrimSpace(t.attr("name")) == "" {
		p.failf(e.ID, "missing-signal-name", "the signal %s has no name", clip(ref))
		return nil
	}
	return &Signal{Name: p.textOr(e.ID, "bad-signal-name", "the name of signal "+clip(ref), t.attr("name"))}
}

// code resolves the code of an error or an escalation, which what says. What is
// thrown has a code; what is waited for may have none, and its code is plain text.
func (p *parser) code(definition *tag, what string, e *Element, thrown bool) *Code {
	ref := definition.attr(what + "Ref")
	if ref == "" {
		if thrown {
			p.failf(e.ID, "missing-"+what, "no %sRef says which %s this throws", what, what)
			return nil
		}
		return &Code{}
	}
	t := p.roots[ref]
	if t == nil || t.name != what {
		p.failf(e.ID, "unknown-"+what, "%sRef %q is no %s of this file", what, clip(ref), what)
		return nil
	}
	text := strings.TrimSpace(t.attr(what + "Code"))
	switch {
	case thrown && text == "":
		p.failf(e.ID, "missing-"+what+"-code", "the %s %s has no %sCode", what, clip(ref), what)
		return nil
	case !thrown && strings.HasPrefix(text, "="):
		p.failf(e.ID, "bad-"+what+"-code", "the code of an %s that is waited for is plain text, not an expression", what)
		return nil
	}
	return &Code{p.textOr(e.ID, "bad-"+what+"-code", "the code of "+what+" "+clip(ref), text)}
}

// message resolves a reference to a message. keyed says whether it must have a
// correlation key, as all but start events need.
func (p *parser) message(ref, element string, keyed bool) *Message {
	if ref == "" {
		p.failf(element, "missing-message", "no messageRef says which message this waits for")
		return nil
	}
	t := p.roots[ref]
	if t == nil || t.name != "message" {
		p.failf(element, "unknown-message", "messageRef %q is no message of this file", clip(ref))
		return nil
	}
	if strings.TrimSpace(t.attr("name")) == "" {
		p.failf(element, "missing-message-name", "the message %s has no name", clip(ref))
		return nil
	}
	m := &Message{Name: p.textOr(element, "bad-message-name", "the name of message "+clip(ref), t.attr("name"))}
	subscription := t.extension("subscription")
	switch {
	case subscription == nil || subscription.attr("correlationKey") == "":
		if keyed {
			p.failf(element, "missing-correlation-key", "the message %s has no zeebe:subscription with a correlationKey", clip(ref))
		}
	default:
		key := subscription.attr("correlationKey")
		if keyed || strings.HasPrefix(key, "=") {
			m.CorrelationKey = p.expression(element, "bad-correlation-key", "the correlation key of message "+clip(ref), key)
		}
	}
	return m
}

// publisher reads who publishes the message an element waits for, if it says so.
func (p *parser) publisher(t *tag, e *Element) {
	properties := t.extension("properties")
	if e.Message == nil || properties == nil {
		return
	}
	for _, c := range properties.children {
		if !c.is(nsZeebe, "property") || c.attr("name") != "railhead:published-by" {
			continue
		}
		if e.Message.ByHand = c.attr("value") == "operator"; !e.Message.ByHand {
			p.failf(e.ID, "bad-property", "railhead:published-by %q is not operator", clip(c.attr("value")))
		}
	}
}

func (p *parser) timer(definition *tag, element string) *Timer {
	var timer *Timer
	for _, c := range definition.children {
		kind, ok := timerKinds[c.name]
		if c.space != nsModel || !ok {
			continue
		}
		if timer != nil {
			p.failf(element, "bad-timer", "a timer has one of timeDuration, timeDate and timeCycle, not several")
			return nil
		}
		timer = &Timer{Kind: kind, Text: p.textOr(element, "bad-timer", "the timer", c.text)}
		switch {
		case timer.Text.Expr != nil || strings.HasPrefix(c.text, "="):
		case timer.Text.Static == "":
			p.failf(element, "bad-timer", "the %s is empty", c.name)
		default:
			if err := checkTimer(kind, timer.Text.Static); err != nil {
				p.failf(element, "bad-timer", "%v", err)
			}
		}
	}
	if timer == nil {
		p.failf(element, "bad-timer", "a timer without timeDuration, timeDate or timeCycle")
	}
	return timer
}

var timerKinds = map[string]TimerKind{
	"timeDuration": TimerDuration, "timeDate": TimerDate, "timeCycle": TimerCycle,
}
