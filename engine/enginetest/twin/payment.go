package twin

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Payment runs one flow.
type Payment struct {
	Root *Room
	// Open is what waits for something outside, oldest first.
	Open []*Wait
	// Trace is what happened since somebody looked: a verb, the element, a detail.
	Trace []string
	Ended bool
	// Result and Code are those of the end.
	Result enginev1.Result
	Code   string

	flows map[string]*bpmn.Process
	nowMS int64
	todo  []*token
}

// Room is where tokens live: a flow, or one called by it.
type Room struct {
	Vars map[string]feel.Value

	process *bpmn.Process
	around  *token // the activity this is the inside of; nil: none
	tokens  []*token
}

type token struct {
	room   *Room
	at     int
	by     int                   // the flow it came by, or -1
	joins  bool                  // stands before a parallel gateway
	locals map[string]feel.Value // of an activity with mappings; else nil
	inside *Room                 // of a call
}

// Wait is something open: a job, or an event that a token waits for.
type Wait struct {
	Kind    string // job, message, timer
	Element string
	Name    string // of a message
	DueMS   int64  // of a timer

	repeat int64 // firings of a cycle after the next one
	period feel.Period
	token  *token
	event  int // the element that happens
}

// Start begins a payment of a flow.
func Start(flows map[string]*bpmn.Process, flow string, vars map[string]feel.Value, nowMS int64) *Payment {
	p := &Payment{flows: flows, nowMS: nowMS}
	p.Root = &Room{Vars: vars, process: flows[flow]}
	p.begin(p.Root)
	p.run()
	return p
}

func (p *Payment) begin(r *Room) {
	t := &token{room: r, by: -1, at: r.process.Start[0]}
	r.tokens = append(r.tokens, t)
	p.todo = append(p.todo, t)
}

func (p *Payment) note(verb, element, detail string) {
	p.Trace = append(p.Trace, verb+" "+element+" "+detail)
}

// Complete finishes a job.
func (p *Payment) Complete(w *Wait, vars map[string]feel.Value) {
	t := w.token
	p.close(t)
	p.done(t, vars)
	p.run()
}

// Message is taken by whoever has waited longest for it.
func (p *Payment) Message(name string, vars map[string]feel.Value) {
	i := slices.IndexFunc(p.Open, func(w *Wait) bool { return w.Kind == "message" && w.Name == name })
	p.happen(p.Open[i], vars)
	p.run()
}

// Time passes, and what is due happens in order.
func (p *Payment) Time(nowMS int64) {
	p.nowMS = nowMS
	var due []*Wait
	for _, w := range p.Open {
		if w.Kind == "timer" && w.DueMS <= nowMS {
			due = append(due, w)
		}
	}
	slices.SortStableFunc(due, func(a, b *Wait) int { return int(a.DueMS - b.DueMS) })
	for _, w := range due {
		if slices.Contains(p.Open, w) {
			p.happen(w, nil)
			p.run()
		}
	}
}

// happen is what an event does to the token that waits for it.
func (p *Payment) happen(w *Wait, vars map[string]feel.Value) {
	t := w.token
	el := &t.room.process.Elements[w.event]
	switch {
	case w.event == t.at: // its own
		p.close(t)
		p.done(t, vars)
	case el.AttachedTo < 0: // behind an event-based gateway
		p.close(t)
		t.at = w.event
		p.locals(t)
		p.done(t, vars)
	default:
		side := t
		if el.Interrupting {
			p.stop(t)
		} else {
			side = &token{room: t.room, by: -1}
			t.room.tokens = append(t.room.tokens, side)
			if w.Kind == "timer" {
				p.Open = slices.DeleteFunc(p.Open, func(o *Wait) bool { return o == w })
				if w.repeat > 0 {
					p.Open = append(p.Open, w)
					w.DueMS = w.period.After(p.nowMS)
					w.repeat--
				}
			}
		}
		side.at = w.event
		p.locals(side)
		p.done(side, vars)
	}
}

// close forgets what a token waits for.
func (p *Payment) close(t *token) {
	p.Open = slices.DeleteFunc(p.Open, func(w *Wait) bool { return w.token == t })
}

// stop ends what a token is doing.
func (p *Payment) stop(t *token) {
	for _, w := range p.Open {
		if w.token == t && w.Kind == "job" {
			p.note("job-cancelled", w.Element, "")
		}
	}
	p.close(t)
	if t.inside != nil {
		for _, inner := range slices.Clone(t.inside.tokens) {
			p.remove(inner)
		}
		t.inside = nil
	}
	t.locals = nil
}

// remove stops a token and takes it away.
func (p *Payment) remove(t *token) {
	p.stop(t)
	t.room.tokens = slices.DeleteFunc(t.room.tokens, func(o *token) bool { return o == t })
	p.todo = slices.DeleteFunc(p.todo, func(o *token) bool { return o == t })
}
