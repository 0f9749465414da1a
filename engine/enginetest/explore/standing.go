package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// standing is a running payment as the search sees it.
type standing struct {
	model *model
	world *world
	row   *enginev1.Instance
}

func (s *standing) scope(n uint32) *enginev1.Scope {
	for _, scope := range s.row.Scopes {
		if scope.N == n {
			return scope
		}
	}
	return nil
}

// body is the scope whose tokens a token is among.
func (s *standing) body(n uint32) *enginev1.Scope {
	scope := s.scope(n)
	for scope.Local {
		scope = s.scope(scope.Parent)
	}
	return scope
}

// process is the flow that a scope belongs to.
func (s *standing) process(scope *enginev1.Scope) *bpmn.Process {
	for scope.Flow == "" {
		scope = s.scope(scope.Parent)
	}
	return s.model.processes[scope.Flow]
}

func (s *standing) token(n uint32) *enginev1.Token {
	for _, t := range s.row.Tokens {
		if t.N == n {
			return t
		}
	}
	return nil
}

func (s *standing) at(t *enginev1.Token) place {
	return place{s.process(s.body(t.Scope)), int(t.Element)}
}

// callers are the call activities that a token is inside of, the nearest first.
func (s *standing) callers(t *enginev1.Token) []place {
	var places []place
	for scope := s.scope(t.Scope); scope.Parent != 0; scope = s.scope(scope.Parent) {
		if caller := s.token(scope.Token); scope.Flow != "" && caller != nil {
			places = append(places, s.at(caller))
		}
	}
	return places
}

// waited finds what a wait belongs to: the place of the event that would fire, and
// the token, which is nil for an event sub-process.
func (s *standing) waited(n uint32) (place, *enginev1.Token, bool) {
	is := func(w *enginev1.Wait) bool { return w.N == n }
	for _, t := range s.row.Tokens {
		if i := slices.IndexFunc(t.Waits, is); i >= 0 {
			return place{s.process(s.body(t.Scope)), int(t.Waits[i].Element)}, t, true
		}
	}
	for _, scope := range s.row.Scopes {
		if i := slices.IndexFunc(scope.Waits, is); i >= 0 {
			return place{s.process(scope), int(scope.Waits[i].Element)}, nil, true
		}
	}
	return place{}, nil, false
}

// sight is what an expression at a token sees.
type sight struct {
	*standing
	from uint32
}

func (v sight) Lookup(name string) (feel.Value, bool) {
	for scope := v.scope(v.from); scope != nil; scope = v.scope(scope.Parent) {
		for _, x := range scope.Variables {
			if x.Name == name {
				value, err := feel.FromJSON(x.Json)
				return value, err == nil
			}
		}
	}
	return feel.Null, false
}

// signature tells two standings apart. Names of things that count up (tokens, jobs,
// waits) are left out, and so are variables that nothing reads before an answer sets
// them anew: without that a loop would never be seen to come round.
func (s *standing) signature() string {
	var b strings.Builder
	s.writeScope(&b, s.row.Scopes[0])
	return b.String()
}

func (s *standing) writeScope(b *strings.Builder, scope *enginev1.Scope) {
	fmt.Fprintf(b, "(%s %d", scope.Flow, scope.Element)
	if l := scope.Loop; l != nil {
		fmt.Fprintf(b, " loop %d/%d/%d", l.Begun, l.Completed, len(l.Items))
	}
	if scope.Compensation {
		b.WriteString(" undo")
	}
	for _, list := range [][]*enginev1.Compensable{scope.Done, scope.Undo} {
		for _, c := range list {
			fmt.Fprintf(b, " c%d", c.Element)
		}
	}
	s.writeWaits(b, scope.Waits)
	var parts []string
	for _, t := range s.row.Tokens {
		if s.body(t.Scope) == scope {
			var token strings.Builder
			s.writeToken(&token, t)
			parts = append(parts, token.String())
		}
	}
	for _, inner := range s.row.Scopes {
		if !inner.Local && inner.Parent != 0 && s.body(inner.Parent) == scope && s.token(inner.Token) == nil {
			var part strings.Builder
			s.writeScope(&part, inner)
			parts = append(parts, part.String())
		}
	}
	slices.Sort(parts)
	b.WriteString(strings.Join(parts, " ") + ")")
}

func (s *standing) writeToken(b *strings.Builder, t *enginev1.Token) {
	at := s.at(t)
	b.WriteString(" " + at.el().ID)
	if t.Joining {
		fmt.Fprintf(b, " by%d", t.ArrivedBy)
	}
	if row, found := s.world.tx.Get(engine.Key{Table: engine.TableIncident, A: s.row.Payment, B: uint64(t.Incident)}); found {
		b.WriteString(" !" + row.(*enginev1.Incident).Code)
	}
	s.writeWaits(b, t.Waits)
	for scope := s.scope(t.Scope); scope.Local; scope = s.scope(scope.Parent) {
		fmt.Fprintf(b, " round%d", scope.Round)
	}
	for _, name := range s.model.read(at) {
		v, _ := sight{s, t.Scope}.Lookup(name)
		b.WriteString(" " + name + "=" + v.String())
	}
	for _, inner := range s.row.Scopes {
		if !inner.Local && inner.Token == t.N {
			s.writeScope(b, inner)
		}
	}
}

func (s *standing) writeWaits(b *strings.Builder, waits []*enginev1.Wait) {
	for _, w := range waits {
		fmt.Fprintf(b, " w%d", w.Element)
		if w.DueMs != 0 {
			fmt.Fprintf(b, "+%dms*%d", w.DueMs-s.world.nowMS, w.Repetitions)
		}
	}
}

// read are the variables that are read before the next answer comes, from a place
// where a token waits: by what follows a timer.
func (m *model) read(at place) []string {
	if names, known := m.reads[at]; known {
		return names
	}
	var names []string
	for _, r := range m.routes(m.choices(at)) {
		for _, d := range r.demands {
			names = append(names, d.condition.Variables()...)
		}
		for _, u := range r.maps {
			for _, x := range u.maps {
				names = append(names, x.Variables()...)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	m.reads[at] = names
	return names
}
