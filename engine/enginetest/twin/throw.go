package twin

import (
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// throw does what a throw or an end event throws, and goes on where it may.
func (p *Payment) throw(t *token) {
	el := t.element()
	switch {
	case el.Error != nil:
		p.note("error-thrown", el.ID, "")
		p.throwError(t, text(el.Error.Text, sight{p, t}), nil)
		return
	case el.Escalation != nil:
		code := text(el.Escalation.Text, sight{p, t})
		p.note("escalation-thrown", el.ID, "")
		p.caught("escalation-caught", t, code, func(e *bpmn.Element) *bpmn.Code { return e.Escalation }, nil)
		if !slices.Contains(t.room.tokens, t) {
			return
		}
	case el.Compensate != nil:
		if p.compensate(t, el.Compensate.Activity) {
			return
		}
	}
	p.done(t, nil)
}

func (p *Payment) throwError(t *token, code string, vars map[string]feel.Value) {
	if !p.caught("error-caught", t, code, func(e *bpmn.Element) *bpmn.Code { return e.Error }, vars) {
		p.stuck(t, "uncaught-error")
	}
}

// caught looks for who catches a code, from a token outward: boundary events, then
// event sub-processes, at every level the exact code first. What happens in a
// compensation handler stays there.
func (p *Payment) caught(verb string, t *token, code string, of func(*bpmn.Element) *bpmn.Code, vars map[string]feel.Value) bool {
	for {
		process := t.room.process
		pick := func(events []int) int {
			for _, wanted := range []string{code, ""} {
				for _, i := range events {
					if c := of(&process.Elements[i]); c != nil && c.Static == wanted {
						p.note(verb, process.Elements[i].ID, "")
						return i
					}
				}
			}
			return -1
		}
		if t.room.loop == nil {
			if i := pick(t.element().Boundary); i >= 0 {
				p.boundary(t, i, vars)
				return true
			}
		}
		var starts []int
		for _, i := range t.room.eventSubs() {
			if i != t.element().Index {
				starts = append(starts, process.Elements[i].SubStart)
			}
		}
		if i := pick(starts); i >= 0 {
			p.eventSub(t.room, i, vars)
			return true
		}
		if t.room.around == nil || t.room.undo != nil {
			return false
		}
		t = t.room.around
	}
}

// doneActivity is one that can be undone, or holds some that can.
type doneActivity struct {
	element int
	vars    map[string]feel.Value
	inside  []*doneActivity
}

// undo is the room of handlers: what is left to be undone, the next one last.
type undo struct{ left []*doneActivity }

// own is what only a token's activity sees.
func (t *token) own() map[string]feel.Value {
	own := make(map[string]feel.Value)
	maps.Copy(own, t.given)
	maps.Copy(own, t.locals)
	return own
}

func (r *Room) remember(el *bpmn.Element, own map[string]feel.Value, inside []*doneActivity) {
	if el.CompensatedBy >= 0 || len(inside) > 0 {
		r.done = append(r.done, &doneActivity{element: el.Index, vars: own, inside: inside})
	}
}

// compensate begins the handlers of what was completed beside an event, the last one
// first. It reports whether there are any.
func (p *Payment) compensate(t *token, activity int) bool {
	var undone []*doneActivity
	for r := t.room; ; r = r.around.room {
		var mine []*doneActivity
		r.done = slices.DeleteFunc(r.done, func(d *doneActivity) bool {
			if activity >= 0 && d.element != activity {
				return false
			}
			mine = append(mine, handlers(r.process, d, nil)...)
			return true
		})
		undone = append(mine, undone...)
		if r.sub == nil || r.sub.Kind != bpmn.KindEventSub {
			break
		}
	}
	if len(undone) == 0 {
		return false
	}
	p.note("compensation-started", t.element().ID, "")
	t.inside = &Room{process: t.room.process, around: t, undo: &undo{left: undone}}
	p.nextUndo(t.inside)
	return true
}

// handlers lists what has handlers; an activity's own stands for all inside it.
func handlers(process *bpmn.Process, d *doneActivity, around map[string]feel.Value) []*doneActivity {
	vars := make(map[string]feel.Value)
	maps.Copy(vars, around)
	maps.Copy(vars, d.vars)
	if process.Elements[d.element].CompensatedBy >= 0 {
		return []*doneActivity{{element: d.element, vars: vars}}
	}
	var all []*doneActivity
	for _, inner := range d.inside {
		all = append(all, handlers(process, inner, vars)...)
	}
	return all
}

func (p *Payment) nextUndo(r *Room) {
	if last := len(r.undo.left) - 1; last >= 0 {
		d := r.undo.left[last]
		r.undo.left = r.undo.left[:last]
		handler := r.process.Elements[d.element].CompensatedBy
		p.note("compensating", r.process.Elements[handler].ID, "")
		p.send(&token{room: r, by: -1, given: d.vars}, handler)
		return
	}
	t := r.around
	t.inside = nil
	p.note("compensated", t.element().ID, "")
	p.done(t, nil)
}
