package enginetest

import "fmt"

// task draws a service task without ornaments.
func (g *generator) task(p *path) part {
	id := g.name("task")
	p.tag("serviceTask", id, "", `<zeebe:taskDefinition type="`+g.of(EveryJobType)+`"/>`, "")
	p.known = append(p.known, id)
	return part{id, id}
}

// activity draws a task, a call or a sub-process, perhaps with mappings, repeated for
// every item of a list, with boundary events and a compensation handler. What it
// gives to the payment is a variable of its own name.
func (g *generator) activity(p *path) part {
	id := g.name("task")
	before := p.branch(false)
	inside := false // errors and escalations may come out of it
	switch n := g.IntN(20); {
	case n < 7:
		g.serviceTask(p, id)
	case n < 9:
		p.tag("receiveTask", id, `messageRef="`+p.message("m-"+id, "transactionId")+`"`, g.mappings(p, id), g.repeated(p, id))
	case n < 11:
		p.tag("task", id, "", g.computed(p, id), "")
		p.known = append(p.known, id)
		return part{id, id}
	case n < 13:
		script := fmt.Sprintf(`<zeebe:script expression="=%s" resultVariable="%s"/>`, escape(g.value(p.known)), id)
		p.tag("scriptTask", id, "", script+g.mappings(p, id), g.repeated(p, id))
	case n < 15:
		p.tag("userTask", id, "", `<zeebe:userTask/><zeebe:assignmentDefinition assignee="=if x &gt; 2 then &quot;ada&quot; else null" candidateGroups="desk, night"/>`+
			g.mappings(p, id), g.repeated(p, id))
	case n < 17 && len(g.callable) > 0 && !p.calm:
		p.tag("callActivity", id, "", g.called(p), g.repeated(p, id))
		inside = true
	default:
		if p.depth == 3 {
			g.serviceTask(p, id)
			break
		}
		g.subProcess(p, id)
		inside = true
	}
	if g.one(4) {
		g.handler(p, id)
	}
	return g.boundaries(p, before, part{id, id}, inside)
}

// subProcess draws an embedded sub-process.
func (g *generator) subProcess(p *path, id string) {
	in := &path{level: &level{drawing: p.drawing}, known: p.branch(false).known, depth: p.depth + 1, calm: p.calm}
	start, end := g.name("start"), g.name("end")
	in.tag("startEvent", start, "", "", "")
	if g.one(3) {
		g.eventSubs(in)
	}
	marker := g.repeated(in, id)
	body := g.join(in, part{start, start}, g.chain(in, 1+g.IntN(3)))
	in.flow(body.out, end, "")
	if g.one(3) {
		g.end(in, end, false)
	} else {
		in.tag("endEvent", end, "", "", "")
	}
	p.tag("subProcess", id, "", g.mappings(p, id), marker+"\n"+in.xml.String())
	p.meet(in)
}

// repeated is the marker of an activity that runs for every item of a list, or
// nothing.
func (g *generator) repeated(p *path, id string) string {
	if !g.one(6) {
		return ""
	}
	collection := g.of([]string{"[1, 2, 3]", "[x, y]", "for i in 1..4 return i * 2", "[]", "[5]"})
	attributes := fmt.Sprintf(`inputCollection="=%s" inputElement="i%s"`, collection, id)
	if g.one(2) {
		attributes += fmt.Sprintf(` outputCollection="o%s" outputElement="=[i%s, loopCounter]"`, id, id)
	}
	condition := ""
	switch g.IntN(5) {
	case 0:
		condition = "numberOfCompletedInstances >= 2"
	case 1:
		condition = id + " = 3"
	}
	if condition != "" {
		condition = "<completionCondition>=" + escape(condition) + "</completionCondition>"
	}
	p.known = append(p.known, "i"+id)
	return fmt.Sprintf(`<multiInstanceLoopCharacteristics isSequential="%v"><extensionElements><zeebe:loopCharacteristics %s/></extensionElements>%s</multiInstanceLoopCharacteristics>`,
		g.one(2), attributes, condition)
}

// handler draws what undoes an activity.
func (g *generator) handler(p *path, id string) {
	event, handler := g.name("undo"), g.name("handler")
	p.tag("boundaryEvent", event, `attachedToRef="`+id+`"`, "", "<compensateEventDefinition/>")
	switch g.IntN(4) {
	case 0:
		p.tag("scriptTask", handler, `isForCompensation="true"`, `<zeebe:script expression="=`+id+`" resultVariable="`+handler+`"/>`, "")
	case 1:
		p.tag("userTask", handler, `isForCompensation="true"`, "<zeebe:userTask/>", "")
	default:
		p.tag("serviceTask", handler, `isForCompensation="true"`, `<zeebe:taskDefinition type="`+g.of(EveryJobType)+`"/>`+g.mappings(p.branch(false), handler), "")
	}
	fmt.Fprintf(&p.xml, "<association id=\"a%s\" associationDirection=\"One\" sourceRef=%q targetRef=%q/>\n", event, event, handler)
	p.undoable = append(p.undoable, id)
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
	p.tag("serviceTask", id, "", extensions+g.mappings(p, id), g.repeated(p, id))
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
