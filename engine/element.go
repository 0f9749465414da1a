package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// enter lets a token do what its element means.
func (p *payment) enter(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	if el.Loop != nil && !p.inLoop(token) {
		p.openLoop(f, token)
		return
	}
	switch el.Kind {
	case bpmn.KindPass:
		p.entered(el, token, "")
		p.pass(f, token, nil)
	case bpmn.KindScript:
		p.script(f, token)
	case bpmn.KindThrow:
		p.throwEvent(f, token)
	case bpmn.KindStart:
		if p.openScope(f, token) {
			p.pass(f, token, nil)
		}
	case bpmn.KindLinkCatch:
		p.pass(f, token, nil)
	case bpmn.KindJob:
		if p.activate(f, token) {
			p.createJob(f, token)
		}
	case bpmn.KindUser:
		if p.activate(f, token) {
			p.createUserTask(f, token)
		}
	case bpmn.KindReceive, bpmn.KindCatch:
		p.openLocal(f, token)
		p.openWaits(f, token, append(slices.Clip(p.boundary(el, token)), el.Index))
	case bpmn.KindEventBased:
		var events []int
		for _, index := range el.Outgoing {
			events = append(events, f.process.Flows[index].Target)
		}
		p.openWaits(f, token, events)
	case bpmn.KindExclusive:
		p.choose(f, token)
	case bpmn.KindInclusive:
		p.enterInclusive(f, token)
	case bpmn.KindParallel:
		p.join(f, token)
	case bpmn.KindCall:
		if p.activate(f, token) {
			p.call(f, token)
		}
	case bpmn.KindSub:
		if p.activate(f, token) {
			p.enterSub(f, token)
		}
	case bpmn.KindLinkThrow:
		p.entered(el, token, "")
		p.queue = append(p.queue, move{token.N, el.LinkTo})
	case bpmn.KindEnd:
		p.endEvent(f, token)
	default:
		panic(&fault{code: IncidentQuarantined, payment: p.row.Payment,
			text: "This version of the engine cannot run the element " + quote(el.ID) + "."})
	}
}

// activate maps an activity's variables and opens its boundary events. It reports
// false when one of them moved the token at once, or an incident opened.
func (p *payment) activate(f *flow, token *enginev1.Token) bool {
	p.openLocal(f, token)
	return p.openWaits(f, token, p.boundary(&f.process.Elements[token.Element], token))
}

// boundary are the boundary events a token opens; those of a loop belong to the
// whole of it, not to each round.
func (p *payment) boundary(el *bpmn.Element, token *enginev1.Token) []int {
	if el.Loop != nil && p.inLoop(token) {
		return nil
	}
	return el.Boundary
}

// pass goes through an element that is done at once: its mappings, then its ways
// out.
func (p *payment) pass(f *flow, token *enginev1.Token, vars []*enginev1.Variable) {
	p.openLocal(f, token)
	p.finish(f, token, vars, nil)
}

// finish leaves an element that is done, with its results and what is compensable
// inside it.
func (p *payment) finish(f *flow, token *enginev1.Token, vars []*enginev1.Variable, inside []*enginev1.Compensable) {
	el := &f.process.Elements[token.Element]
	p.closeWaits(token)
	var locals []*enginev1.Variable
	if el.CompensatedBy >= 0 || len(inside) > 0 {
		locals = p.locals(token)
	}
	p.closeLocal(f, token, vars)
	switch {
	case el.Loop != nil && p.inLoop(token):
		p.endRound(f, token, locals, inside)
	case el.Kind == bpmn.KindEnd:
		p.endToken(f, token)
	default:
		p.completed(el, token, locals, inside)
		p.leave(f, token)
	}
}

// script works out a script task.
func (p *payment) script(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.entered(el, token, "")
	p.openLocal(f, token)
	value := el.Script.Expression.Eval(p.see(token.Scope))
	p.finish(f, token, []*enginev1.Variable{{Name: el.Script.ResultVariable, Json: p.json(value)}}, nil)
}

// entered notes an element that the token only passes; took is the id of the
// sequence flow it chose.
func (p *payment) entered(el *bpmn.Element, token *enginev1.Token, took string) *enginev1.Event {
	return p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ELEMENT_ENTERED, Element: el.ID, Name: el.Name, Token: token.N, Type: took,
	})
}
