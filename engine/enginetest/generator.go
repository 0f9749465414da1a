package enginetest

import (
	"fmt"
	"slices"
)

// Flow is a generated flow.
type Flow struct {
	ID  string
	XML string
}

// Shape says what generated flows are like.
type Shape struct {
	Flows    int // flows that are started; those they call come on top
	Elements int // of one flow, about
	// Alone: no two payments share a message key or a signal, and no message waits
	// in two places, so that what becomes of a payment depends on it alone.
	Alone bool
}

// Generate makes flows from a seed, callable ones first. They are valid by
// construction and built so that every payment can end:
//
//   - Blocks nest: what a gateway splits, one of its kind joins. Unstructured are
//     the loops back, links, ways from one branch into its neighbour, boundary
//     events that lead round what follows, and ends in the middle.
//   - Loops count, and a loop's counter is written by nothing else.
//   - Behind a parallel or inclusive gateway no token is lost before the join: an
//     end in the middle of a branch terminates everything.
//   - Whatever repeats without interrupting has its own end, and no inclusive join:
//     one takes tokens of two rounds for one, which may leave a parallel join behind
//     it short of one.
//   - A condition reads only variables written before it on its own path, so what
//     it gives does not depend on how parallel branches interleave.
func Generate(seed uint64, shape Shape) []Flow {
	d := dice(seed)
	g := &generator{dice: &d, shape: shape}
	var flows []Flow
	for i := range 2 {
		id := fmt.Sprint("called", i+1)
		flows = append(flows, g.flow(id, shape.Elements/2, true))
		g.callable = append(g.callable, id)
	}
	for i := range shape.Flows {
		flows = append(flows, g.flow(fmt.Sprint("flow", i+1), shape.Elements, false))
	}
	return flows
}

// EveryJobType is what generated flows ask of connectors.
var EveryJobType = []string{"a", "b", "c"}

// Names that generated flows share: an error or a signal thrown in one place is
// caught in another.
var (
	someErrors      = []string{"E1", "E2"}
	someEscalations = []string{"S1", "S2"}
	someSignals     = []string{"red", "green"}
	someMessages    = []string{"paid", "told"}
)

type generator struct {
	*dice
	shape    Shape
	names    int
	left     int // elements still to be made
	callable []string
}

// path is where the generator draws: a branch of a level.
type path struct {
	*level
	forked bool     // a join waits for this branch
	known  []string // variables written before, on this path
	depth  int      // sub-processes around
	calm   bool     // within something that an escalation started: one more might start it for ever
	again  bool     // may begin again while it runs, in one scope
}

// branch is a way out of a gateway.
func (p *path) branch(forked bool) *path {
	b := *p
	b.forked = p.forked || forked
	b.known = slices.Clone(p.known)
	return &b
}

// meet learns what a branch knows.
func (p *path) meet(b *path) {
	for _, name := range b.known {
		if !slices.Contains(p.known, name) {
			p.known = append(p.known, name)
		}
	}
}

// part is a piece of a flow with one way in and one way out.
type part struct{ in, out string }

func (g *generator) name(kind string) string {
	g.names++
	return fmt.Sprint(kind, g.names)
}

// one tells, once in n times, yes.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) flow(id string, elements int, called bool) Flow {
	g.left = elements
	p := &path{
		level: &level{drawing: &drawing{process: id, declared: make(map[string]bool)}},
		known: []string{"x", "y", "ok"},
	}
	g.eventSubs(p)
	start, end := g.name("start"), g.name("end")
	p.tag("startEvent", start, "", "", "")
	first := part{start, start}
	if called {
		// A called flow that ended at once would give its caller stale copies of the
		// variables while branches beside it still move.
		first = g.join(p, first, g.task(p))
	}
	body := g.join(p, first, g.chain(p, 2+g.IntN(3)))
	for g.left > 0 {
		body = g.join(p, body, g.block(p))
	}
	// The last task shows what has become of the variables.
	body = g.join(p, body, g.task(p))
	p.tag("endEvent", end, "", result("completed", end), "")
	p.flow(body.out, end, "")
	return Flow{ID: id, XML: p.file()}
}

func result(result, code string) string {
	return `<zeebe:properties><zeebe:property name="railhead:result" value="` + result +
		`"/><zeebe:property name="railhead:code" value="` + code + `"/></zeebe:properties>`
}

func (g *generator) join(p *path, a, b part) part {
	p.flow(a.out, b.in, "")
	return part{a.in, b.out}
}

func (g *generator) chain(p *path, blocks int) part {
	all := g.block(p)
	for range blocks - 1 {
		all = g.join(p, all, g.block(p))
	}
	return all
}

// block draws one piece, a smaller one the less is left.
func (g *generator) block(p *path) part {
	g.left--
	if g.left < 0 {
		return g.task(p)
	}
	switch g.IntN(20) {
	case 0, 1:
		return g.split(p, "exclusiveGateway", false)
	case 2:
		return g.split(p, "parallelGateway", true)
	case 3:
		if p.again {
			return g.split(p, "parallelGateway", true)
		}
		return g.split(p, "inclusiveGateway", true)
	case 4:
		return g.loop(p)
	case 5:
		return g.race(p)
	case 6:
		return g.link(p)
	case 7:
		return g.pause(p)
	case 8:
		return g.throw(p)
	default:
		return g.activity(p)
	}
}

// split draws a gateway, two or three branches, and the gateway where they meet.
func (g *generator) split(p *path, kind string, forks bool) part {
	open, meet := g.name("g"), g.name("g")
	otherwise := p.flowID()
	attributes := ""
	if kind != "parallelGateway" {
		attributes = `default="` + otherwise + `"`
	}
	p.tag(kind, open, attributes, "", "")
	p.tag(kind, meet, "", "", "")
	branches := 2 + g.IntN(2)
	neighbour := "" // where a branch may be entered from the one before it
	for i := range branches {
		b := p.branch(forks)
		body := g.chain(b, 1+g.IntN(2))
		if neighbour != "" {
			p.flow(neighbour, body.in, "")
			body.in, neighbour = neighbour, ""
		}
		switch {
		case i == 0:
			p.flowAs(otherwise, open, body.in, "")
		case attributes == "":
			p.flow(open, body.in, "")
		default:
			p.flow(open, body.in, g.condition(p.known))
		}
		switch {
		case i > 0 && g.one(8):
			body = g.leaveEarly(b, body)
		case !forks && i < branches-1 && g.one(6):
			// A way over into the next branch.
			over, into := g.name("g"), g.name("g")
			back := b.flowID()
			b.tag("exclusiveGateway", over, `default="`+back+`"`, "", "")
			b.tag("exclusiveGateway", into, "", "", "")
			b.flow(body.out, over, "")
			b.flow(over, into, g.condition(b.known))
			b.flowAs(back, over, meet, "")
			neighbour, body.out = into, ""
		}
		if body.out != "" {
			p.flow(body.out, meet, "")
		}
		p.meet(b)
	}
	return part{open, meet}
}

// leaveEarly draws a way to an end in the middle: where a join waits it is one that
// terminates everything.
func (g *generator) leaveEarly(p *path, body part) part {
	fork, end := g.name("g"), g.name("end")
	on := p.flowID()
	p.tag("exclusiveGateway", fork, `default="`+on+`"`, "", "")
	p.flow(body.out, fork, "")
	p.flow(fork, end, g.condition(p.known))
	g.end(p, end, p.forked)
	next := g.task(p)
	p.flowAs(on, fork, next.in, "")
	return part{body.in, next.out}
}

// loop draws a block that is repeated up to three times.
func (g *generator) loop(p *path) part {
	begin, count, again := g.name("g"), g.name("count"), g.name("g")
	on := p.flowID()
	p.tag("exclusiveGateway", begin, "", "", "")
	body := g.chain(p, 1+g.IntN(2))
	p.flow(begin, body.in, "")
	p.tag("task", count, "", ioMapping(nil, [][2]string{{"if " + count + " = null then 1 else " + count + " + 1", count}}), "")
	p.tag("exclusiveGateway", again, `default="`+on+`"`, "", "")
	p.flow(body.out, count, "")
	p.flow(count, again, "")
	p.flow(again, begin, fmt.Sprintf("%s < %d and (%s)", count, 2+g.IntN(2), g.condition(p.known)))
	next := g.task(p)
	p.flowAs(on, again, next.in, "")
	return part{begin, next.out}
}

// race draws an event-based gateway.
func (g *generator) race(p *path) part {
	open, meet := g.name("g"), g.name("g")
	p.tag("eventBasedGateway", open, "", "", "")
	p.tag("exclusiveGateway", meet, "", "", "")
	for i := range 2 + g.IntN(2) {
		b := p.branch(false)
		id := g.name("catch")
		switch i {
		case 0:
			b.tag("intermediateCatchEvent", id, "", "", timerEvent("timeDuration", g.duration()))
		case 1:
			b.tag("intermediateCatchEvent", id, "", "", g.awaited(b, id, true))
		default:
			b.tag("intermediateCatchEvent", id, "", "", g.signalled(b, id))
		}
		p.flow(open, id, "")
		body := part{id, id}
		if g.one(2) {
			body = g.join(b, body, g.block(b))
		}
		p.flow(body.out, meet, "")
		p.meet(b)
	}
	return part{open, meet}
}

// link draws a throw event and the catch event of its name, in one level.
func (g *generator) link(p *path) part {
	throw, catch := g.name("throw"), g.name("catch")
	event := `<linkEventDefinition id="d` + throw + `" name="` + throw + `"/>`
	p.tag("intermediateThrowEvent", throw, "", "", event)
	p.tag("intermediateCatchEvent", catch, "", "", `<linkEventDefinition id="d`+catch+`" name="`+throw+`"/>`)
	return part{throw, catch}
}

// condition draws an expression over variables.
func (g *generator) condition(known []string) string {
	v, w, n := g.of(known), g.of(known), g.IntN(6)
	switch g.IntN(9) {
	case 0, 1:
		return fmt.Sprintf("%s < %d", v, n)
	case 2:
		return fmt.Sprintf("%s = %d", v, n)
	case 3:
		return fmt.Sprintf("%s > %s", v, w)
	case 4:
		return "ok"
	case 5:
		return fmt.Sprintf("not(%s = %d) and ok = true", v, n)
	case 6:
		return fmt.Sprintf("%s in [%d..%d]", v, n, n+2)
	case 7:
		return fmt.Sprintf("count([%s, %s, %d][item > 2]) > 1", v, w, n)
	default:
		return fmt.Sprintf("if %s = null then %s > 1 else %s >= %d", v, w, v, n)
	}
}
