package lint

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
)

func (l *linter) gateways() {
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		if e.Kind == bpmn.KindExclusive || e.Kind == bpmn.KindInclusive {
			l.gateway(e)
		}
	}
}

func (l *linter) gateway(e *bpmn.Element) {
	b := l.branching(e)
	for k, i := range e.Outgoing {
		l.branch(b, k, &l.p.Flows[i])
	}
	if e.Default >= 0 || len(e.Outgoing) == 0 || b.unconditional() {
		return
	}
	// Whoever has a variable of the right kind must get out; of a missing one only
	// the author knows, and most numbers are counts.
	if b.known {
		for i := range b.cases {
			if c := &b.cases[i]; c.none && !c.missing && !c.odd {
				l.report(e.Index, e.ID, "gateway-gap",
					"with %s no branch is taken, and the payment stops with an incident; add a default flow", b.words(c))
				return
			}
		}
	}
	l.report(e.Index, e.ID, "no-default-flow", "if no condition holds, as when a variable is missing, the payment stops here with an incident")
}

func (b *branching) unconditional() bool {
	for _, c := range b.conditions {
		if c == nil {
			return true
		}
	}
	return false
}

// branch judges one way out of a gateway.
func (l *linter) branch(b *branching, k int, f *bpmn.SequenceFlow) {
	c := b.conditions[k]
	if c == nil {
		return
	}
	source := f.Source
	if c.constant && !c.outcome {
		l.report(source, f.ID, "condition-never-true", "=%s is always the same, and not true", f.Condition)
		return
	}
	for _, pair := range c.texts {
		l.unquoted(f, pair)
	}
	if !b.known {
		l.alone(f)
		return
	}
	holds, set, any := false, false, false
	for i := range b.cases {
		holds = holds || b.cases[i].holds[k]
		any = any || b.cases[i].taken[k]
		set = set || b.cases[i].taken[k] && !b.cases[i].missing
	}
	switch {
	case !holds:
		l.report(source, f.ID, "condition-never-true", "no values make =%s true, so that this branch is never taken", f.Condition)
	case !any:
		l.report(source, f.ID, "branch-never-taken", "the branches before it hold whenever =%s does, so that this one is never taken; put the narrower condition first", f.Condition)
	case !set:
		l.report(source, f.ID, "branch-never-taken", "this branch is taken only when a variable is missing (%s): the branches before it hold for all values; put the narrower condition first", strings.Join(b.variables, ", "))
	}
}

// alone judges a condition by itself, at a gateway that cannot be judged as a whole.
func (l *linter) alone(f *bpmn.SequenceFlow) {
	single := &linter{p: &bpmn.Process{Flows: l.p.Flows, Elements: l.p.Elements}, branchings: map[int]*branching{}, evaluations: l.evaluations}
	e := bpmn.Element{Kind: bpmn.KindExclusive, Outgoing: []int{f.Index}, Default: -1}
	b := single.branching(&e)
	l.evaluations = single.evaluations
	if b.known && !slices.ContainsFunc(b.cases, func(c choice) bool { return c.taken[0] }) {
		l.report(f.Source, f.ID, "condition-never-true", "no values make =%s true, so that this branch is never taken", f.Condition)
	}
}
