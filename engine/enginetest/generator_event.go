package enginetest

import "fmt"

// pause draws a catch event.
func (g *generator) pause(p *path) part {
	id := g.name("catch")
	switch g.IntN(4) {
	case 0, 1:
		p.tag("intermediateCatchEvent", id, "", "", timerEvent("timeDuration", g.duration()))
	case 2:
		p.tag("intermediateCatchEvent", id, "", "", g.awaited(p, id, true))
	default:
		p.tag("intermediateCatchEvent", id, "", "", g.signalled(p, id))
	}
	return part{id, id}
}

// awaited is a message event. Its variables carry the element's name. Where several
// wait together only one may share its message with others.
func (g *generator) awaited(p *path, id string, share bool) string {
	p.known = append(p.known, id)
	if share && !g.shape.Alone && g.one(3) {
		name := g.of(someMessages)
		return p.messageEvent(p.process+name, "k")
	}
	return p.messageEvent("m-"+id, "transactionId")
}

// signalled is a signal event.
func (g *generator) signalled(p *path, id string) string {
	p.known = append(p.known, id)
	if !g.shape.Alone && g.one(2) {
		return p.signalEvent(g.of(someSignals))
	}
	return p.signalEvent("s-" + id)
}

func (g *generator) duration() string { return fmt.Sprintf("PT%dS", 1+g.IntN(60)) }

// throw draws an event that throws something, or nothing.
func (g *generator) throw(p *path) part {
	id := g.name("throw")
	p.tag("intermediateThrowEvent", id, "", "", g.thrown(p, id))
	return part{id, id}
}

// thrown is what a throw or an end event throws.
func (g *generator) thrown(p *path, id string) string {
	switch g.IntN(6) {
	case 0, 1:
		if p.calm {
			return ""
		}
		return p.escalationEvent(g.of(someEscalations))
	case 2:
		if g.shape.Alone {
			return p.signalEvent("thrown")
		}
		return p.signalEvent(g.of(someSignals))
	case 3, 4:
		if len(p.undoable) > 0 && g.one(2) {
			return `<compensateEventDefinition id="d` + id + `" activityRef="` + g.of(p.undoable) + `"/>`
		}
		return `<compensateEventDefinition id="d` + id + `"/>`
	}
	return ""
}

// end draws an end event of some kind: where a join waits for its branch, one that
// ends the whole level.
func (g *generator) end(p *path, id string, whole bool) {
	mark := result(g.of([]string{"completed", "failed", "rejected"}), id)
	if p.depth > 0 && g.one(2) {
		mark = ""
	}
	switch n := g.IntN(8); {
	case p.depth > 0 && n < 2:
		p.tag("endEvent", id, "", mark, p.errorEvent(g.of(someErrors)))
	case whole || n == 3:
		p.tag("endEvent", id, "", mark, "<terminateEventDefinition/>")
	case n == 4:
		p.tag("endEvent", id, "", mark+`<zeebe:taskDefinition type="`+g.of(EveryJobType)+`"/>`, `<messageEventDefinition id="d`+id+`"/>`)
	case n == 5:
		p.tag("endEvent", id, "", mark, g.thrown(p, id))
	default:
		p.tag("endEvent", id, "", mark, "")
	}
}

// trigger draws what a boundary event or an event sub-process waits for, something
// that nothing beside it waits for. inside says whether errors and escalations may
// come. It reports whether it interrupts.
func (g *generator) trigger(p *path, id string, taken map[string]bool, inside bool) (event string, interrupts bool) {
	interrupts = g.one(2)
	n := g.IntN(7)
	if inside && g.one(2) {
		n = 2 + g.IntN(4)
	}
	switch {
	case n == 0:
		share := !taken["message"]
		taken["message"] = true
		return g.awaited(p, id, share), interrupts
	case n == 1 && !taken["signal"]:
		taken["signal"] = true
		return g.signalled(p, id), interrupts
	case n < 4:
		if code := g.of([]string{"", "E1", "E2"}); !taken["error"+code] {
			taken["error"+code] = true
			return p.errorEvent(code), true
		}
	case n < 6 && inside:
		if code := g.of([]string{"", "S1", "S2"}); !taken["escalation"+code] {
			taken["escalation"+code] = true
			return p.escalationEvent(code), interrupts
		}
	}
	if interrupts {
		return timerEvent("timeDuration", g.duration()), true
	}
	return timerEvent("timeCycle", fmt.Sprintf("R%d/PT%dS", 1+g.IntN(3), 1+g.IntN(20))), false
}

// boundaries draws up to two boundary events on an activity, each with its way on:
// one that interrupts leads back to what follows the activity, or, where no join
// waits, to an end of its own; one that does not always has its own end. before is
// what was known before the activity.
func (g *generator) boundaries(p, before *path, host part, inside bool) part {
	if !g.one(3) {
		return host
	}
	meet := g.name("g")
	p.tag("exclusiveGateway", meet, "", "", "")
	p.flow(host.out, meet, "")
	taken := make(map[string]bool)
	for range 1 + g.IntN(2) {
		b := before.branch(false)
		id := g.name("bound")
		event, interrupting := g.trigger(b, id, taken, inside)
		attributes := `attachedToRef="` + host.in + `"`
		if !interrupting {
			attributes += ` cancelActivity="false"`
		}
		b.tag("boundaryEvent", id, attributes, "", event)
		body := part{id, id}
		// A token beside the activity is nobody's branch.
		b.forked, b.again = interrupting && p.forked, p.again || !interrupting
		if g.one(2) {
			body = g.join(b, body, g.block(b))
		}
		if interrupting && (p.forked || g.one(2)) {
			p.flow(body.out, meet, "")
			p.meet(b)
			continue
		}
		end := g.name("end")
		g.end(b, end, false)
		b.flow(body.out, end, "")
	}
	return part{host.in, meet}
}

// eventSubs draws the event sub-processes of a level.
func (g *generator) eventSubs(p *path) {
	taken := make(map[string]bool)
	for range g.IntN(3) {
		id, start, end := g.name("sub"), g.name("start"), g.name("end")
		in := &path{level: &level{drawing: p.drawing}, known: []string{"x", "y", "ok"}, depth: p.depth + 1}
		event, interrupting := g.trigger(in, start, taken, true)
		in.calm = p.calm || !interrupting
		in.tag("startEvent", start, fmt.Sprintf(`isInterrupting="%v"`, interrupting), "", event)
		body := g.join(in, part{start, start}, g.block(in))
		in.flow(body.out, end, "")
		g.end(in, end, false)
		p.tag("subProcess", id, `triggeredByEvent="true"`, "", "\n"+in.xml.String())
	}
}
