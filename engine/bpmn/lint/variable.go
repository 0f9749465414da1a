package lint

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// variables looks for names that are used and never set.
func (l *linter) variables() {
	l.uses, l.sets = map[string]int{}, map[string]bool{}
	for v := range l.known.Starts {
		l.sets[v] = true
	}
	complete := l.known.Starts != nil
	var names []string
	first := map[string]int{} // where a name is used first
	use := func(index int, x *feel.Expr) {
		if x == nil {
			return
		}
		for _, v := range x.Variables() {
			if l.uses[v]++; l.uses[v] == 1 {
				names, first[v] = append(names, v), index
			}
		}
	}
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		expressions(e, func(x *feel.Expr) { use(i, x) })
		for _, f := range e.Outgoing {
			use(i, l.p.Flows[f].Condition)
		}
		complete = l.set(e) && complete
	}
	if !complete {
		return
	}
	for _, v := range names {
		if !l.sets[v] {
			i := first[v]
			l.report(i, l.p.Elements[i].ID, "variable-never-set", "nobody sets %s: no mapping or script here, no job or message of this flow, and no payment starts with it; mind the spelling", v)
		}
	}
}

// set notes the variables an element sets. It reports false if that is not known.
func (l *linter) set(e *bpmn.Element) bool {
	for _, m := range slices.Concat(e.Inputs, e.Outputs) {
		l.sets[m.Target[0]] = true
	}
	if e.Loop != nil {
		l.sets[e.Loop.InputElement], l.sets[e.Loop.OutputCollection], l.sets["loopCounter"] = true, true, true
	}
	var names []string
	switch {
	case e.Kind == bpmn.KindScript:
		l.sets[e.Script.ResultVariable] = true
		return true
	case e.JobType.IsSet():
		names = l.known.Jobs[e.JobType.Static].Sets
	case e.Message != nil:
		m := l.message(e)
		if m == nil {
			return false
		}
		names = m.Sets
	case e.Signal != nil && e.Kind != bpmn.KindThrow && e.Kind != bpmn.KindEnd, e.Kind == bpmn.KindUser, e.Kind == bpmn.KindCall:
		return false
	default:
		return true
	}
	for _, v := range names {
		l.sets[v] = true
	}
	return names != nil
}

// expressions calls use with every expression of an element.
func expressions(e *bpmn.Element, use func(*feel.Expr)) {
	for _, m := range slices.Concat(e.Inputs, e.Outputs) {
		use(m.Source.Expr)
	}
	use(e.JobType.Expr)
	use(e.Retries.Expr)
	use(e.CalledElement.Expr)
	if e.Message != nil {
		use(e.Message.Name.Expr)
		use(e.Message.CorrelationKey)
	}
	if e.Timer != nil {
		use(e.Timer.Text.Expr)
	}
	if e.Signal != nil {
		use(e.Signal.Name.Expr)
	}
	for _, c := range []*bpmn.Code{e.Error, e.Escalation} {
		if c != nil {
			use(c.Expr)
		}
	}
	if e.Loop != nil {
		use(e.Loop.InputCollection)
		use(e.Loop.OutputElement)
		use(e.Loop.CompletionCondition)
	}
	if e.Script != nil {
		use(e.Script.Expression)
	}
	if e.User != nil {
		for _, t := range []bpmn.Text{e.User.Assignee, e.User.CandidateGroups, e.User.CandidateUsers, e.User.FormKey, e.User.DueDate, e.User.FollowUpDate, e.User.Priority} {
			use(t.Expr)
		}
	}
}

// unquoted looks at a comparison of two names: one that is a plain word, used once and
// set nowhere, is a text whose quotes were forgotten.
func (l *linter) unquoted(f *bpmn.SequenceFlow, pair [2]string) {
	word := pair[1]
	plain := word == strings.ToLower(word) || word == strings.ToUpper(word)
	if plain && l.uses[word] <= 1 && !l.sets[word] && l.uses[pair[0]] > 1 {
		l.report(f.Source, f.ID, "unquoted-text", "=%s compares with a variable %s that nobody sets; a text has quotes: %q", f.Condition, word, word)
	}
}
