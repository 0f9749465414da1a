package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Throw and end events: what they throw, who catches it, and what an end says about
// the payment.

// throwEvent does what an intermediate throw event says.
func (p *payment) throwEvent(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.openLocal(f, token)
	p.entered(el, token, "")
	if p.throws(f, token, el) {
		p.finish(f, token, nil, nil)
	}
}

// endEvent ends a token after throwing what the event says.
func (p *payment) endEvent(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.openLocal(f, token)
	if el.JobType.IsSet() { // a message, which a connector sends
		p.createJob(f, token)
		return
	}
	if p.throws(f, token, el) {
		p.finish(f, token, nil, nil)
	}
}

// throws carries out an event's throw. It reports false when the token is gone or
// waits.
func (p *payment) throws(f *flow, token *enginev1.Token, el *bpmn.Element) bool {
	switch {
	case el.Error != nil:
		p.throwError(f, token, el)
		return false
	case el.Escalation != nil:
		return p.throwEscalation(f, token, el)
	case el.Signal != nil:
		return p.throwSignal(token, el)
	case el.Compensate != nil:
		return !p.compensate(f, token, el)
	}
	return true
}

// endToken ends a token at an end event; at the payment's own level the event says what
// became of it.
func (p *payment) endToken(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	scope := p.body(token.Scope)
	if result, code := f.endResult(el); p.decides(f, scope, result) && outweighs(result, p.row.Result) {
		p.row.Result, p.row.Code, p.row.EndElement = result, code, el.ID
	}
	if el.Terminate {
		p.dropTokens(scope, token.N)
	}
	others := slices.ContainsFunc(p.row.Tokens, func(t *enginev1.Token) bool {
		return t.N != token.N && p.body(t.Scope).N == scope.N
	})
	if others || scope.Parent != 0 {
		p.entered(el, token, "")
	}
	p.consume(token)
}

// outweighs tells whether a payment that has reached an end before takes the result
// of this one: a good end does not hide a bad one, nor an unknown one anything but a
// good one.
func outweighs(result, before enginev1.Result) bool {
	switch before {
	case enginev1.Result_RESULT_UNSPECIFIED, enginev1.Result_RESULT_COMPLETED:
		return true
	case enginev1.Result_RESULT_UNKNOWN:
		return result != enginev1.Result_RESULT_COMPLETED && result != enginev1.Result_RESULT_UNKNOWN
	}
	return false
}

// decides tells whether an end event in a scope says what became of the payment: one
// of the payment's own flow, or of an event sub-process of it. Inside an embedded
// sub-process only a marked end does: it is a step on the way for those that are not.
func (p *payment) decides(f *flow, scope *enginev1.Scope, result enginev1.Result) bool {
	for ; scope.Parent != 0; scope = p.body(scope.Parent) {
		if scope.Flow != "" || scope.Compensation {
			return false
		}
		if scope.Loop == nil && f.process.Elements[scope.Element-1].Kind == bpmn.KindSub && result == enginev1.Result_RESULT_UNKNOWN {
			return false
		}
	}
	return true
}

// catcher is the event that catches an error or an escalation: a boundary event of
// the activity on which token stands, or the start of an event sub-process of scope.
type catcher struct {
	holder
	flow  *flow
	event *bpmn.Element
}

// catch finds who catches a code, from the throwing token outward, across called
// flows. At each level the exact code comes before an event that takes any. of says
// which of an element's events is meant. What happens in a compensation handler is
// not caught outside it: the handler has to be done.
func (p *payment) catch(f *flow, token *enginev1.Token, code string, of func(*bpmn.Element) *bpmn.Code) (catcher, bool) {
	for {
		el := &f.process.Elements[token.Element]
		if i := match(f, p.boundary(el, token), code, of); i >= 0 {
			return catcher{holder{token: token}, f, &f.process.Elements[i]}, true
		}
		scope := p.body(token.Scope)
		var starts []int
		for _, i := range f.eventSubs(scope) {
			// What an event sub-process throws is not for itself to catch.
			if i != int(token.Element) {
				starts = append(starts, f.process.Elements[i].SubStart)
			}
		}
		if i := match(f, starts, code, of); i >= 0 {
			return catcher{holder{scope: scope}, f, &f.process.Elements[i]}, true
		}
		if scope.Parent == 0 || scope.Compensation {
			return catcher{}, false
		}
		token = p.mustToken(scope.Token)
		f = p.flowOf(p.body(token.Scope))
	}
}

// match picks the event for a code: exactly its own, else the first that takes any.
func match(f *flow, events []int, code string, of func(*bpmn.Element) *bpmn.Code) int {
	takesAny := -1
	for _, i := range events {
		switch c := of(&f.process.Elements[i]); {
		case c == nil:
		case c.Static == code && code != "":
			return i
		case !c.IsSet() && takesAny < 0:
			takesAny = i
		}
	}
	return takesAny
}

func errorOf(el *bpmn.Element) *bpmn.Code      { return el.Error }
func escalationOf(el *bpmn.Element) *bpmn.Code { return el.Escalation }

// caught lets the catching event go its way with the variables of what was thrown.
func (p *payment) caught(c catcher, kind enginev1.EventKind, code string, vars []*enginev1.Variable) {
	p.tell(&enginev1.Event{
		Kind: kind, Element: c.event.ID, Name: c.event.Name, Token: c.n(), Code: code, Variables: vars,
	})
	if c.scope != nil {
		p.startEventSub(c.flow, c.scope, c.event, vars)
	} else {
		p.takeBoundary(c.flow, c.token, c.event, vars)
	}
}

// throwError throws an end event's error. One that nobody catches stops the token.
func (p *payment) throwError(f *flow, token *enginev1.Token, el *bpmn.Element) {
	code, ok := el.Error.Eval(p.see(token.Scope))
	if !ok || len(code) > limitNames {
		p.openIncident(token, IncidentExpression, "The error code of "+quote(el.ID)+" did not evaluate to a text of at most 2,000 bytes.")
		return
	}
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ERROR_THROWN, Element: el.ID, Name: el.Name, Token: token.N, Code: code,
	})
	c, found := p.catch(f, token, code, errorOf)
	if !found {
		p.openIncident(token, IncidentUncaughtError, "The error "+quote(code)+" is caught by no event.")
		return
	}
	p.dropLocal(token)
	p.caught(c, enginev1.EventKind_EVENT_KIND_ERROR_CAUGHT, code, nil)
}

// throwEscalation throws an escalation; nobody need catch it. It reports whether the
// throwing token goes on.
func (p *payment) throwEscalation(f *flow, token *enginev1.Token, el *bpmn.Element) bool {
	code, ok := el.Escalation.Eval(p.see(token.Scope))
	if !ok || len(code) > limitNames {
		p.openIncident(token, IncidentExpression, "The escalation code of "+quote(el.ID)+" did not evaluate to a text of at most 2,000 bytes.")
		return false
	}
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ESCALATION_THROWN, Element: el.ID, Name: el.Name, Token: token.N, Code: code,
	})
	if c, found := p.catch(f, token, code, escalationOf); found {
		p.caught(c, enginev1.EventKind_EVENT_KIND_ESCALATION_CAUGHT, code, nil)
	}
	return p.token(token.N) != nil
}
