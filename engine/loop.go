package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A multi-instance activity is a loop: one token outside waits for its rounds, each
// a token of its own with the item and its number as local variables.

// inLoop tells whether a token on a multi-instance activity is one of its rounds.
func (p *payment) inLoop(token *enginev1.Token) bool {
	body := p.body(token.Scope)
	return body.Loop != nil && body.Element == token.Element+1
}

// openLoop begins a multi-instance activity: all rounds, or the first.
func (p *payment) openLoop(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	collection := el.Loop.InputCollection.Eval(p.see(token.Scope))
	if collection.Kind() != feel.KindList {
		p.openIncident(token, IncidentExpression, "The input collection of "+quote(el.ID)+" did not evaluate to a list.")
		return
	}
	items := collection.Items()
	if len(items) > limitRounds || !el.Loop.Sequential && len(items)+len(p.row.Tokens) > limitTokens {
		p.openIncident(token, IncidentTooLarge, "The input collection of "+quote(el.ID)+
			" has more items than a payment runs: 10,000 one after another, and 1,000 tokens at once.")
		return
	}
	if !p.openWaits(f, token, el.Boundary) {
		return
	}
	entered := p.entered(el, token, "")
	entered.Number = uint32(len(items))
	if len(items) == 0 {
		p.endLoop(f, token, nil)
		return
	}
	scope := p.newScope(&enginev1.Scope{Parent: token.Scope, Token: token.N, Element: token.Element + 1, Loop: &enginev1.Loop{}})
	size := 0
	for _, item := range items {
		json := item.AppendJSON(nil)
		if size += len(json); size > limitVariables {
			panic(&fault{code: IncidentTooLarge, payment: p.row.Payment, text: "The payment's variables are larger than 4 MiB."})
		}
		scope.Loop.Items = append(scope.Loop.Items, json)
	}
	p.beginRound(el, scope)
	for !el.Loop.Sequential && int(scope.Loop.Begun) < len(items) {
		p.beginRound(el, scope)
	}
}

// beginRound begins the next round of a loop.
func (p *payment) beginRound(el *bpmn.Element, scope *enginev1.Scope) {
	l := scope.Loop
	l.Begun++
	round := p.newScope(&enginev1.Scope{Parent: scope.N, Local: true, Round: l.Begun})
	round.Variables = []*enginev1.Variable{{Name: "loopCounter", Json: feel.Int(int64(l.Begun)).AppendJSON(nil)}}
	if el.Loop.InputElement != "" {
		round.Variables = mergeVariables(round.Variables, []*enginev1.Variable{
			{Name: el.Loop.InputElement, Json: l.Items[l.Begun-1]},
		})
	}
	token := p.newToken(round.N)
	round.Token = token.N
	token.Element = uint32(el.Index)
	p.queue = append(p.queue, move{token.N, el.Index})
}

// endRound ends one round; the loop goes on, or ends with the last one or as soon as
// its completion condition is true.
func (p *payment) endRound(f *flow, token *enginev1.Token, locals []*enginev1.Variable, inside []*enginev1.Compensable) {
	el := &f.process.Elements[token.Element]
	scope := p.body(token.Scope)
	l := scope.Loop
	l.Completed++
	if el.Loop.OutputElement != nil {
		round := int(p.scope(token.Scope).Round)
		outputs := make([][]byte, max(len(l.Outputs), round))
		copy(outputs, l.Outputs)
		outputs[round-1] = p.json(el.Loop.OutputElement.Eval(p.see(token.Scope)))
		l.Outputs = outputs
	}
	last := int(l.Completed) == len(l.Items)
	if !last && el.Loop.CompletionCondition != nil {
		done, isBool := el.Loop.CompletionCondition.EvalBool(loopSight{sight{p: p, from: token.Scope}, l})
		last = isBool && done
	}
	if len(inside) > 0 {
		scope.Done = append(slices.Clip(scope.Done), &enginev1.Compensable{
			N: p.nextN(), Element: token.Element, Variables: locals, Inside: inside,
		})
	}
	p.removeToken(token.N)
	switch {
	case last:
		outer := p.mustToken(scope.Token)
		p.dropScope(scope)
		p.endLoop(f, outer, scope)
	case el.Loop.Sequential:
		p.beginRound(el, scope)
	}
}

// endLoop leaves a multi-instance activity; scope held its rounds, if there were any.
func (p *payment) endLoop(f *flow, token *enginev1.Token, scope *enginev1.Scope) {
	el := &f.process.Elements[token.Element]
	var inside []*enginev1.Compensable
	if scope != nil {
		inside = scope.Done
	}
	if el.Loop.OutputCollection != "" {
		json := []byte{'['}
		for i := range int(scope.GetLoop().GetBegun()) {
			if i > 0 {
				json = append(json, ',')
			}
			if i < len(scope.Loop.Outputs) && len(scope.Loop.Outputs[i]) > 0 {
				json = append(json, scope.Loop.Outputs[i]...)
			} else {
				json = append(json, "null"...)
			}
		}
		json = append(json, ']')
		p.setVariables(token.Scope, []*enginev1.Variable{{Name: el.Loop.OutputCollection, Json: json}})
	}
	p.left(el, token)
	p.closeWaits(token)
	p.completed(el, token, nil, inside)
	p.leave(f, token)
}

// loopSight adds the counts of a loop to what its completion condition sees.
type loopSight struct {
	sight
	loop *enginev1.Loop
}

func (s loopSight) Lookup(name string) (feel.Value, bool) {
	switch name {
	case "numberOfInstances":
		return feel.Int(int64(len(s.loop.Items))), true
	case "numberOfActiveInstances":
		return feel.Int(int64(s.loop.Begun - s.loop.Completed)), true
	case "numberOfCompletedInstances":
		return feel.Int(int64(s.loop.Completed)), true
	case "numberOfTerminatedInstances":
		return feel.Int(0), true // the first one ends the loop
	}
	return s.sight.Lookup(name)
}

// LookupJSON implements feel.Texts: Lookup must say, since the counts hide variables
// of their names.
func (loopSight) LookupJSON(string) ([]byte, bool) { return nil, false }
