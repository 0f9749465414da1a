package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A wait is a timer, a message or a signal that is waited for: by a token, for its
// own element or for boundary events, or by a scope, for its event sub-processes.

// holder is who waits: exactly one of the two.
type holder struct {
	token *enginev1.Token
	scope *enginev1.Scope
}

// from is the scope whose variables the holder sees.
func (h holder) from() uint32 {
	if h.token != nil {
		return h.token.Scope
	}
	return h.scope.N
}

func (h holder) waits() *[]*enginev1.Wait {
	if h.token != nil {
		return &h.token.Waits
	}
	return &h.scope.Waits
}

// n is the token that waits; 0: a scope does.
func (h holder) n() uint32 {
	if h.token != nil {
		return h.token.N
	}
	return 0
}

// findWait finds an open wait of the payment by its number.
func (p *payment) findWait(n uint32) (holder, *enginev1.Wait) {
	is := func(w *enginev1.Wait) bool { return w.N == n }
	for _, t := range p.row.Tokens {
		if i := slices.IndexFunc(t.Waits, is); i >= 0 {
			return holder{token: t}, t.Waits[i]
		}
	}
	for _, s := range p.row.Scopes {
		if i := slices.IndexFunc(s.Waits, is); i >= 0 {
			return holder{scope: s}, s.Waits[i]
		}
	}
	return holder{}, nil
}

// openWaits opens what a token waits for: messages, timers and signals, of its own
// element or of boundary events. It reports false when the token already went on, or
// stopped behind an incident.
func (p *payment) openWaits(f *flow, token *enginev1.Token, elements []int) bool {
	for _, index := range elements {
		movedOn, trouble := p.openWait(f, holder{token: token}, &f.process.Elements[index])
		if trouble != "" {
			p.closeWaits(token)
			p.openIncident(token, IncidentExpression, trouble)
		}
		if movedOn || trouble != "" {
			return false
		}
	}
	return true
}

// openWait opens the wait of one event, if it has one. It reports whether the holder
// went on at once, and, in a sentence, why the wait cannot be opened.
func (p *payment) openWait(f *flow, h holder, el *bpmn.Element) (movedOn bool, trouble string) {
	open := func() *enginev1.Wait {
		w := &enginev1.Wait{N: p.nextN(), Element: uint32(el.Index)}
		*h.waits() = append(*h.waits(), w)
		return w
	}
	switch {
	case el.Timer != nil:
		if err := p.waitUntil(h, el, open()); err != nil {
			return false, "The timer of " + quote(el.ID) + " cannot be set: " + err.Error() + "."
		}
	case el.Message != nil:
		name, named := el.Message.Name.Eval(p.see(h.from()))
		key, keyed := el.Message.Key(p.see(h.from()))
		if !named || !keyed {
			return false, "The message name or correlation key of " + quote(el.ID) + " did not evaluate to a text or a number."
		}
		if len(name)+len(key) > limitNames {
			return false, "The message name and correlation key of " + quote(el.ID) + " are longer than 2,000 bytes."
		}
		w := open()
		w.Name, w.Key = name, key
		return p.subscribe(f, h, w), ""
	case el.Signal != nil:
		name, named := el.Signal.Name.Eval(p.see(h.from()))
		if !named || len(name) > limitNames {
			return false, "The signal name of " + quote(el.ID) + " did not evaluate to a text of at most 2,000 bytes."
		}
		w := open()
		w.Signal = name
		p.awaitSignal(h, el, w)
	}
	return false, ""
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
	if w.Signal != "" {
		p.a.delete(signalKey(p.row.Tenant, w.Signal, p.row.Payment, w.N))
	}
}

// trigger is what happens when a wait is over: its own element is left, its boundary
// event takes the token or takes one beside it, or its event sub-process begins.
func (p *payment) trigger(f *flow, h holder, w *enginev1.Wait, vars []*enginev1.Variable) {
	el := &f.process.Elements[w.Element]
	if h.scope != nil {
		if !el.Interrupting {
			p.repeatWait(h, w, el)
		}
		p.startEventSub(f, h.scope, el, vars)
		return
	}
	token := h.token
	switch {
	case w.Element == token.Element:
		p.closeWaits(token)
		p.dropIncident(token)
		p.finish(f, token, vars, nil)
	case el.AttachedTo < 0: // the event an event-based gateway waited for
		p.closeWaits(token)
		token.Element = w.Element
		p.pass(f, token, vars)
	default:
		if !el.Interrupting {
			p.repeatWait(h, w, el)
		}
		p.takeBoundary(f, token, el, vars)
	}
}

// takeBoundary sends a token along a boundary event: the activity's own, which ends
// it, or one beside it.
func (p *payment) takeBoundary(f *flow, token *enginev1.Token, el *bpmn.Element, vars []*enginev1.Variable) {
	if el.Interrupting {
		p.interrupt(token)
	} else {
		token = p.newToken(p.body(token.Scope).N)
	}
	token.Element = uint32(el.Index)
	p.pass(f, token, vars)
}

// repeatWait keeps a non-interrupting event open: a message's or a signal's always, a
// cycle's until its repetitions are used up. An overdue cycle fires once and goes on
// from now.
func (p *payment) repeatWait(h holder, w *enginev1.Wait, el *bpmn.Element) {
	if el.Timer == nil {
		return // its subscription is still open
	}
	w.DueMs = 0
	if w.Repetitions > 0 {
		now := p.a.stamp.TimeMS
		if at, err := el.Timer.Schedule(p.see(h.from()), now); err == nil {
			if due, ok := at.Next(now); ok {
				if w.Repetitions != unlimited {
					w.Repetitions--
				}
				p.rearm(w, due)
				return
			}
		}
	}
	*h.waits() = slices.DeleteFunc(slices.Clone(*h.waits()), func(x *enginev1.Wait) bool { return x.N == w.N })
}

// interrupt ends what a token's activity was doing.
func (p *payment) interrupt(token *enginev1.Token) {
	p.closeWaits(token)
	p.cancelJob(token)
	p.cancelUserTask(token)
	p.dropIncident(token)
	p.dropInside(token)
	p.dropLocal(token)
}
