package twin

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// awaitSubs lets the event sub-processes of a room wait.
func (p *Payment) awaitSubs(r *Room) {
	for _, i := range r.eventSubs() {
		p.await(&Wait{room: r, event: r.process.Elements[i].SubStart})
	}
}

func (r *Room) eventSubs() []int {
	switch {
	case r.interrupted || r.loop != nil || r.undo != nil:
		return nil
	case r.sub != nil:
		return r.sub.EventSubs
	}
	return r.process.EventSubs
}

// eventSub begins an event sub-process at its start event, beside what runs in the
// room or instead of it.
func (p *Payment) eventSub(r *Room, start int, vars map[string]feel.Value) {
	if r.process.Elements[start].Interrupting {
		r.interrupted = true
		p.empty(r)
	}
	t := &token{room: r, by: -1, at: r.process.Elements[start].Parent}
	r.tokens = append(r.tokens, t)
	p.note("element-entered", t.element().ID, "")
	t.inside = &Room{process: r.process, around: t, sub: t.element()}
	first := &token{room: t.inside, by: -1, at: start}
	t.inside.tokens = []*token{first}
	p.awaitSubs(t.inside)
	p.locals(first)
	p.done(first, vars)
}

func (p *Payment) leaveSub(r *Room) {
	t := r.around
	el := t.element()
	p.note("element-left", el.ID, "")
	t.inside = nil
	if el.Kind == bpmn.KindEventSub {
		t.room.remember(el, nil, r.done)
		p.gone(t)
		return
	}
	p.doneWith(t, nil, r.done)
}

// loop is a multi-instance activity: its room holds a token for every round.
type loop struct {
	items        []feel.Value
	begun, ended int
	outputs      []feel.Value
	outer        *token
}

func (p *Payment) beginLoop(t *token) {
	el := t.element()
	items := el.Loop.InputCollection.Eval(sight{p, t}).Items()
	p.awaitBoundary(t)
	p.note("element-entered", el.ID, "")
	l := &loop{items: items, outer: t, outputs: make([]feel.Value, len(items))}
	t.inside = &Room{process: t.room.process, around: t, loop: l}
	if len(items) == 0 {
		p.endLoop(t.inside)
		return
	}
	for range items {
		p.round(t.inside)
		if el.Loop.Sequential {
			break
		}
	}
}

func (p *Payment) round(r *Room) {
	l := r.loop
	given := map[string]feel.Value{"loopCounter": feel.Int(int64(l.begun + 1))}
	if name := l.outer.element().Loop.InputElement; name != "" {
		given[name] = l.items[l.begun]
	}
	l.begun++
	p.send(&token{room: r, by: -1, given: given}, l.outer.at)
}

func (p *Payment) endRound(t *token, own map[string]feel.Value, inside []*doneActivity) {
	r, l, of := t.room, t.room.loop, t.element().Loop
	l.ended++
	if of.OutputElement != nil {
		n, _ := t.given["loopCounter"].Int64()
		l.outputs[n-1] = of.OutputElement.Eval(sight{p, t})
	}
	over := l.ended == len(l.items)
	if !over && of.CompletionCondition != nil {
		// The counts are variables of the round while the condition is looked at.
		counts := &token{room: r, given: t.own(), locals: map[string]feel.Value{
			"numberOfInstances":           feel.Int(int64(len(l.items))),
			"numberOfActiveInstances":     feel.Int(int64(l.begun - l.ended)),
			"numberOfCompletedInstances":  feel.Int(int64(l.ended)),
			"numberOfTerminatedInstances": feel.Int(0),
		}}
		v, isBool := of.CompletionCondition.Eval(sight{p, counts}).Bool()
		over = v && isBool
	}
	if len(inside) > 0 {
		r.done = append(r.done, &doneActivity{element: t.at, vars: own, inside: inside})
	}
	r.tokens = slices.DeleteFunc(r.tokens, func(o *token) bool { return o == t })
	switch {
	case over:
		p.empty(r)
		p.endLoop(r)
	case of.Sequential:
		p.round(r)
	}
}

func (p *Payment) endLoop(r *Room) {
	t := r.loop.outer
	el := t.element()
	t.inside = nil
	if el.Loop.OutputCollection != "" {
		t.write(el.Loop.OutputCollection, feel.List(r.loop.outputs[:r.loop.begun]...))
	}
	p.note("element-left", el.ID, "")
	p.close(t)
	t.room.remember(el, nil, r.done)
	p.leave(t, el.Outgoing...)
}
