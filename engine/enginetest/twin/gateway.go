package twin

import (
	"github.com/railhead-hub/railhead/engine/bpmn"
)

// ways are the flows out of a gateway whose conditions are true, or the first of
// them; the default where there is none.
func (p *Payment) ways(t *token, one bool) []int {
	el := t.element()
	var ways []int
	for _, f := range el.Outgoing {
		flow := &t.room.process.Flows[f]
		if f == el.Default || one && len(ways) > 0 {
			continue
		}
		open := flow.Condition == nil
		if !open {
			v, isBool := flow.Condition.Eval(sight{p, t}).Bool()
			open = v && isBool
		}
		if open {
			ways = append(ways, f)
		}
	}
	if len(ways) == 0 && el.Default >= 0 {
		ways = []int{el.Default}
	}
	for _, f := range ways {
		p.note("element-entered", el.ID, t.room.process.Flows[f].ID)
	}
	return ways
}

// join goes on once a token has come by every flow.
func (p *Payment) join(t *token) {
	el := t.element()
	t.joins = true
	came := t.others()
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

// others are the tokens that stand before the same gateway, itself among them, one
// for every way in.
func (t *token) others() map[int]*token {
	came := map[int]*token{t.by: t}
	for _, o := range t.room.tokens {
		if o.joins && o.at == t.at && came[o.by] == nil {
			came[o.by] = o
		}
	}
	return came
}

// joinInclusive lets one token go on that waits at an inclusive gateway for no other
// any more: for none that has a way to a flow by which nobody came, and none to a
// flow by which somebody did.
func (p *Payment) joinInclusive(r *Room) bool {
	for _, t := range r.tokens {
		if t.inside != nil && p.joinInclusive(t.inside) {
			return true
		}
		if !t.joins || t.element().Kind != bpmn.KindInclusive {
			continue
		}
		came, awaited := t.others(), false
		for _, o := range r.tokens {
			if o.at == t.at {
				continue
			}
			toEmpty, toFull := false, false
			for _, f := range t.element().Incoming {
				if leads(r.process, o.at, f, make(map[int]bool)) {
					toFull = toFull || came[f] != nil
					toEmpty = toEmpty || came[f] == nil
				}
			}
			awaited = awaited || toEmpty && !toFull
		}
		if awaited {
			continue
		}
		for _, o := range came {
			if o != t {
				p.remove(o)
			}
		}
		t.joins = false
		p.leave(t, p.ways(t, false)...)
		return true
	}
	return false
}

// leads tells whether a way leads from an element to a flow without passing where
// the flow ends: over flows, links and boundary events.
func leads(process *bpmn.Process, from, flow int, seen map[int]bool) bool {
	if seen[from] || from == process.Flows[flow].Target {
		return false
	}
	seen[from] = true
	el := &process.Elements[from]
	for _, f := range el.Outgoing {
		if f == flow || leads(process, process.Flows[f].Target, flow, seen) {
			return true
		}
	}
	for _, b := range el.Boundary {
		if leads(process, b, flow, seen) {
			return true
		}
	}
	return el.LinkTo >= 0 && leads(process, el.LinkTo, flow, seen)
}
