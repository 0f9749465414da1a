package twin

import (
	"maps"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// maxMoves is when a payment counts as endless.
const maxMoves = 20_000

// run moves tokens, in the order they were sent, until all of them wait.
func (p *Payment) run() {
	for n := 0; !p.Ended && (len(p.todo) > 0 || p.joinInclusive(p.Root)); n++ {
		if n == maxMoves {
			p.Endless = true
			return
		}
		if len(p.todo) > 0 {
			t := p.todo[0]
			p.todo = p.todo[1:]
			p.enter(t)
		}
	}
}

// enter lets a token do what its element means.
func (p *Payment) enter(t *token) {
	el := t.element()
	if el.Loop != nil && t.room.loop == nil {
		p.beginLoop(t)
		return
	}
	switch el.Kind {
	case bpmn.KindStart:
		p.awaitSubs(t.room)
		p.locals(t)
		p.done(t, nil)
	case bpmn.KindLinkCatch:
		p.locals(t)
		p.done(t, nil)
	case bpmn.KindPass:
		p.note("element-entered", el.ID, "")
		p.locals(t)
		p.done(t, nil)
	case bpmn.KindScript:
		p.note("element-entered", el.ID, "")
		p.locals(t)
		p.done(t, map[string]feel.Value{el.Script.ResultVariable: el.Script.Expression.Eval(sight{p, t})})
	case bpmn.KindThrow:
		p.locals(t)
		p.note("element-entered", el.ID, "")
		p.throw(t)
	case bpmn.KindLinkThrow:
		p.note("element-entered", el.ID, "")
		p.send(t, el.LinkTo)
	case bpmn.KindJob:
		p.activate(t)
		p.job(t)
	case bpmn.KindUser:
		p.activate(t)
		p.note("user-task-created", el.ID, "")
		p.Open = append(p.Open, &Wait{Kind: "user", Element: el.ID, token: t, event: t.at})
	case bpmn.KindReceive, bpmn.KindCatch:
		p.activate(t)
		p.await(&Wait{token: t, event: t.at})
	case bpmn.KindEventBased:
		for _, f := range el.Outgoing {
			p.await(&Wait{token: t, event: t.room.process.Flows[f].Target})
		}
	case bpmn.KindExclusive:
		p.leave(t, p.ways(t, true)...)
	case bpmn.KindParallel:
		p.join(t)
	case bpmn.KindInclusive:
		if t.joins = len(el.Incoming) > 1; !t.joins {
			p.leave(t, p.ways(t, false)...)
		}
	case bpmn.KindCall:
		p.activate(t)
		p.call(t)
	case bpmn.KindSub:
		p.activate(t)
		p.note("element-entered", el.ID, "")
		t.inside = &Room{process: t.room.process, around: t, sub: el}
		p.send(&token{room: t.inside, by: -1}, el.SubStart)
	case bpmn.KindEnd:
		p.locals(t)
		if el.JobType.IsSet() {
			p.job(t)
			return
		}
		p.throw(t)
	default:
		panic("the twin does not know a " + el.Kind.String())
	}
}

// activate maps an activity's variables and opens its boundary events, which, of a
// loop, are open already.
func (p *Payment) activate(t *token) {
	p.locals(t)
	if t.room.loop == nil {
		p.awaitBoundary(t)
	}
}

func (p *Payment) awaitBoundary(t *token) {
	for _, i := range t.element().Boundary {
		p.await(&Wait{token: t, event: i})
	}
}

func (p *Payment) job(t *token) {
	el := t.element()
	p.note("job-created", el.ID, text(el.JobType, sight{p, t}))
	p.Open = append(p.Open, &Wait{Kind: "job", Element: el.ID, token: t, event: t.at})
}

func text(x bpmn.Text, s feel.Scope) string {
	v, _ := x.Eval(s)
	return v
}

// await opens a wait for an event, if it is one that is waited for.
func (p *Payment) await(w *Wait) {
	t := w.token
	if t == nil { // a room sees what a token without variables of its own sees there
		t = &token{room: w.room}
	}
	el, s := &t.room.process.Elements[w.event], sight{p, t}
	w.Element = el.ID
	switch {
	case el.Message != nil:
		w.Kind, w.Name = "message", text(el.Message.Name, s)
		p.note("subscribed", el.ID, w.Name)
	case el.Signal != nil:
		w.Kind, w.Name = "signal", text(el.Signal.Name, s)
		p.note("subscribed", el.ID, w.Name)
	case el.Timer != nil:
		at, err := el.Timer.Schedule(s, p.nowMS)
		if err != nil {
			panic(err)
		}
		w.Kind, w.DueMS, w.repeat, w.period = "timer", at.DueMS, at.Repeat, at.Period
		p.note("timer-set", el.ID, "")
	default:
		return
	}
	p.Open = append(p.Open, w)
}

// done ends an element and sends its token on.
func (p *Payment) done(t *token, vars map[string]feel.Value) { p.doneWith(t, vars, nil) }

// doneWith is done for an activity with something inside it that can be undone.
func (p *Payment) doneWith(t *token, vars map[string]feel.Value, inside []*doneActivity) {
	el := t.element()
	p.close(t)
	own := t.own()
	p.results(t, vars)
	switch {
	case t.room.loop != nil:
		p.endRound(t, own, inside)
	case el.Kind == bpmn.KindEnd:
		p.end(t)
	default:
		t.room.remember(el, own, inside)
		p.leave(t, el.Outgoing...)
	}
}

// leave sends a token along flows: the first itself, others beside it.
func (p *Payment) leave(t *token, flows ...int) {
	if len(flows) == 0 {
		p.gone(t)
		return
	}
	for i, f := range flows {
		next := t
		if i > 0 {
			next = &token{room: t.room}
		}
		next.by = f
		p.send(next, t.room.process.Flows[f].Target)
	}
}

func (p *Payment) call(t *token) {
	el := t.element()
	id := text(el.CalledElement, sight{p, t})
	p.note("element-entered", el.ID, id)
	t.inside = &Room{process: p.flows[id], around: t, Vars: make(map[string]feel.Value)}
	vars := t.locals
	if el.PropagateParent {
		vars = t.visible()
	}
	maps.Copy(t.inside.Vars, vars)
	p.send(&token{room: t.inside, by: -1}, t.inside.process.Start[0])
}

// returned ends a called flow.
func (p *Payment) returned(t *token) {
	el := t.element()
	p.note("call-returned", el.ID, "")
	vars := t.inside.Vars
	if !el.PropagateChild && len(el.Outputs) == 0 {
		vars = nil
	}
	t.inside = nil
	p.done(t, vars)
}

// end says what became of the payment.
func (p *Payment) end(t *token) {
	el := t.element()
	result, code := el.Result, el.Code
	if result == 0 {
		result, code = enginev1.Result_RESULT_UNKNOWN, ""
	}
	if t.room.decides(result) && (weight(result) > weight(p.Result) || weight(p.Result) == 0) {
		p.Result, p.Code = result, code
	}
	if el.Terminate {
		for _, o := range slices.Clone(t.room.tokens) {
			if o != t {
				p.remove(o)
			}
		}
	}
	if len(t.room.tokens) > 1 || t.room.around != nil {
		p.note("element-entered", el.ID, "")
	}
	p.gone(t)
}

// weight ranks results: a heavier one, once reached, is not hidden by a lighter one.
func weight(r enginev1.Result) int {
	switch r {
	case enginev1.Result_RESULT_UNSPECIFIED, enginev1.Result_RESULT_COMPLETED:
		return 0
	case enginev1.Result_RESULT_UNKNOWN:
		return 1
	}
	return 2
}

// decides tells whether an end in this room is one of the payment: not in a flow it
// calls, and in a sub-process only if the end is marked.
func (r *Room) decides(result enginev1.Result) bool {
	for ; r.around != nil; r = r.around.room {
		if r.Vars != nil || r.undo != nil {
			return false
		}
		if r.sub != nil && r.sub.Kind == bpmn.KindSub && result == enginev1.Result_RESULT_UNKNOWN {
			return false
		}
	}
	return true
}
