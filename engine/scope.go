package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Tokens lie in scopes, and scopes in scopes: the flow itself or a called one, the
// inside of a sub-process, the rounds of a loop, the handlers of a compensation. A
// scope without tokens is complete, and the token outside that waits for it goes on.
// Local scopes hold no tokens of their own, only variables.

func (p *payment) scope(n uint32) *enginev1.Scope {
	for _, s := range p.row.Scopes {
		if s.N == n {
			return s
		}
	}
	panic(&fault{code: IncidentQuarantined, text: "A row points at a scope that is not there.", payment: p.row.Payment})
}

func (p *payment) newScope(s *enginev1.Scope) *enginev1.Scope {
	s.N = p.nextN()
	p.row.Scopes = append(p.row.Scopes, s)
	return s
}

// flowOf is the flow that a scope runs in.
func (p *payment) flowOf(scope *enginev1.Scope) *flow {
	for scope.Flow == "" {
		scope = p.scope(scope.Parent)
	}
	if f := p.flow; f != nil && f.row.Version == scope.FlowVersion && f.process.ID == scope.Flow {
		return f
	}
	f := p.a.flow(p.row.Tenant, scope.Flow, scope.FlowVersion)
	if f == nil {
		panic(&fault{code: IncidentQuarantined, text: "The payment's flow version is not there.", payment: p.row.Payment})
	}
	p.flow = f
	return f
}

// body is the scope that holds the tokens: the scope itself, or the one above it
// when it only holds local variables.
func (p *payment) body(n uint32) *enginev1.Scope {
	s := p.scope(n)
	for s.Local {
		s = p.scope(s.Parent)
	}
	return s
}

// eventSubs are the event sub-processes that may begin in a scope.
func (f *flow) eventSubs(scope *enginev1.Scope) []int {
	switch {
	case scope.Interrupted || scope.Loop != nil || scope.Compensation:
		return nil
	case scope.Flow != "":
		return f.process.EventSubs
	default:
		return f.process.Elements[scope.Element-1].EventSubs
	}
}

// openScope lets the event sub-processes of the scope in which a start event stands
// wait for their events. It reports false when the token did not survive it: one
// began at once and interrupted, or an incident opened.
func (p *payment) openScope(f *flow, token *enginev1.Token) bool {
	scope := p.body(token.Scope)
	subs := f.eventSubs(scope)
	if len(subs) == 0 {
		return true
	}
	p.closeScopeWaits(scope) // opened in part before an incident that is resolved now
	for _, i := range subs {
		start := &f.process.Elements[f.process.Elements[i].SubStart]
		if _, trouble := p.openWait(f, holder{scope: scope}, start); trouble != "" {
			p.closeScopeWaits(scope)
			p.openIncident(token, IncidentExpression, trouble)
			return false
		}
		if p.token(token.N) == nil {
			return false
		}
	}
	return true
}

func (p *payment) closeScopeWaits(scope *enginev1.Scope) {
	for _, w := range scope.Waits {
		p.closeWait(w)
	}
	scope.Waits = nil
}

// enterSub begins an embedded sub-process.
func (p *payment) enterSub(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.entered(el, token, "")
	inside := p.newScope(&enginev1.Scope{Parent: token.Scope, Token: token.N, Element: token.Element + 1})
	inner := p.newToken(inside.N)
	p.queue = append(p.queue, move{inner.N, el.SubStart})
}

// startEventSub begins an event sub-process at its start event, beside what runs in
// the scope or instead of it.
func (p *payment) startEventSub(f *flow, scope *enginev1.Scope, start *bpmn.Element, vars []*enginev1.Variable) {
	el := &f.process.Elements[start.Parent]
	if start.Interrupting {
		p.closeScopeWaits(scope)
		scope.Interrupted = true
		p.dropTokens(scope, 0)
	}
	token := p.newToken(scope.N)
	token.Element = uint32(el.Index)
	p.entered(el, token, "")
	inside := p.newScope(&enginev1.Scope{Parent: scope.N, Token: token.N, Element: token.Element + 1})
	inner := p.newToken(inside.N)
	inner.Element = uint32(start.Index)
	if p.openScope(f, inner) {
		p.pass(f, inner, vars)
	}
}

// consume ends a token; a scope without tokens is complete.
func (p *payment) consume(token *enginev1.Token) {
	scope := p.body(token.Scope)
	p.removeToken(token.N)
	for _, t := range p.row.Tokens {
		if p.body(t.Scope).N == scope.N {
			return
		}
	}
	p.closeScopeWaits(scope)
	switch {
	case scope.Compensation:
		scope.Undo = scope.Undo[:len(scope.Undo)-1]
		p.nextUndo(scope)
	case scope.Parent == 0:
		p.end()
	case scope.Flow != "":
		p.returnCall(scope)
	default:
		p.leaveSub(scope)
	}
}

// leaveSub ends a sub-process whose inside is complete.
func (p *payment) leaveSub(scope *enginev1.Scope) {
	token := p.mustToken(scope.Token)
	f := p.flowOf(scope)
	el := &f.process.Elements[token.Element]
	p.left(el, token)
	p.removeScope(scope)
	if el.Kind == bpmn.KindEventSub {
		p.completed(el, token, nil, scope.Done)
		p.consume(token)
		return
	}
	p.finish(f, token, nil, scope.Done)
}

func (p *payment) left(el *bpmn.Element, token *enginev1.Token) {
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ELEMENT_LEFT, Element: el.ID, Name: el.Name, Token: token.N,
	})
}

// drop removes a token and everything it waits for.
func (p *payment) drop(token *enginev1.Token) {
	p.closeWaits(token)
	p.cancelJob(token)
	p.cancelUserTask(token)
	p.dropIncident(token)
	// What the token waited for inside ends with it.
	p.dropInside(token)
	p.removeToken(token.N)
}

// dropTokens removes the tokens of a scope but one.
func (p *payment) dropTokens(scope *enginev1.Scope, but uint32) {
	for _, t := range slices.Clone(p.row.Tokens) {
		if t.N != but && p.token(t.N) != nil && p.body(t.Scope).N == scope.N {
			p.drop(t)
		}
	}
}

// dropInside removes what a token's activity holds: a called flow, the inside of a
// sub-process, the rounds of a loop, the handlers of a compensation.
func (p *payment) dropInside(token *enginev1.Token) {
	for _, s := range slices.Clone(p.row.Scopes) {
		if s.Token == token.N && !s.Local {
			p.dropScope(s)
		}
	}
}

// dropScope removes a scope with all its tokens and the scopes below it.
func (p *payment) dropScope(scope *enginev1.Scope) {
	p.closeScopeWaits(scope)
	if scope.Compensation {
		p.stillDone(scope)
	}
	p.dropTokens(scope, 0)
	p.removeScope(scope)
}

func (p *payment) removeScope(scope *enginev1.Scope) {
	p.row.Scopes = slices.DeleteFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return s.N == scope.N })
}
