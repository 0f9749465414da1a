package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// enter lets a token do what its element means.
func (p *payment) enter(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	switch el.Kind {
	case bpmn.KindPass, bpmn.KindThrow:
		p.entered(el, token, "")
		p.pass(f, token, nil)
	case bpmn.KindStart, bpmn.KindLinkCatch:
		p.pass(f, token, nil)
	case bpmn.KindJob:
		p.openLocal(f, token)
		if p.openWaits(f, token, el.Boundary) {
			p.createJob(f, token)
		}
	case bpmn.KindReceive, bpmn.KindCatch:
		p.openLocal(f, token)
		p.openWaits(f, token, append(slices.Clip(el.Boundary), el.Index))
	case bpmn.KindEventBased:
		var events []int
		for _, index := range el.Outgoing {
			events = append(events, f.process.Flows[index].Target)
		}
		p.openWaits(f, token, events)
	case bpmn.KindExclusive:
		p.choose(f, token)
	case bpmn.KindParallel:
		p.join(f, token)
	case bpmn.KindCall:
		p.openLocal(f, token)
		if p.openWaits(f, token, el.Boundary) {
			p.call(f, token)
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

// pass goes through an element that is done at once: its mappings, then its ways
// out.
func (p *payment) pass(f *flow, token *enginev1.Token, vars []*enginev1.Variable) {
	p.openLocal(f, token)
	p.closeLocal(f, token, vars)
	p.leave(f, token)
}

// entered notes an element that the token only passes; took is the id of the
// sequence flow it chose.
func (p *payment) entered(el *bpmn.Element, token *enginev1.Token, took string) {
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ELEMENT_ENTERED, Element: el.ID, Name: el.Name, Token: token.N, Type: took,
	})
}

// choose takes the first flow whose condition is true, else the default. Any
// value that is not true counts as false, so that a comparison with a missing
// variable, which is null in FEEL, does not take its branch.
func (p *payment) choose(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	chosen := -1
	for _, index := range el.Outgoing {
		if index == el.Default {
			continue
		}
		condition := f.process.Flows[index].Condition
		if condition == nil {
			chosen = index
			break
		}
		if value, isBool := condition.EvalBool(sight{p: p, from: token.Scope}); isBool && value {
			chosen = index
			break
		}
	}
	if chosen < 0 {
		chosen = el.Default
	}
	if chosen < 0 {
		p.openIncident(token, IncidentNoFlow, "No condition of gateway "+quote(el.ID)+" is true, and it has no default flow.")
		return
	}
	p.entered(el, token, f.process.Flows[chosen].ID)
	p.take(f, token, []int{chosen})
}

// join lets a parallel gateway go on once a token stands on it for every incoming
// flow; it takes one of each and leaves along all outgoing flows.
func (p *payment) join(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	if len(el.Incoming) > 1 {
		var arrived []*enginev1.Token
		for _, index := range el.Incoming {
			i := slices.IndexFunc(p.row.Tokens, func(t *enginev1.Token) bool {
				return t.Joining && t.Scope == token.Scope && t.Element == token.Element && t.ArrivedBy == uint32(index)+1
			})
			switch {
			case i >= 0:
				arrived = append(arrived, p.row.Tokens[i])
			case token.ArrivedBy == uint32(index)+1:
				arrived = append(arrived, token)
			}
		}
		if len(arrived) < len(el.Incoming) {
			token.Joining = true
			return
		}
		// A second token over the same flow waits for the next round.
		if !slices.Contains(arrived, token) {
			token.Joining = true
		}
		token = arrived[0]
		token.Joining = false
		for _, t := range arrived[1:] {
			p.removeToken(t.N)
		}
	}
	p.entered(el, token, "")
	p.leave(f, token)
}

// endEvent ends a token; at the payment's own level it says what became of it.
func (p *payment) endEvent(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.openLocal(f, token)
	p.closeLocal(f, token, nil)
	scope := p.body(token.Scope)
	if scope.Parent == 0 {
		result, code := f.endResult(el)
		// One good end does not hide a bad one reached before it.
		if p.row.Result == enginev1.Result_RESULT_UNSPECIFIED || p.row.Result == enginev1.Result_RESULT_COMPLETED {
			p.row.Result, p.row.Code, p.row.EndElement = result, code, el.ID
		}
	}
	if el.Terminate {
		for _, t := range slices.Clone(p.row.Tokens) {
			if t.N != token.N && p.token(t.N) != nil && p.body(t.Scope).N == scope.N {
				p.drop(t)
			}
		}
	}
	others := slices.ContainsFunc(p.row.Tokens, func(t *enginev1.Token) bool {
		return t.N != token.N && p.body(t.Scope).N == scope.N
	})
	if others || scope.Parent != 0 {
		p.entered(el, token, "")
	}
	p.consume(token)
}

// openWaits opens what a token waits for: messages and timers, of its own element
// or of boundary events. It reports false when the token already went on, or
// stopped behind an incident.
func (p *payment) openWaits(f *flow, token *enginev1.Token, elements []int) bool {
	for _, index := range elements {
		el := &f.process.Elements[index]
		w := &enginev1.Wait{N: p.nextN(), Element: uint32(index)}
		switch {
		case el.Timer != nil:
			token.Waits = append(token.Waits, w)
			if err := p.waitUntil(f, token, w); err != nil {
				p.closeWaits(token)
				p.openIncident(token, IncidentExpression, "The timer of "+quote(el.ID)+" cannot be set: "+err.Error()+".")
				return false
			}
		case el.Message != nil:
			name, named := el.Message.Name.Eval(sight{p: p, from: token.Scope})
			key, keyed := el.Message.Key(sight{p: p, from: token.Scope})
			if !named || !keyed {
				p.closeWaits(token)
				p.openIncident(token, IncidentExpression, "The message name or correlation key of "+quote(el.ID)+" did not evaluate to a text or a number.")
				return false
			}
			if len(name)+len(key) > limitNames {
				p.closeWaits(token)
				p.openIncident(token, IncidentExpression, "The message name and correlation key of "+quote(el.ID)+" are longer than 2,000 bytes.")
				return false
			}
			w.Name, w.Key = name, key
			token.Waits = append(token.Waits, w)
			if p.subscribe(f, token, w) {
				return false
			}
		}
	}
	return true
}

// closeWaits closes everything a token still waits for.
func (p *payment) closeWaits(token *enginev1.Token) {
	for _, w := range token.Waits {
		p.closeWait(w)
	}
	token.Waits = nil
}

func (p *payment) closeWait(w *enginev1.Wait) {
	if w.DueMs != 0 {
		p.a.removeTimer(w.DueMs, p.row.Payment, enginev1.TimerKind_TIMER_KIND_WAIT, w.N)
	}
	if w.Name != "" {
		p.a.unsubscribe(p.row.Tenant, p.row.Payment, w)
	}
}

// trigger is what happens when a wait is over: its own element is left, or its
// boundary event takes the token, or takes one beside it.
func (p *payment) trigger(f *flow, token *enginev1.Token, w *enginev1.Wait, vars []*enginev1.Variable) {
	target := int(w.Element)
	el := &f.process.Elements[target]
	switch {
	case target == int(token.Element):
		p.closeWaits(token)
		p.dropIncident(token)
		p.closeLocal(f, token, vars)
		p.leave(f, token)
	case el.AttachedTo < 0: // the event an event-based gateway waited for
		p.closeWaits(token)
		token.Element = w.Element
		p.pass(f, token, vars)
	case el.Interrupting:
		p.interrupt(token)
		token.Element = w.Element
		p.pass(f, token, vars)
	default:
		beside := p.newToken(p.body(token.Scope).N)
		beside.Element = w.Element
		p.repeatWait(token, w, el)
		p.pass(f, beside, vars)
	}
}

// repeatWait keeps a non-interrupting boundary event open: a message's always, a
// cycle's until its repetitions are used up. An overdue cycle fires once and goes
// on from now.
func (p *payment) repeatWait(token *enginev1.Token, w *enginev1.Wait, el *bpmn.Element) {
	if el.Timer == nil {
		return // its subscription is still open
	}
	w.DueMs = 0
	if w.Repetitions > 0 {
		now := p.a.stamp.TimeMS
		if next, err := el.Timer.Schedule(sight{p: p, from: token.Scope}, now); err == nil {
			if w.Repetitions != unlimited {
				w.Repetitions--
			}
			p.rearm(w, max(next.Period.After(now), now+1))
			return
		}
	}
	token.Waits = slices.DeleteFunc(slices.Clone(token.Waits), func(x *enginev1.Wait) bool { return x.N == w.N })
}

// interrupt ends what a token's activity was doing.
func (p *payment) interrupt(token *enginev1.Token) {
	p.closeWaits(token)
	p.cancelJob(token)
	p.dropIncident(token)
	for _, s := range slices.Clone(p.row.Scopes) {
		if s.Token == token.N && !s.Local {
			p.dropScope(s)
		}
	}
	p.dropLocal(token)
}

// call begins the flow that a call activity names, with everything the caller
// sees.
func (p *payment) call(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	id, ok := el.CalledElement.Eval(sight{p: p, from: token.Scope})
	if !ok {
		p.openIncident(token, IncidentExpression, "The called flow of "+quote(el.ID)+" did not evaluate to a text.")
		return
	}
	depth := 0
	for s := p.body(token.Scope); s.Parent != 0; s = p.body(s.Parent) {
		depth++
	}
	called := p.a.flow(p.row.Tenant, id, 0)
	if called == nil || len(called.process.Start) == 0 || depth >= limitDepth {
		p.openIncident(token, IncidentCalledFlow, "The called flow "+quote(id)+" is not deployed, has no none start event, or calls too deep.")
		return
	}
	p.entered(el, token, id)
	scope := &enginev1.Scope{
		N: p.nextN(), Parent: token.Scope, Token: token.N, Flow: id, FlowVersion: called.row.Version,
		Variables: p.visible(token.Scope),
	}
	if !el.PropagateParent {
		scope.Variables = p.scope(token.Scope).Variables
		if !p.scope(token.Scope).Local {
			scope.Variables = nil
		}
	}
	p.row.Scopes = append(p.row.Scopes, scope)
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
	p.closeWaits(token)
	p.closeLocal(f, token, results)
	p.leave(f, token)
}
