package lint

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// money looks for steps that move money and can be followed by a failed payment
// without anything that gives it back. Such a step has a compensation handler (or the
// sub-process around it has), or else every way from it to a failed end passes a job
// that undoes or settles it, or a person. Ways on which the step itself failed do not
// count, and neither does an end without a result that no failure leads to.
func (l *linter) money() {
	for i := range l.p.Elements {
		e := &l.p.Elements[i]
		job, known := l.known.Jobs[e.JobType.Static]
		if e.JobType.Expr != nil || !known || !job.Money || len(job.Undoes) > 0 || e.Kind != bpmn.KindJob || l.undone(e) {
			continue
		}
		if end := l.unsettled(e); end != nil {
			l.report(i, e.ID, "money-not-undone", "after this step the payment can come to %s and what %s moved stays moved; %s", end.ID, e.JobType.Static, l.remedy(e.JobType.Static))
		}
	}
}

// undone tells whether compensation undoes an activity, or it is itself there to undo.
func (l *linter) undone(e *bpmn.Element) bool {
	for {
		if e.CompensatedBy >= 0 || e.ForCompensation {
			return true
		}
		if e.Parent < 0 {
			return false
		}
		e = &l.p.Elements[e.Parent]
	}
}

// remedy says what could be done about a money step.
func (l *linter) remedy(jobType string) string {
	var undo []string
	for other, job := range l.known.Jobs {
		if slices.Contains(job.Undoes, jobType) {
			undo = append(undo, other)
		}
	}
	if len(undo) == 0 {
		return "give it a compensation handler, or let a person decide"
	}
	slices.Sort(undo)
	return "lead that way through " + strings.Join(undo, " or ") + ", give the step a compensation handler, or let a person decide"
}

// unsettled is an end at which the payment has failed and the money of a step is
// still moved, or nil.
func (l *linter) unsettled(step *bpmn.Element) *bpmn.Element {
	type state struct {
		element int
		failed  int // the gateway or event where a failure became known, or -1
		settled bool
	}
	seen := map[state]bool{}
	var open []state
	visit := func(s state) {
		if !seen[s] && s.element != step.Index && l.spend() {
			seen[s] = true
			open = append(open, s)
		}
	}
	for _, f := range step.Outgoing {
		visit(state{l.p.Flows[f].Target, -1, false})
	}
	for len(open) > 0 {
		s := open[0] // breadth first: the shortest way is the one to report
		open = open[1:]
		e := &l.p.Elements[s.element]
		if e.Kind == bpmn.KindUser || e.Message != nil && l.byHand(e) {
			continue // a person decides
		}
		if job := l.known.Jobs[e.JobType.Static]; slices.Contains(job.Undoes, step.JobType.Static) || slices.Contains(job.Settles, step.JobType.Static) {
			s.settled = true
		}
		if s.failed >= 0 && (e.Kind == bpmn.KindReceive || e.Kind == bpmn.KindCatch && e.Message != nil || slices.Contains(l.judged(s.failed), e.Index)) {
			s.failed = -1
		}
		if finishes(e) {
			if !s.settled && l.failedEnd(e, s.failed >= 0) {
				return e
			}
			continue
		}
		if e.Kind == bpmn.KindSub {
			visit(state{e.SubStart, s.failed, s.settled})
		}
		l.onward(e, func(next, way int) {
			if e.Kind == bpmn.KindSub && l.p.Elements[next].AttachedTo != e.Index {
				return // it goes on from the ends inside
			}
			to := state{next, s.failed, s.settled}
			if event := &l.p.Elements[next]; event.AttachedTo == e.Index && event.Compensate == nil && event.Interrupting && (event.Error != nil || event.Timer != nil) {
				to.failed = next
				if l.settledBy(next, step) {
					to.settled = false
				}
				if event.Error != nil && slices.Contains(l.judged(next), step.Index) {
					return
				}
			}
			if way >= 0 && len(l.branching(e).failing(way)) > 0 {
				if slices.Contains(l.judged(e.Index), step.Index) {
					return // the step itself failed: there is nothing to undo
				}
				if to.failed = e.Index; l.settledBy(e.Index, step) {
					to.settled = false // what should have settled it failed
				}
			}
			visit(to)
		})
	}
	return nil
}

// settledBy tells whether what a gateway or event judges is a job that settles a step.
func (l *linter) settledBy(index int, step *bpmn.Element) bool {
	for _, i := range l.judged(index) {
		job := l.known.Jobs[l.p.Elements[i].JobType.Static]
		if slices.Contains(job.Undoes, step.JobType.Static) || slices.Contains(job.Settles, step.JobType.Static) {
			return true
		}
	}
	return false
}

func (l *linter) byHand(e *bpmn.Element) bool {
	m := l.message(e)
	return m != nil && m.ByHand
}

// failedEnd tells whether the payment has failed at an end: because it is marked so,
// or because it is not marked and a failure leads there.
func (l *linter) failedEnd(e *bpmn.Element, failed bool) bool {
	switch l.result(e) {
	case enginev1.Result_RESULT_COMPLETED:
		return false
	case enginev1.Result_RESULT_UNSPECIFIED, enginev1.Result_RESULT_UNKNOWN:
		return failed
	}
	return e.Compensate == nil
}
