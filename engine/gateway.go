package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

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
		if value, isBool := condition.EvalBool(p.see(token.Scope)); isBool && value {
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

// enterInclusive splits at once, or waits with others at a join.
func (p *payment) enterInclusive(f *flow, token *enginev1.Token) {
	if f.process.Elements[token.Element].Upstream != nil {
		// Whether another token may still come is seen once all of them stand still.
		token.Joining = true
		return
	}
	p.split(f, token)
}

// split takes every flow whose condition is true, or the default.
func (p *payment) split(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	var chosen []int
	for _, index := range el.Outgoing {
		if index == el.Default {
			continue
		}
		condition := f.process.Flows[index].Condition
		if condition == nil {
			chosen = append(chosen, index)
		} else if value, isBool := condition.EvalBool(p.see(token.Scope)); isBool && value {
			chosen = append(chosen, index)
		}
	}
	if len(chosen) == 0 && el.Default >= 0 {
		chosen = []int{el.Default}
	}
	if len(chosen) == 0 && len(el.Outgoing) > 0 {
		p.openIncident(token, IncidentNoFlow, "No condition of gateway "+quote(el.ID)+" is true, and it has no default flow.")
		return
	}
	for _, index := range chosen {
		p.entered(el, token, f.process.Flows[index].ID)
	}
	p.take(f, token, chosen)
}

// joinInclusive lets one inclusive gateway go on that waits for no other token any
// more. It reports whether there was one. As BPMN has it, a token is waited for that
// has a way to a flow by which none has come, unless it has one too to a flow by
// which one has: then it is further off, in a loop around the gateway, say, and
// would itself wait for this one.
func (p *payment) joinInclusive() bool {
	for _, token := range p.row.Tokens {
		if !token.Joining {
			continue
		}
		f := p.flowOf(p.body(token.Scope))
		el := &f.process.Elements[token.Element]
		if el.Kind != bpmn.KindInclusive {
			continue
		}
		came := make([]bool, len(el.Incoming))
		for _, t := range p.row.Tokens {
			if t.Joining && t.Scope == token.Scope && t.Element == token.Element {
				if i := slices.Index(el.Incoming, int(t.ArrivedBy)-1); i >= 0 {
					came[i] = true
				}
			}
		}
		expected := slices.ContainsFunc(p.row.Tokens, func(t *enginev1.Token) bool {
			// A token with local variables is in a scope of its own within the same body.
			if t.Scope == token.Scope && t.Element == token.Element || p.body(t.Scope).N != token.Scope {
				return false
			}
			toEmpty, toFull := false, false
			for i, from := range el.Upstream {
				toEmpty = toEmpty || from[t.Element] && !came[i]
				toFull = toFull || from[t.Element] && came[i]
			}
			return toEmpty && !toFull
		})
		if expected {
			continue
		}
		// One token of each way in; a second over the same way joins the next time.
		var ways []uint32
		for _, t := range slices.Clone(p.row.Tokens) {
			if t == token || !t.Joining || t.Scope != token.Scope || t.Element != token.Element {
				continue
			}
			if t.ArrivedBy != token.ArrivedBy && !slices.Contains(ways, t.ArrivedBy) {
				ways = append(ways, t.ArrivedBy)
				p.removeToken(t.N)
			}
		}
		token.Joining = false
		if p.a.steps++; p.a.steps > limitSteps {
			p.tooManySteps()
		}
		p.split(f, token)
		return true
	}
	return false
}
