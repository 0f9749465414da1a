package engine

import (
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// call begins the flow that a call activity names, with everything the caller
// sees.
func (p *payment) call(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	id, ok := el.CalledElement.Eval(p.see(token.Scope))
	if !ok {
		p.openIncident(token, IncidentExpression, "The called flow of "+quote(el.ID)+" did not evaluate to a text.")
		return
	}
	depth := 0
	for s := p.scope(token.Scope); s.Parent != 0; s = p.scope(s.Parent) {
		if s.Flow != "" {
			depth++
		}
	}
	called := p.a.flow(p.row.Tenant, id, 0)
	if called == nil || len(called.process.Start) == 0 || depth >= limitDepth {
		p.openIncident(token, IncidentCalledFlow, "The called flow "+quote(id)+" is not deployed, has no none start event, or calls too deep.")
		return
	}
	p.entered(el, token, id)
	var vars []*enginev1.Variable
	if el.PropagateParent {
		vars = p.visible(token.Scope)
	} else if local := p.mappings(token); local != nil {
		vars = local.Variables
	}
	scope := p.newScope(&enginev1.Scope{
		Parent: token.Scope, Token: token.N, Flow: id, FlowVersion: called.row.Version, Variables: vars,
	})
	inner := p.newToken(scope.N)
	p.queue = append(p.queue, move{inner.N, called.process.Start[0]})
}

// returnCall ends a called flow: its variables go to the caller, whose token goes
// on.
func (p *payment) returnCall(scope *enginev1.Scope) {
	token := p.mustToken(scope.Token)
	p.removeScope(scope)
	f := p.flowOf(p.body(token.Scope))
	el := &f.process.Elements[token.Element]
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CALL_RETURNED, Element: el.ID, Name: el.Name, Token: token.N, Type: scope.Flow,
	})
	results := scope.Variables
	if !el.PropagateChild && len(el.Outputs) == 0 {
		results = nil
	}
	p.finish(f, token, results, nil)
}
