package twin

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// run moves tokens, in the order they were sent, until all of them wait.
func (p *Payment) run() {
	for len(p.todo) > 0 {
		t := p.todo[0]
		p.todo = p.todo[1:]
		p.enter(t)
	}
}

// enter lets a token do what its element means.
func (p *Payment) enter(t *token) {
	process := t.room.process
	el := &process.Elements[t.at]
	switch el.Kind {
	case bpmn.KindStart, bpmn.KindLinkCatch:
		p.locals(t)
		p.done(t, nil)
	case bpmn.KindPass, bpmn.KindThrow:
		p.note("element-entered", el.ID, "")
		p.locals(t)
		p.done(t, nil)
	case bpmn.KindLinkThrow:
		p.note("element-entered", el.ID, "")
		t.at = el.LinkTo
		p.todo = append(p.todo, t)
	case bpmn.KindJob:
		p.locals(t)
		p.await(t, el.Boundary...)
		p.note("job-created", el.ID, text(el.JobType, sight{p, t}))
		p.Open = append(p.Open, &Wait{Kind: "job", Element: el.ID, token: t, event: t.at})
	case bpmn.KindReceive, bpmn.KindCatch:
		p.locals(t)
		p.await(t, append(slices.Clone(el.Boundary), t.at)...)
	case bpmn.KindEventBased:
		for _, f := range el.Outgoing {
			p.await(t, process.Flows[f].Target)
		}
	case bpmn.KindExclusive:
		p.choose(t)
	case bpmn.KindParallel:
		p.join(t)
	case bpmn.KindCall:
		p.call(t)
	case bpmn.KindEnd:
		p.end(t)
	default:
		panic("the twin does not know a " + el.Kind.String())
	}
}

func text(x bpmn.Text, s feel.Scope) string {
	v, _ := x.Eval(s)
	return v
}

// await opens the waits for events.
func (p *Payment) await(t *token, events ...int) {
	for _, i := range events {
		el := &t.room.process.Elements[i]
		w := &Wait{Element: el.ID, token: t, event: i}
		switch {
		case el.Message != nil:
			w.Kind, w.Name = "message", text(el.Message.Name, sight{p, t})
			p.note("subscribed", el.ID, w.Name)
		case el.Timer != nil:
			at, err := el.Timer.Schedule(sight{p, t}, p.nowMS)
			if err != nil {
				panic(err)
			}
			w.Kind, w.DueMS, w.repeat, w.period = "timer", at.DueMS, at.Repeat, at.Period
			p.note("timer-set", el.ID, "")
		}
		p.Open = append(p.Open, w)
	}
}

// done ends an element and sends its token on.
func (p *Payment) done(t *token, vars map[string]feel.Value) {
	p.results(t, vars)
	p.leave(t, t.room.process.Elements[t.at].Outgoing...)
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
			t.room.tokens = append(t.room.tokens, next)
		}
		next.by, next.at = f, t.room.process.Flows[f].Target
		p.todo = append(p.todo, next)
	}
}

// gone takes a token away; when it was the last the room is left.
func (p *Payment) gone(t *token) {
	r := t.room
	r.tokens = slices.DeleteFunc(r.tokens, func(o *token) bool { return o == t })
	if len(r.tokens) > 0 {
		return
	}
	if r.around == nil {
		p.Ended = true
		p.note("payment-ended", p.Result.String(), p.Code)
		return
	}
	p.returned(r.around)
}

func (p *Payment) choose(t *token) {
	process := t.room.process
	el := &process.Elements[t.at]
	way := el.Default
	for _, f := range el.Outgoing {
		if f == el.Default {
			continue
		}
		c := process.Flows[f].Condition
		if c == nil {
			way = f
			break
		}
		if v, isBool := c.Eval(sight{p, t}).Bool(); v && isBool {
			way = f
			break
		}
	}
	p.note("element-entered", el.ID, process.Flows[way].ID)
	p.leave(t, way)
}

// join goes on once a token has come by every flow.
func (p *Payment) join(t *token) {
	el := &t.room.process.Elements[t.at]
	t.joins = true
	came := make(map[int]*token)
	for _, o := range t.room.tokens {
		if o.joins && o.at == t.at && came[o.by] == nil {
			came[o.by] = o
		}
	}
	if len(came) < len(el.Incoming) {
		return
	}
	for _, o := range came {
		if o != t {
			p.remove(o)
		}
	}
	t.joins = false
	p.note("element-entered", el.ID, "")
	p.leave(t, el.Outgoing...)
}

func (p *Payment) call(t *token) {
	el := &t.room.process.Elements[t.at]
	p.locals(t)
	p.await(t, el.Boundary...)
	id := text(el.CalledElement, sight{p, t})
	p.note("element-entered", el.ID, id)
	r := &Room{process: p.flows[id], around: t, Vars: make(map[string]feel.Value)}
	if el.PropagateParent {
		for name, v := range t.room.Vars {
			r.Vars[name] = v
		}
	}
	for name, v := range t.locals {
		r.Vars[name] = v
	}
	t.inside = r
	p.begin(r)
}

// returned is what follows when the inside of an activity is left.
func (p *Payment) returned(t *token) {
	el := &t.room.process.Elements[t.at]
	p.note("call-returned", el.ID, "")
	vars := t.inside.Vars
	if !el.PropagateChild && len(el.Outputs) == 0 {
		vars = nil
	}
	t.inside = nil
	p.close(t)
	p.done(t, vars)
}

// end says what became of the payment; a good end does not hide a bad one before.
func (p *Payment) end(t *token) {
	el := &t.room.process.Elements[t.at]
	p.locals(t)
	p.results(t, nil)
	if t.room.around == nil && p.Result <= enginev1.Result_RESULT_COMPLETED {
		if p.Result, p.Code = el.Result, el.Code; p.Result == 0 {
			p.Result = enginev1.Result_RESULT_UNKNOWN
		}
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
