package lint

import (
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// What counts as a failure that is known:
//
// A branch of a gateway says failure if a variable whose name ends in Failed or
// Failure decides for it: with the variable true the branch is taken, with false, and
// all else the same, it is not. That includes a default flow beside "xFailed = false".
//
// A failure is settled, so that what comes after may be called completed, where
// somebody decides anew (a user task, a message) or the work is done anew: one of the
// activities before the gateway runs again, another flow or sub-process has the
// matter, a mapping or script sets the variable, or a branch is taken that is not for
// true.

// isFailure tells whether a variable by its name says that something failed.
func isFailure(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "failed") || strings.HasSuffix(name, "failure")
}

// failing are the variables that say failure on a way out of a gateway.
func (b *branching) failing(k int) []string {
	if !b.known {
		return nil
	}
	if b.failures == nil {
		b.failures = make([][]string, len(b.gateway.Outgoing))
		for k := range b.failures {
			for _, v := range b.variables {
				if isFailure(v) && b.kinds[v] == feel.KindBool && b.caused(k, v) {
					b.failures[k] = append(b.failures[k], v)
				}
			}
		}
	}
	return b.failures[k]
}

// caused tells whether a way out is taken because a variable is true.
func (b *branching) caused(k int, v string) bool {
	// Cases stand in the order of a mixed-radix number whose digits are the samples,
	// so the case that differs in one variable only is a fixed distance away.
	step := 1
	for _, name := range b.variables {
		if name == v {
			break
		}
		step *= len(b.samples[name])
	}
	toFalse := 0
	for i, s := range b.samples[v] {
		if value, ok := s.Bool(); ok && !value {
			toFalse += i * step
		} else if ok {
			toFalse -= i * step
		}
	}
	caused := false
	for i := range b.cases {
		c := &b.cases[i]
		if value, ok := c.values[v].Bool(); !ok || !value || c.missing {
			continue
		}
		switch twin := &b.cases[i+toFalse]; {
		case c.taken[k] && !twin.taken[k]:
			caused = true
		case !c.taken[k] && twin.taken[k]:
			return false
		}
	}
	return caused
}

// judged are the activities whose work a gateway or event judges: the last ones on
// every way that leads there. Waiting for an answer is part of the work before it.
func (l *linter) judged(index int) []int {
	if found, ok := l.before[index]; ok {
		return found
	}
	var found []int
	seen := map[int]bool{index: true}
	open := []int{index}
	visit := func(i int) {
		if seen[i] || !l.spend() {
			return
		}
		seen[i] = true
		switch l.p.Elements[i].Kind {
		case bpmn.KindJob, bpmn.KindCall, bpmn.KindUser, bpmn.KindScript, bpmn.KindSub:
			found = append(found, i)
		default:
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		e := &l.p.Elements[open[len(open)-1]]
		open = open[:len(open)-1]
		for _, f := range e.Incoming {
			visit(l.p.Flows[f].Source)
		}
		if e.AttachedTo >= 0 {
			visit(e.AttachedTo)
		}
	}
	l.before[index] = found
	return found
}

// failures looks for failed payments that look completed.
func (l *linter) failures() {
	reported := map[int]bool{}
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		switch {
		case e.Kind == bpmn.KindExclusive || e.Kind == bpmn.KindInclusive:
			b := l.branching(e)
			for k, f := range e.Outgoing {
				for _, v := range b.failing(k) {
					l.failed(reported, l.p.Flows[f].Target, i, v, "failed-looks-completed", "the branch "+l.p.Flows[f].ID+" ("+v+")")
				}
			}
		case e.Kind == bpmn.KindBoundary && e.Error != nil:
			host := &l.p.Elements[e.AttachedTo]
			code := "doubtful-completed"
			if l.known.Jobs[host.JobType.Static].Money {
				code = "failed-looks-completed"
			}
			l.failed(reported, i, i, "", code, host.ID+" ended with an error ("+e.ID+")")
		case e.Compensate != nil && e.Kind == bpmn.KindThrow:
			l.failed(reported, i, i, "", "failed-looks-completed", "what was done was undone ("+e.ID+")")
		}
	}
}

// failed follows a failure from an element on and reports the ends marked completed
// that are reached before it is settled.
func (l *linter) failed(reported map[int]bool, from, source int, variable, code, after string) {
	again := map[int]bool{}
	for _, i := range l.judged(source) {
		again[i] = true
	}
	undone := l.p.Elements[source].Compensate != nil
	seen := map[int]bool{}
	open := []int{from}
	visit := func(i int) {
		if !seen[i] && l.spend() {
			seen[i] = true
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		e := &l.p.Elements[open[len(open)-1]]
		open = open[:len(open)-1]
		if e.Index != source && (again[e.Index] || l.settles(e, variable) || undone && e.JobType.IsSet()) {
			continue
		}
		// An end inside a sub-process counts too, once it is marked.
		if e.Kind == bpmn.KindEnd && l.result(e) == enginev1.Result_RESULT_COMPLETED && !reported[e.Index] {
			reported[e.Index] = true
			l.report(e.Index, e.ID, code, "this end is marked completed and is reached after %s; lead that way to an end of another result, or let somebody decide", after)
		}
		l.onward(e, func(next, way int) {
			if way >= 0 && variable != "" && !l.takes(e, way, variable) {
				return
			}
			visit(next)
		})
	}
}

// settles tells whether at an element somebody decides anew, or the work is done
// anew.
func (l *linter) settles(e *bpmn.Element, variable string) bool {
	switch e.Kind {
	case bpmn.KindReceive, bpmn.KindUser, bpmn.KindCall, bpmn.KindSub:
		return true
	case bpmn.KindCatch:
		return e.Message != nil || e.Signal != nil
	case bpmn.KindScript:
		if e.Script.ResultVariable == variable {
			return true
		}
	}
	for _, m := range e.Outputs {
		if m.Target[0] == variable {
			return true
		}
	}
	return false
}

// takes tells whether a way out of a gateway can be taken while a variable is true.
func (l *linter) takes(e *bpmn.Element, k int, variable string) bool {
	b := l.branching(e)
	if _, used := b.samples[variable]; !used || !b.known {
		return true
	}
	ways := b.whenTrue[variable]
	if ways == nil {
		ways = make([]bool, len(e.Outgoing))
		for i := range b.cases {
			if value, _ := b.cases[i].values[variable].Bool(); value {
				for k, taken := range b.cases[i].taken {
					ways[k] = ways[k] || taken
				}
			}
		}
		b.whenTrue[variable] = ways
	}
	return ways[k]
}

// onward calls visit with every element a payment may come to next; way is the number
// of the way out if the element is a gateway that chooses, else -1.
func (l *linter) onward(e *bpmn.Element, visit func(next, way int)) {
	for k, f := range e.Outgoing {
		if e.Kind != bpmn.KindExclusive && e.Kind != bpmn.KindInclusive {
			k = -1
		}
		visit(l.p.Flows[f].Target, k)
	}
	for _, b := range e.Boundary {
		visit(b, -1)
	}
	if e.LinkTo >= 0 {
		visit(e.LinkTo, -1)
	}
	if e.Kind == bpmn.KindEnd && e.Parent >= 0 && e.Error == nil {
		for _, f := range l.p.Elements[e.Parent].Outgoing {
			visit(l.p.Flows[f].Target, -1)
		}
	}
}
