package twin

import (
	"maps"

	"github.com/railhead-hub/railhead/engine/feel"
)

// sight is what an expression sees from a token, outward: the variables its
// activity was mapped, those given to its round or handler, the same of whatever is
// around it, and at last those of the flow.
type sight struct {
	p *Payment
	t *token
}

// Lookup implements feel.Scope.
func (s sight) Lookup(name string) (feel.Value, bool) {
	v, ok := s.t.visible()[name]
	return v, ok
}

// NowMS implements feel.Clock.
func (s sight) NowMS() int64 { return s.p.nowMS }

// around is the sight of a room's own event sub-processes.
func (r *Room) visible() map[string]feel.Value {
	if r.Vars != nil {
		return maps.Clone(r.Vars)
	}
	return r.around.visible()
}

func (t *token) visible() map[string]feel.Value {
	all := t.room.visible()
	maps.Copy(all, t.given)
	maps.Copy(all, t.locals)
	return all
}

// Visible is every variable that a wait's token sees.
func (w *Wait) Visible() map[string]feel.Value { return w.token.visible() }

// write changes a variable where it is, from the token outward; a new one becomes
// the flow's.
func (t *token) write(name string, v feel.Value) {
	for _, vars := range []map[string]feel.Value{t.locals, t.given, t.room.Vars} {
		if _, here := vars[name]; here {
			vars[name] = v
			return
		}
	}
	if t.room.Vars != nil {
		t.room.Vars[name] = v
		return
	}
	t.room.around.write(name, v)
}

// locals gives a token variables of its own where its element has mappings.
func (p *Payment) locals(t *token) {
	el := t.element()
	if len(el.Inputs)+len(el.Outputs) == 0 {
		return
	}
	t.locals = make(map[string]feel.Value)
	for _, m := range el.Inputs {
		t.locals[m.Target[0]] = with(t.locals[m.Target[0]], m.Target[1:], m.Source.Value(sight{p, t}))
	}
}

// results takes what an activity gave outward: through the output mappings where
// there are some, else as it is.
func (p *Payment) results(t *token, vars map[string]feel.Value) {
	el, own := t.element(), t.locals
	t.locals = nil
	if len(el.Outputs) == 0 {
		for name, v := range vars {
			if _, mapped := own[name]; !mapped {
				t.write(name, v)
			}
		}
		return
	}
	maps.Copy(own, vars)
	for _, m := range el.Outputs {
		t.locals = own
		v := m.Source.Value(sight{p, t})
		t.locals = nil
		t.write(m.Target[0], with(t.visible()[m.Target[0]], m.Target[1:], v))
	}
}

// with is a value with another one at a path: what is no context on the way becomes
// one.
func with(old feel.Value, path []string, v feel.Value) feel.Value {
	if len(path) == 0 {
		return v
	}
	inner, _ := old.Get(path[0])
	entries := append([]feel.Entry(nil), old.Entries()...)
	return feel.NewContext(append(entries, feel.Entry{Key: path[0], Value: with(inner, path[1:], v)})...)
}
