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
	// Stuck: a person would have to look. The twin does not go on from here.
	Stuck bool
	// Endless: the last step goes round without ever waiting.
	Endless bool
	// Result and Code are those of the end.
	Result enginev1.Result
	Code   string

	flows map[string]*bpmn.Process
	nowMS int64
	todo  []*token
}

// Room is where tokens live: a flow, the inside of a sub-process, the rounds of a
// loop, or the handlers of a compensation.
type Room struct {
	Vars map[string]feel.Value // of a flow; others have none of their own

	process     *bpmn.Process
	around      *token        // the activity or event this is the inside of; nil: none
	sub         *bpmn.Element // of the inside of a sub-process
	loop        *loop
	undo        *undo
	tokens      []*token
	interrupted bool // by an event sub-process
	done        []*doneActivity
}

type token struct {
	room   *Room
	at     int
	by     int                   // the flow it came by, or -1
	joins  bool                  // stands before a gateway that waits for others
	given  map[string]feel.Value // to a round of a loop, or to a handler
	locals map[string]feel.Value // of an activity with mappings; else nil
	inside *Room
}

// Wait is something open: a job or user task, or an event that a token, or a room
// for its event sub-processes, waits for.
type Wait struct {
	Kind    string // job, user, message, timer, signal
	Element string
	Name    string // of a message or a signal
	DueMS   int64  // of a timer

	repeat int64 // firings of a cycle after the next one
	period feel.Period
	token  *token
	room   *Room
	event  int // the element that happens
}

// Start begins a payment of a flow.
func Start(flows map[string]*bpmn.Process, flow string, vars map[string]feel.Value, nowMS int64) *Payment {
	p := &Payment{flows: flows, nowMS: nowMS}
	p.Root = &Room{Vars: vars, process: flows[flow]}
	p.send(&token{room: p.Root, by: -1}, p.Root.process.Start[0])
	p.run()
	return p
}

// send puts a token into its room, if it is new there, and on its way to an element.
func (p *Payment) send(t *token, at int) {
	if !slices.Contains(t.room.tokens, t) {
		t.room.tokens = append(t.room.tokens, t)
	}
	t.at = at
	p.todo = append(p.todo, t)
}

func (p *Payment) note(verb, element, detail string) {
	p.Trace = append(p.Trace, verb+" "+element+" "+detail)
}

// stuck stops at something only a person can mend.
func (p *Payment) stuck(t *token, code string) {
	p.Stuck = true
	p.note("incident-opened", t.element().ID, code)
}

func (t *token) element() *bpmn.Element { return &t.room.process.Elements[t.at] }

// Complete finishes a job or a user task.
func (p *Payment) Complete(w *Wait, vars map[string]feel.Value) {
	p.done(w.token, vars)
	p.run()
}

// Fail ends a job with an error that the flow may catch.
func (p *Payment) Fail(w *Wait, code string, vars map[string]feel.Value) {
	p.Open = slices.DeleteFunc(p.Open, func(o *Wait) bool { return o == w })
	p.throwError(w.token, code, vars)
	p.run()
}

// Message is taken by whoever has waited longest for it.
func (p *Payment) Message(name string, vars map[string]feel.Value) {
	i := slices.IndexFunc(p.Open, func(w *Wait) bool { return w.Kind == "message" && w.Name == name })
	p.happen(p.Open[i], vars)
	p.run()
}

// Signal comes to all who wait for it now.
func (p *Payment) Signal(name string, vars map[string]feel.Value) {
	p.each(func(w *Wait) bool { return w.Kind == "signal" && w.Name == name }, vars)
}

// Time passes, and what is due happens in order.
func (p *Payment) Time(nowMS int64) {
	p.nowMS = nowMS
	p.each(func(w *Wait) bool { return w.Kind == "timer" && w.DueMS <= nowMS }, nil)
}

func (p *Payment) each(is func(*Wait) bool, vars map[string]feel.Value) {
	var all []*Wait
	for _, w := range p.Open {
		if is(w) {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, b *Wait) int { return int(a.DueMS - b.DueMS) })
	for _, w := range all {
		if slices.Contains(p.Open, w) {
			p.happen(w, vars)
			p.run()
		}
	}
}

// happen is what an event does to the token or the room that waits for it.
func (p *Payment) happen(w *Wait, vars map[string]feel.Value) {
	t := w.token
	switch {
	case w.room != nil:
		p.again(w, &w.room.process.Elements[w.event])
		p.eventSub(w.room, w.event, vars)
	case w.event == t.at: // its own
		p.done(t, vars)
	case t.room.process.Elements[w.event].AttachedTo < 0: // behind an event-based gateway
		p.close(t)
		t.at = w.event
		p.locals(t)
		p.done(t, vars)
	default:
		p.again(w, &t.room.process.Elements[w.event])
		p.boundary(t, w.event, vars)
	}
}

// again keeps an event open that does not interrupt: a timer while its cycle lasts.
func (p *Payment) again(w *Wait, el *bpmn.Element) {
	if el.Interrupting || w.Kind != "timer" {
		return
	}
	p.Open = slices.DeleteFunc(p.Open, func(o *Wait) bool { return o == w })
	if w.repeat > 0 {
		p.Open = append(p.Open, w)
		w.DueMS = w.period.After(p.nowMS)
		w.repeat--
	}
}

// boundary sends a token along a boundary event: the activity's own, which ends it,
// or one beside it.
func (p *Payment) boundary(t *token, event int, vars map[string]feel.Value) {
	if t.room.process.Elements[event].Interrupting {
		p.stop(t)
	} else {
		t = &token{room: t.room, by: -1}
		t.room.tokens = append(t.room.tokens, t)
	}
	t.at = event
	p.locals(t)
	p.done(t, vars)
}

// close forgets what a token waits for.
func (p *Payment) close(t *token) {
	p.Open = slices.DeleteFunc(p.Open, func(w *Wait) bool { return w.token == t })
}

func (p *Payment) closeRoom(r *Room) {
	p.Open = slices.DeleteFunc(p.Open, func(w *Wait) bool { return w.room == r })
}

// stop ends what a token is doing.
func (p *Payment) stop(t *token) {
	for _, w := range p.Open {
		switch {
		case w.token != t:
		case w.Kind == "job":
			p.note("job-cancelled", w.Element, "")
		case w.Kind == "user":
			p.note("user-task-cancelled", w.Element, "")
		}
	}
	p.close(t)
	if t.inside != nil {
		p.empty(t.inside)
		t.inside = nil
	}
	t.locals = nil
}

func (p *Payment) empty(r *Room) {
	p.closeRoom(r)
	for _, t := range slices.Clone(r.tokens) {
		p.remove(t)
	}
}

// remove stops a token and takes it away.
func (p *Payment) remove(t *token) {
	p.stop(t)
	t.room.tokens = slices.DeleteFunc(t.room.tokens, func(o *token) bool { return o == t })
	p.todo = slices.DeleteFunc(p.todo, func(o *token) bool { return o == t })
}

// gone takes a token away that has come to an end; when it was the last, the room is
// left.
func (p *Payment) gone(t *token) {
	r := t.room
	r.tokens = slices.DeleteFunc(r.tokens, func(o *token) bool { return o == t })
	if len(r.tokens) > 0 {
		return
	}
	p.closeRoom(r)
	switch {
	case r.undo != nil:
		p.nextUndo(r)
	case r.around == nil:
		p.Ended = true
		p.note("payment-ended", p.Result.String(), p.Code)
	case r.sub == nil:
		p.returned(r.around)
	default:
		p.leaveSub(r)
	}
}
