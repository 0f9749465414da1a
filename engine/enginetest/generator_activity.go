package enginetest

import "fmt"

// task draws a service task without ornaments.
func (g *generator) task(p *path) part {
	id := g.name("task")
	p.tag("serviceTask", id, "", `<zeebe:taskDefinition type="`+g.of(EveryJobType)+`"/>`, "")
	p.known = append(p.known, id)
	return part{id, id}
}

// activity draws a task, a call or a sub-process, perhaps with mappings, a loop and
// boundary events. What it gives to the payment is a variable of its own name.
func (g *generator) activity(p *path) part {
	id := g.name("task")
	host := part{id, id}
	before := p.branch(false)
	switch n := g.IntN(14); {
	case n < 6:
		g.serviceTask(p, id)
	case n < 8:
		p.tag("receiveTask", id, `messageRef="`+g.message(p, id)+`"`, g.mappings(p, id), "")
	case n < 10:
		p.tag("task", id, "", g.computed(p, id), "")
		p.known = append(p.known, id)
		return host
	case n < 12 && len(g.callable) > 0:
		p.tag("callActivity", id, "", g.called(p), "")
	default:
		g.serviceTask(p, id)
	}
	return g.boundaries(p, before, host)
}

func (g *generator) serviceTask(p *path, id string) {
	definition := `<zeebe:taskDefinition type="` + g.of(EveryJobType) + `"`
	switch g.IntN(4) {
	case 0:
		definition = `<zeebe:taskDefinition type="=if ok = true then &quot;a&quot; else &quot;b&quot;"`
	case 1:
		definition += fmt.Sprintf(` retries="%d"`, 1+g.IntN(3))
	}
	extensions := definition + "/>"
	if g.one(5) {
		extensions += `<zeebe:taskHeaders><zeebe:header key="h" value="v"/></zeebe:taskHeaders>`
	}
	p.tag("serviceTask", id, "", extensions+g.mappings(p, id), "")
}

// message is the reference of a receive task.
func (g *generator) message(p *path, id string) string {
	return p.message("m-"+id, "transactionId")
}

// mappings draws the mappings of an activity whose result is a variable of its own
// name. With output mappings nothing but what they say goes up.
func (g *generator) mappings(p *path, id string) string {
	var inputs, outputs [][2]string
	if g.one(4) {
		inputs = append(inputs, [2]string{g.value(p.known), "n"})
	}
	p.known = append(p.known, id)
	if g.one(4) {
		outputs = append(outputs, [2]string{id, id})
		switch g.IntN(3) {
		case 0:
			outputs = append(outputs, [2]string{"[" + id + ", n]", "w" + id})
		case 1:
			outputs = append(outputs, [2]string{id + " + 1", "w" + id + ".deep.er"})
		}
	}
	return ioMapping(inputs, outputs)
}

// computed is the mapping of a task that is done at once.
func (g *generator) computed(p *path, id string) string {
	var inputs [][2]string
	if g.one(3) {
		inputs = append(inputs, [2]string{g.value(p.known), "n"})
	}
	return ioMapping(inputs, [][2]string{{g.value(p.known), id}})
}

// value draws an expression that gives a small number or null.
func (g *generator) value(known []string) string {
	v, w := g.of(known), g.of(known)
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf("%s + %d", v, g.IntN(3))
	case 1:
		return fmt.Sprintf("if %s then %s else %s", g.condition(known), v, w)
	case 2:
		return fmt.Sprintf("sum(for i in 1..3 return i + %s)", v)
	default:
		return fmt.Sprintf("modulo(%s * %d, 7)", v, 1+g.IntN(4))
	}
}

// called is a call with all variables, or with those it needs.
func (g *generator) called(p *path) string {
	id := g.of(g.callable)
	if g.one(3) {
		return `<zeebe:calledElement processId="` + id + `" propagateAllParentVariables="false"/>` + ioMapping([][2]string{
			{"transactionId", "transactionId"}, {g.value(p.known), "x"}, {"y", "y"}, {"ok", "ok"}, {"k", "k"},
		}, nil)
	}
	return `<zeebe:calledElement processId="` + id + `"/>`
}

// boundaries draws up to two boundary events on an activity, each with its way on:
// one that interrupts leads back to what follows the activity, or, where no join
// waits, to an end of its own; one that does not always has its own end. before is
// what was known before the activity.
func (g *generator) boundaries(p, before *path, host part) part {
	if !g.one(3) {
		return host
	}
	meet := g.name("g")
	p.tag("exclusiveGateway", meet, "", "", "")
	p.flow(host.out, meet, "")
	for i := range 1 + g.IntN(2) {
		b := before.branch(false)
		id := g.name("bound")
		interrupting := g.one(2)
		attributes := `attachedToRef="` + host.in + `"`
		if !interrupting {
			attributes += ` cancelActivity="false"`
		}
		switch {
		case g.one(2):
			b.tag("boundaryEvent", id, attributes, "", g.awaited(b, id, i == 0))
		case interrupting:
			b.tag("boundaryEvent", id, attributes, "", timerEvent("timeDuration", g.duration()))
		default:
			b.tag("boundaryEvent", id, attributes, "", timerEvent("timeCycle", fmt.Sprintf("R%d/PT%dS", 1+g.IntN(3), 1+g.IntN(20))))
		}
		body := part{id, id}
		if g.one(2) {
			// A token beside the activity is nobody's branch.
			b.forked = interrupting && p.forked
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
func (g *generator) eventSubs(*path) {}
