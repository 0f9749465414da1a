package twin

import (
	"maps"

	"github.com/railhead-hub/railhead/engine/feel"
)

// sight is what an expression sees from a token: its own variables, then those of
// the flow it is in.
type sight struct {
	p *Payment
	t *token
}

func (s sight) Lookup(name string) (feel.Value, bool) {
	if v, ok := s.t.locals[name]; ok {
		return v, true
	}
	v, ok := s.t.room.Vars[name]
	return v, ok
}

// NowMS implements feel.Clock.
func (s sight) NowMS() int64 { return s.p.nowMS }

// Visible is every variable that a wait's token sees.
func (w *Wait) Visible() map[string]feel.Value {
	all := maps.Clone(w.token.room.Vars)
	maps.Copy(all, w.token.locals)
	return all
}

// locals gives a token variables of its own where its element has mappings.
func (p *Payment) locals(t *token) {
	el := &t.room.process.Elements[t.at]
	if len(el.Inputs)+len(el.Outputs) == 0 {
		return
	}
	t.locals = make(map[string]feel.Value)
	for _, m := range el.Inputs {
		set(t.locals, t.locals[m.Target[0]], m.Target, m.Source.Value(sight{p, t}))
	}
}

// results takes what an activity gave up to the flow: through the output mappings
// where there are some, else as it is.
func (p *Payment) results(t *token, vars map[string]feel.Value) {
	el := &t.room.process.Elements[t.at]
	if len(el.Outputs) == 0 {
		t.locals = nil
		maps.Copy(t.room.Vars, vars)
		return
	}
	maps.Copy(t.locals, vars)
	for _, m := range el.Outputs {
		set(t.room.Vars, t.room.Vars[m.Target[0]], m.Target, m.Source.Value(sight{p, t}))
	}
	t.locals = nil
}

// set writes to a.b.c: what is no context on the way becomes one.
func set(vars map[string]feel.Value, old feel.Value, target []string, v feel.Value) {
	for i := len(target) - 1; i > 0; i-- {
		at := old
		for _, name := range target[1:i] {
			at, _ = at.Get(name)
		}
		v = feel.NewContext(append(append([]feel.Entry(nil), at.Entries()...), feel.Entry{Key: target[i], Value: v})...)
	}
	vars[target[0]] = v
}
