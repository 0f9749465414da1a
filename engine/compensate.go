package engine

import (
	"cmp"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Compensation undoes what was completed. BPMN leaves the order open and Zeebe runs
// all handlers at once; here they run one after another, the last completed activity
// first, as a saga does, and none is skipped: a handler's job is retried until it is
// done, with an incident when a person has to look.

// completed remembers an activity that can be undone: one with a handler, or a
// sub-process or loop that holds some.
func (p *payment) completed(el *bpmn.Element, token *enginev1.Token, locals []*enginev1.Variable, inside []*enginev1.Compensable) {
	if el.CompensatedBy < 0 && len(inside) == 0 {
		return
	}
	scope := p.body(token.Scope)
	n := 0
	for _, s := range p.row.Scopes {
		n += countDone(s.Done)
	}
	if n+countDone(inside) >= limitDone {
		panic(&fault{code: IncidentTooLarge, payment: p.row.Payment,
			text: "More than 1,000 completed activities of the payment wait to be undone or forgotten."})
	}
	scope.Done = append(slices.Clip(scope.Done), &enginev1.Compensable{
		N: p.nextN(), Element: uint32(el.Index), Variables: locals, Inside: inside,
	})
}

// countDone counts completed activities with all that is inside them.
func countDone(done []*enginev1.Compensable) int {
	n := len(done)
	for _, c := range done {
		n += countDone(c.Inside)
	}
	return n
}

// compensate begins what a compensation event throws. It reports whether the token
// waits for handlers.
func (p *payment) compensate(f *flow, token *enginev1.Token, el *bpmn.Element) bool {
	var undo []*enginev1.Compensable
	scope := p.body(token.Scope)
	for {
		scope.Done = slices.DeleteFunc(slices.Clone(scope.Done), func(c *enginev1.Compensable) bool {
			if el.Compensate.Activity >= 0 && int(c.Element) != el.Compensate.Activity {
				return false
			}
			undo = f.handlers(undo, c, nil)
			return true
		})
		// An event sub-process undoes what the scope around it has completed.
		if !f.isEventSub(scope) {
			break
		}
		scope = p.body(scope.Parent)
	}
	return p.beginUndo(el.ID, token.Scope, token.N, undo)
}

// isEventSub tells whether a scope is the inside of an event sub-process.
func (f *flow) isEventSub(scope *enginev1.Scope) bool {
	return scope.Flow == "" && scope.Loop == nil && !scope.Compensation && f.process.Elements[scope.Element-1].Kind == bpmn.KindEventSub
}

// handlers lists what has to be undone of a completed activity. An activity's own
// handler stands for everything inside it, as BPMN has it.
func (f *flow) handlers(list []*enginev1.Compensable, c *enginev1.Compensable, around []*enginev1.Variable) []*enginev1.Compensable {
	vars := mergeVariables(around, c.Variables)
	if f.process.Elements[c.Element].CompensatedBy >= 0 {
		return append(list, &enginev1.Compensable{N: c.N, Element: c.Element, Variables: vars})
	}
	for _, inner := range c.Inside {
		list = f.handlers(list, inner, vars)
	}
	return list
}

func byCompletion(a, b *enginev1.Compensable) int { return cmp.Compare(a.N, b.N) }

// beginUndo runs handlers in a scope of their own. It reports false when there are
// none.
func (p *payment) beginUndo(element string, parent, token uint32, undo []*enginev1.Compensable) bool {
	if len(undo) == 0 {
		return false
	}
	slices.SortFunc(undo, byCompletion)
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_COMPENSATION_STARTED, Element: element, Token: token, Number: uint32(len(undo)),
	})
	scope := p.newScope(&enginev1.Scope{Parent: parent, Token: token, Compensation: true, Undo: undo})
	p.nextUndo(scope)
	return true
}

// stillDone gives back what a compensation that is interrupted has not undone, the
// handler under way included, so that the next one finds it.
func (p *payment) stillDone(compensation *enginev1.Scope) {
	f, scope := p.flowOf(compensation), p.body(compensation.Parent)
	for f.isEventSub(scope) {
		scope = p.body(scope.Parent)
	}
	scope.Done = append(slices.Clip(scope.Done), compensation.Undo...)
	slices.SortFunc(scope.Done, byCompletion)
}

// nextUndo starts the next handler, or goes on behind the compensation.
func (p *payment) nextUndo(scope *enginev1.Scope) {
	f := p.flowOf(scope)
	if last := len(scope.Undo) - 1; last >= 0 {
		c := scope.Undo[last]
		done := &f.process.Elements[c.Element]
		handler := &f.process.Elements[done.CompensatedBy]
		local := p.newScope(&enginev1.Scope{Parent: scope.N, Local: true, Variables: c.Variables})
		token := p.newToken(local.N)
		local.Token = token.N
		token.Element = uint32(handler.Index)
		p.tell(&enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_COMPENSATING, Element: handler.ID, Name: done.ID, Token: token.N,
		})
		p.queue = append(p.queue, move{token.N, handler.Index})
		return
	}
	p.removeScope(scope)
	if p.row.Cancelling {
		p.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_COMPENSATED})
		p.undoNext()
		return
	}
	token := p.mustToken(scope.Token)
	el := &f.process.Elements[token.Element]
	p.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_COMPENSATED, Element: el.ID, Name: el.Name, Token: token.N})
	p.finish(f, token, nil, nil)
}

// compensating tells whether a token works for a compensation.
func (p *payment) compensating(token *enginev1.Token) bool {
	for s := p.scope(token.Scope); s.Parent != 0; s = p.scope(s.Parent) {
		if s.Compensation {
			return true
		}
	}
	return false
}

// undoNext undoes, for an operator who cancels, what was completed last, as far as one
// scope holds it, and ends the payment when nothing is left.
func (p *payment) undoNext() {
	var scope *enginev1.Scope
	last, before := uint32(0), uint32(0)
	for _, s := range p.row.Scopes {
		if len(s.Done) == 0 {
			continue
		}
		var undo []*enginev1.Compensable
		for _, c := range s.Done {
			undo = p.flowOf(s).handlers(undo, c, nil)
		}
		slices.SortFunc(undo, byCompletion)
		if s.Done = undo; len(undo) == 0 {
			continue
		}
		if n := undo[len(undo)-1].N; n > last {
			scope, last, before = s, n, last
		} else {
			before = max(before, n)
		}
	}
	if scope != nil {
		i := slices.IndexFunc(scope.Done, func(c *enginev1.Compensable) bool { return c.N > before })
		undo := scope.Done[i:]
		scope.Done = slices.Clip(scope.Done[:i])
		p.beginUndo("", scope.N, 0, undo)
		return
	}
	p.row.Result, p.row.Code, p.row.EndElement = enginev1.Result_RESULT_CANCELLED, "compensated", ""
	p.end()
}
