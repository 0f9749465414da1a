package lint

import (
	"fmt"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Flow looks for what runs but is likely not meant. Problems come in the order of the
// elements. What bpmn.Parse warns of is not repeated.
func Flow(p *bpmn.Process, known Known) []bpmn.Problem {
	l := &linter{p: p, known: known, branchings: map[int]*branching{}, before: map[int][]int{}, evaluations: maxEvaluations}
	for _, rules := range []func(){l.structure, l.jobs, l.variables, l.gateways, l.waits, l.boundaries, l.failures, l.money} {
		l.work = maxWork
		rules()
	}
	slices.SortStableFunc(l.problems, func(a, b at) int { return a.index - b.index })
	problems := make([]bpmn.Problem, len(l.problems))
	for i := range l.problems {
		problems[i] = l.problems[i].problem
	}
	return problems
}

// Limits of one look: problems of one rule, and steps of one group of rules.
const (
	maxPerRule = 100
	maxWork    = 400_000
)

type linter struct {
	p          *bpmn.Process
	known      Known
	branchings map[int]*branching
	before     map[int][]int  // see judged
	uses       map[string]int // how often a name is used
	sets       map[string]bool
	problems   []at
	counts     map[string]int
	work       int // left for the rules that look now

	evaluations int // left for trying gateways
}

type at struct {
	index   int // of the element it is about, or that a flow leaves
	problem bpmn.Problem
}

// report adds a problem of an element; a sequence flow's are under its source.
func (l *linter) report(index int, id, code, format string, args ...any) {
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	if l.counts[code]++; l.counts[code] <= maxPerRule {
		l.problems = append(l.problems, at{index, bpmn.Problem{
			Severity: severities[code], Element: id, Code: code, Text: fmt.Sprintf(format, args...),
		}})
	}
}

// spend takes from the work some rules may do. A flow too large for them is not judged
// to the end.
func (l *linter) spend() bool {
	l.work--
	return l.work > 0
}

// result is what an end event stands for: as the sidecar says, else as it is marked.
func (l *linter) result(e *bpmn.Element) enginev1.Result {
	if r, ok := l.known.Ends[e.ID]; ok {
		return r
	}
	return e.Result
}

// finishes tells whether an end event ends the payment with its result.
func finishes(e *bpmn.Element) bool {
	return e.Kind == bpmn.KindEnd && e.Parent < 0 && e.Error == nil
}

// Unmarked are the end events that end the payment and say nothing of its result.
func Unmarked(p *bpmn.Process, known Known) (ends []*bpmn.Element) {
	l := &linter{p: p, known: known}
	for i := range p.Elements {
		if e := &p.Elements[i]; finishes(e) && l.result(e) == enginev1.Result_RESULT_UNSPECIFIED {
			ends = append(ends, e)
		}
	}
	return ends
}

func (l *linter) structure() {
	reached := l.reachable()
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		if !reached[i] {
			if e.ForCompensation {
				l.report(i, e.ID, "unreachable", "no compensation event leads to this handler; draw an association from a compensation boundary event to it")
			} else if e.Parent < 0 || reached[e.Parent] {
				l.report(i, e.ID, "unreachable", "no start event leads to this %s; connect it or delete it", e.Kind)
			}
		}
		if finishes(e) && l.result(e) == enginev1.Result_RESULT_UNSPECIFIED {
			l.report(i, e.ID, "no-result", "this end event does not say what became of the payment, which is reported as unknown; set railhead:result, or name the end in a sidecar")
		}
		if e.Parent < 0 && len(e.Outgoing) == 0 && mustLeadOn(e) {
			l.report(i, e.ID, "no-way-out", "nothing follows this %s, so that a payment which comes here ends without a result; lead it to an end event", e.Kind)
		}
	}
}

// mustLeadOn tells whether a payment that leaves the element by no flow ends there
// unsaid.
func mustLeadOn(e *bpmn.Element) bool {
	switch e.Kind {
	case bpmn.KindEnd, bpmn.KindLinkThrow, bpmn.KindEventSub:
		return false
	}
	return !e.ForCompensation && !(e.Kind == bpmn.KindBoundary && e.Compensate != nil)
}

// reachable marks the elements some start event leads to.
func (l *linter) reachable() []bool {
	reached := make([]bool, len(l.p.Elements))
	var open []int
	visit := func(i int) {
		if i >= 0 && !reached[i] {
			reached[i] = true
			open = append(open, i)
		}
	}
	for i := range l.p.Elements {
		if e := &l.p.Elements[i]; e.Kind == bpmn.KindStart && e.Parent < 0 {
			visit(i)
		}
	}
	for _, i := range l.p.EventSubs {
		visit(i)
	}
	for len(open) > 0 {
		e := &l.p.Elements[open[len(open)-1]]
		open = open[:len(open)-1]
		for _, i := range e.Outgoing {
			visit(l.p.Flows[i].Target)
		}
		for _, i := range e.Boundary {
			visit(i)
		}
		for _, i := range e.EventSubs {
			visit(i)
		}
		visit(e.LinkTo)
		visit(e.CompensatedBy)
		visit(e.SubStart)
	}
	return reached
}

func (l *linter) jobs() {
	if l.known.Jobs == nil {
		return
	}
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		if !e.JobType.IsSet() || e.JobType.Expr != nil {
			continue
		}
		if _, served := l.known.Jobs[e.JobType.Static]; !served {
			l.report(i, e.ID, "unserved-job-type", "no connector serves the job type %s, so that a payment which comes here stops; activate one that does, or mend the type", e.JobType.Static)
		}
	}
}
