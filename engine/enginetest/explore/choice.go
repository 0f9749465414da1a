package explore

import (
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// demand is that a condition holds, or does not.
type demand struct {
	condition *feel.Expr
	holds     bool
}

// route is one way through the elements between an answer and the next: what the
// conditions on it must be, and the mappings it passes.
type route struct {
	demands []demand
	maps    []*use
}

// The bounds of one answer's possibilities.
const (
	maxRoutes  = 400
	maxWays    = 6 // of an inclusive gateway, taken in every combination
	maxPending = 50
)

// routes finds every way the tokens can take from the places an answer sends them to
// until each waits for the next answer. What comes after a timer counts as well,
// since no answer comes with it.
func (m *model) routes(from []choice) []route {
	w := &walker{model: m}
	for _, c := range from {
		w.walk(c.to, route{demands: c.demands}, nil)
	}
	return w.found
}

type walker struct {
	model *model
	found []route
}

// walk takes the pending places one by one; passed are those already behind.
func (w *walker) walk(pending []place, so route, passed []place) {
	for len(pending) > 0 && (slices.Contains(passed, pending[0]) || len(pending) > maxPending) {
		pending = pending[1:]
	}
	if len(w.found) >= maxRoutes {
		return
	}
	if len(pending) == 0 {
		w.found = append(w.found, so)
		return
	}
	at, rest := pending[0], pending[1:]
	passed = append(slices.Clip(passed), at)
	if u := w.model.uses[at.el()]; len(u.maps) > 0 {
		so.maps = append(slices.Clip(so.maps), u)
	}
	for _, c := range w.model.choices(at) {
		next := so
		next.demands = append(slices.Clip(so.demands), c.demands...)
		w.walk(slices.Concat(c.to, rest), next, passed)
	}
}

// choice is one way on from a place, or several at once.
type choice struct {
	demands []demand
	to      []place
}

func (m *model) choices(at place) []choice {
	el := at.el()
	timers := m.timers(at)
	switch {
	case answered(el):
		return []choice{{to: timers}}
	case el.Kind == bpmn.KindEventBased:
		for _, next := range m.ahead(at) {
			if !answered(next.el()) {
				timers = append(timers, next)
			}
		}
		return []choice{{to: timers}}
	case el.Kind == bpmn.KindExclusive:
		return m.exclusive(at)
	case el.Kind == bpmn.KindInclusive && len(el.Outgoing) <= maxWays:
		return m.inclusive(at)
	}
	return m.finished(at, choice{to: append(timers, m.ahead(at)...)})
}

// timers are the ways on when time passes while a token waits at a place.
func (m *model) timers(at place) []place {
	var next []place
	for _, event := range m.around(at, func(el *bpmn.Element) bool { return el.Timer != nil }) {
		next = append(next, m.ahead(event)...)
	}
	return next
}

// after are the ways on when the answer to a place has come.
func (m *model) after(at place) []choice {
	return m.finished(at, choice{to: append(m.timers(at), m.along(at)...)})
}

// finished asks the completion condition of a multi-instance activity both ways.
func (m *model) finished(at place, c choice) []choice {
	for index := at.element; index >= 0; index = at.process.Elements[index].Parent {
		el := &at.process.Elements[index]
		if el.Loop != nil && el.Loop.CompletionCondition != nil {
			yes, no := c, c
			yes.demands = append(slices.Clip(c.demands), demand{el.Loop.CompletionCondition, true})
			no.demands = append(slices.Clip(c.demands), demand{el.Loop.CompletionCondition, false})
			return []choice{yes, no}
		}
	}
	return []choice{c}
}

// exclusive is one choice for each way out, taken when its condition is the first
// that holds, and one for none.
func (m *model) exclusive(at place) []choice {
	var choices []choice
	var none []demand
	el, p := at.el(), at.process
	for _, index := range el.Outgoing {
		if f := &p.Flows[index]; index != el.Default && f.Condition != nil {
			choices = append(choices, choice{
				demands: append(slices.Clip(none), demand{f.Condition, true}), to: []place{{p, f.Target}},
			})
			none = append(none, demand{f.Condition, false})
		} else if index != el.Default {
			return append(choices, choice{demands: none, to: []place{{p, f.Target}}})
		}
	}
	last := choice{demands: none}
	if el.Default >= 0 {
		last.to = []place{{p, p.Flows[el.Default].Target}}
	}
	return append(choices, last)
}

// inclusive is one choice for every set of ways out.
func (m *model) inclusive(at place) []choice {
	el, p := at.el(), at.process
	choices := []choice{{}}
	for _, index := range el.Outgoing {
		f := &p.Flows[index]
		var more []choice
		for _, c := range choices {
			taken := choice{demands: c.demands, to: append(slices.Clip(c.to), place{p, f.Target})}
			if index == el.Default || f.Condition == nil {
				if index != el.Default || len(c.to) == 0 {
					c = taken
				}
				more = append(more, c)
				continue
			}
			taken.demands = append(slices.Clip(c.demands), demand{f.Condition, true})
			c.demands = append(slices.Clip(c.demands), demand{f.Condition, false})
			more = append(more, taken, c)
		}
		choices = more
	}
	return choices
}

// answersAt are the answers worth trying for an element that waits; callers are the
// call activities it lies inside of.
func (m *model) answersAt(at place, callers []place) []answer {
	key := at
	if found, known := m.answers[key]; known && len(callers) == 0 {
		return found
	}
	choices := m.after(at)
	for _, caller := range callers {
		// Whatever ends the called flow lets the caller go on.
		for i := range choices {
			choices[i].to = append(slices.Clip(choices[i].to), m.along(caller)...)
			choices[i].to = append(choices[i].to, m.timers(caller)...)
		}
	}
	found := m.answersAfter(choices, m.uses[at.el()])
	if len(callers) == 0 {
		m.answers[key] = found
	}
	return found
}

// answersAfter are the answers that lead along every route from the choices; own are
// the mappings of the element that is answered.
func (m *model) answersAfter(choices []choice, own *use) []answer {
	routes := m.routes(choices)
	if own != nil && len(own.maps) > 0 {
		for i := range routes {
			routes[i].maps = append(slices.Clip(routes[i].maps), own)
		}
	}
	return answers(routes)
}

// firstAnswers are the variables a payment may start with at a place: besides what
// the first conditions read, everything the flow needs to work at all.
func (m *model) firstAnswers(at place) []answer {
	found := m.answersAfter([]choice{{to: m.ahead(at)}}, m.uses[at.el()])
	needed := m.needed()
	for i, a := range found {
		whole := answer{}
		maps.Copy(whole, needed)
		maps.Copy(whole, a)
		found[i] = whole
	}
	return found
}
