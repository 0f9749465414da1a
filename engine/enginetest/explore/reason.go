package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
)

// String is the report as a table shows it: how many end events were reached, those
// that were not with the reason, and where a payment may stand still.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d/%d", r.Flow, r.Reached(), len(r.Ends))
	for _, c := range r.Calls {
		fmt.Fprintf(&b, ", and %d/%d of %s, which it calls", c.Reached, c.Ends, c.Flow)
	}
	b.WriteByte('\n')
	var helped []string
	for _, e := range r.Ends {
		switch {
		case !e.Reached:
			fmt.Fprintf(&b, "  never %s: %s\n", e.label(), e.Why)
		case e.Helped:
			helped = append(helped, e.label())
		}
	}
	if len(helped) > 0 {
		fmt.Fprintf(&b, "  %d only if somebody did what nobody serves: %s\n", len(helped), strings.Join(helped, ", "))
	}
	for _, s := range r.Stands {
		fmt.Fprintf(&b, "  %s %s\n", s.Element, s.Why)
	}
	if r.Bounded {
		b.WriteString("  not every standing was looked at: its tokens multiply\n")
	}
	return b.String()
}

func (e *End) label() string {
	if e.Name == "" || e.Name == e.ID {
		return e.ID
	}
	return e.ID + " (" + strings.Join(strings.Fields(e.Name), " ") + ")"
}

// report says what was reached and why the rest was not.
func (x *explorer) report() *Report {
	r := &Report{Flow: x.Flow, Bounded: len(x.queue) > 0}
	if stand, stands := x.stands[x.Flow]; stands {
		r.Stands = append(r.Stands, stand)
	}
	p := x.model.main
	for i := range p.Elements {
		el := &p.Elements[i]
		if stand, stands := x.stands[el.ID]; stands {
			r.Stands = append(r.Stands, stand)
		}
		if el.Kind != bpmn.KindEnd {
			continue
		}
		end := End{ID: el.ID, Name: el.Name}
		if w := x.ends[el.ID]; w != nil {
			end.Reached, end.Path = true, w.path()
		} else {
			end.Why = x.why(place{p, i})
		}
		r.Ends = append(r.Ends, end)
	}
	for i := range p.Elements {
		for _, at := range x.model.called(&p.Elements[i]) {
			c := Call{Flow: at.process.ID}
			for j := range at.process.Elements {
				el := &at.process.Elements[j]
				if el.Kind != bpmn.KindEnd {
					continue
				}
				c.Ends++
				if x.ends[el.ID] != nil {
					c.Reached++
				}
			}
			r.Calls = append(r.Calls, c)
		}
	}
	return r
}

// why explains an end event that was not reached: nothing leads to it, or it lies
// behind an element that payments come to and do not leave that way.
func (x *explorer) why(end place) string {
	if len(x.queue) > 0 {
		return "the search was stopped before it was found"
	}
	reachable := x.reachable()
	if !reachable[end] {
		var first []string
		for at := range x.behind(end) {
			if el := at.el(); len(x.before(at)) == 0 {
				first = append(first, el.ID)
			}
		}
		return "no sequence flow leads to " + strings.Join(sorted(first), " or ")
	}
	var borders []string
	for at := range x.behind(end) {
		if x.entered[at.el().ID] || !reachable[at] {
			continue
		}
		for _, from := range x.before(at) {
			if x.entered[from.el().ID] {
				borders = append(borders, x.border(from, at))
			}
		}
	}
	if len(borders) == 0 {
		return "no payment came near it"
	}
	return strings.Join(sorted(borders), "; ")
}

// border says why no payment goes from one place to the next.
func (x *explorer) border(from, to place) string {
	el, p := from.el(), from.process
	for _, index := range el.Outgoing {
		if f := &p.Flows[index]; f.Target == to.element && to.process == p {
			switch {
			case f.Condition != nil:
				return "the condition " + strings.TrimSpace(f.Condition.String()) + " of " + f.ID + " never decides at " + el.ID
			case el.Kind == bpmn.KindCall:
				return "the flow " + el.CalledElement.String() + " that " + el.ID + " calls is not deployed or never ends"
			}
		}
	}
	if stand, stands := x.stands[el.ID]; stands {
		return el.ID + " " + stand.Why
	}
	return "no payment goes on from " + el.ID + " to " + to.el().ID
}

// edges are the ways a token can get from a place to another in one step.
func (m *model) edges(at place) []place {
	el := at.el()
	next := m.ahead(at)
	for _, b := range el.Boundary {
		next = append(next, place{at.process, b})
	}
	for _, s := range el.EventSubs {
		next = append(next, place{at.process, s})
	}
	if el.CompensatedBy >= 0 {
		next = append(next, place{at.process, el.CompensatedBy})
	}
	return next
}

// reachable are the places that sequence flows lead to from where payments begin.
func (x *explorer) reachable() map[place]bool {
	p := x.model.main
	pending := starts(p)
	for _, s := range p.EventSubs {
		pending = append(pending, place{p, s})
	}
	found := make(map[place]bool)
	for len(pending) > 0 {
		at := pending[0]
		pending = pending[1:]
		if !found[at] {
			found[at] = true
			pending = append(pending, x.model.edges(at)...)
		}
	}
	return found
}

// before are the places from which one step leads to a place.
func (x *explorer) before(to place) []place {
	var places []place
	for _, p := range x.model.processes {
		for i := range p.Elements {
			if from := (place{p, i}); from != to && slices.Contains(x.model.edges(from), to) {
				places = append(places, from)
			}
		}
	}
	return places
}

// behind are a place and those before it, up to and with those that payments came to.
func (x *explorer) behind(to place) map[place]bool {
	found := make(map[place]bool)
	pending := []place{to}
	for len(pending) > 0 {
		at := pending[0]
		pending = pending[1:]
		if found[at] {
			continue
		}
		found[at] = true
		if !x.entered[at.el().ID] {
			pending = append(pending, x.before(at)...)
		}
	}
	return found
}

// sorted is the list in order, each text once.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
