package engine

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Variables are (name, canonical JSON) pairs, ascending by name, unique within a
// scope. A slice of them is never changed in place: rows share it.

// mergeVariables returns base with changes laid over it. Later changes win over
// earlier ones of the same name.
func mergeVariables(base, changes []*enginev1.Variable) []*enginev1.Variable {
	if len(changes) == 0 {
		return base
	}
	ascending := ascend(changes)
	if ascending && len(base) == 0 {
		return changes
	}
	out := make([]*enginev1.Variable, 0, len(base)+len(changes))
	if ascending {
		for _, old := range base {
			for len(changes) > 0 && changes[0].Name < old.Name {
				out, changes = append(out, changes[0]), changes[1:]
			}
			if len(changes) > 0 && changes[0].Name == old.Name {
				old, changes = changes[0], changes[1:]
			}
			out = append(out, old)
		}
		return append(out, changes...)
	}
	out = append(out, base...)
	for _, v := range changes {
		i, found := findVariable(out, v.Name)
		if found {
			out[i] = v
		} else {
			out = slices.Insert(out, i, v)
		}
	}
	return out
}

// ascend reports whether the variables ascend by name, each once.
func ascend(vars []*enginev1.Variable) bool {
	for i := 1; i < len(vars); i++ {
		if vars[i-1].Name >= vars[i].Name {
			return false
		}
	}
	return true
}

func findVariable(vars []*enginev1.Variable, name string) (int, bool) {
	return slices.BinarySearchFunc(vars, name, func(v *enginev1.Variable, name string) int {
		return strings.Compare(v.Name, name)
	})
}

func variablesSize(vars []*enginev1.Variable) int {
	n := 0
	for _, v := range vars {
		n += len(v.Name) + len(v.Json)
	}
	return n
}

func (p *payment) variablesSize() int {
	n := 0
	for _, s := range p.row.Scopes {
		n += variablesSize(s.Variables)
		if s.Loop != nil {
			for _, item := range s.Loop.Items {
				n += len(item)
			}
			for _, output := range s.Loop.Outputs {
				n += len(output)
			}
		}
		n += doneSize(s.Done)
	}
	return n
}

// doneSize is what completed activities keep for their handlers.
func doneSize(done []*enginev1.Compensable) int {
	n := 0
	for _, c := range done {
		n += variablesSize(c.Variables) + doneSize(c.Inside)
	}
	return n
}

// setVariables propagates results upward from a scope as Zeebe does: a variable
// changes where it already lives, and a new one is made at the top of the flow.
// It never leaves a called flow.
func (p *payment) setVariables(from uint32, vars []*enginev1.Variable) {
	for len(vars) > 0 {
		s, n := p.homeOf(from, vars[0]), 1
		for n < len(vars) && p.homeOf(from, vars[n]) == s {
			n++
		}
		s.Variables = mergeVariables(s.Variables, vars[:n:n])
		vars = vars[n:]
	}
}

// homeOf is the scope in which a variable set from a scope lives.
func (p *payment) homeOf(from uint32, v *enginev1.Variable) *enginev1.Scope {
	s := p.scope(from)
	for s.Flow == "" {
		if _, here := findVariable(s.Variables, v.Name); here {
			break
		}
		s = p.scope(s.Parent)
	}
	return s
}

// visible returns every variable that an element in the scope sees, the nearest
// winning.
func (p *payment) visible(from uint32) []*enginev1.Variable {
	s := p.scope(from)
	if s.Flow != "" {
		return s.Variables
	}
	return mergeVariables(p.visible(s.Parent), s.Variables)
}

// Visible returns what the element of a token sees, ascending by name, and the flow
// it belongs to: what lies in its scope and those around it, up to the flow's own, the
// nearest winning. The slice is the row's and must not be changed.
func Visible(in *enginev1.Instance, token uint32) (vars []*enginev1.Variable, flow string) {
	scope := func(n uint32) *enginev1.Scope {
		i := slices.IndexFunc(in.Scopes, func(s *enginev1.Scope) bool { return s.N == n })
		if i < 0 {
			return nil
		}
		return in.Scopes[i]
	}
	i := slices.IndexFunc(in.Tokens, func(t *enginev1.Token) bool { return t.N == token })
	if i < 0 {
		return nil, in.Flow
	}
	for s := scope(in.Tokens[i].Scope); s != nil; s = scope(s.Parent) {
		vars = mergeVariables(s.Variables, vars)
		if s.Flow != "" {
			return vars, s.Flow
		}
	}
	return vars, in.Flow
}

// sight is what an expression evaluated in a scope can see.
type sight struct {
	p    *payment
	from uint32
}

// see is the sight from a scope, until the payment is asked for another.
func (p *payment) see(from uint32) *sight {
	p.sight = sight{p: p, from: from}
	return &p.sight
}

// NowMS implements feel.Clock: now() is the stamp, the same on every node.
func (s sight) NowMS() int64 { return s.p.a.stamp.TimeMS }

func (s sight) Lookup(name string) (feel.Value, bool) {
	v, found := s.variable(name)
	if !found {
		return feel.Null, false
	}
	s.p.spend(len(v.Json))
	return decodeVariable(v)
}

// Spent implements feel.Meter.
func (s sight) Spent(work int) { s.p.spend(work) }

// LookupJSON implements feel.Texts.
func (s sight) LookupJSON(name string) ([]byte, bool) {
	v, found := s.variable(name)
	return v.GetJson(), found
}

func (s sight) variable(name string) (*enginev1.Variable, bool) {
	scope := s.p.scope(s.from)
	for {
		if i, found := findVariable(scope.Variables, name); found {
			return scope.Variables[i], true
		}
		if scope.Flow != "" {
			return nil, false
		}
		scope = s.p.scope(scope.Parent)
	}
}

// spend counts the work of a command: what expressions do, and the bytes of the
// variables they read and give. Unlike steps it tells cheap elements from dear ones.
func (p *payment) spend(work int) {
	if p.a.work += work; p.a.work > limitWork {
		panic(&fault{code: IncidentTooLarge, payment: p.row.Payment,
			text: "The flow's expressions went through more than 32 MiB, or as much work, without waiting once."})
	}
}

// json is what an expression gives to a variable.
func (p *payment) json(value feel.Value) []byte {
	text := value.AppendJSON(nil)
	p.spend(len(text))
	return text
}

func decodeVariable(v *enginev1.Variable) (feel.Value, bool) {
	value, err := feel.FromJSON(v.Json)
	if err != nil {
		// Only core lets variables in, and it checks them; one that is no JSON counts
		// as null rather than stopping the payment.
		return feel.Null, true
	}
	return value, true
}

// openLocal gives an activity with mappings a scope of its own and fills it from
// the input mappings.
func (p *payment) openLocal(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	if len(el.Inputs) == 0 && len(el.Outputs) == 0 {
		return
	}
	local := p.newScope(&enginev1.Scope{Parent: token.Scope, Token: token.N, Local: true, Element: token.Element + 1})
	token.Scope = local.N
	for _, m := range el.Inputs {
		value := m.Source.Value(p.see(local.N))
		local.Variables = mergeVariables(local.Variables, p.assign(m.Target, value, func() []*enginev1.Variable { return local.Variables }))
	}
}

// closeLocal ends an activity's scope: its results go up, through the output
// mappings where there are some.
func (p *payment) closeLocal(f *flow, token *enginev1.Token, results []*enginev1.Variable) {
	local := p.mappings(token)
	if local == nil {
		p.setVariables(token.Scope, results)
		return
	}
	el := &f.process.Elements[token.Element]
	token.Scope = local.Parent
	if len(el.Outputs) == 0 {
		// A result named as a mapped variable changes that one, which ends here.
		p.setVariables(local.N, results)
		p.removeScope(local)
		return
	}
	local.Variables = mergeVariables(local.Variables, results)
	for _, m := range el.Outputs {
		value := m.Source.Value(p.see(local.N))
		p.setVariables(token.Scope, p.assign(m.Target, value, func() []*enginev1.Variable { return p.visible(token.Scope) }))
	}
	p.removeScope(local)
}

// mappings is the scope that holds an activity's mapped variables, if it has one. A
// round of a loop and a compensation handler have local variables besides.
func (p *payment) mappings(token *enginev1.Token) *enginev1.Scope {
	if s := p.scope(token.Scope); s.Local && s.Element != 0 {
		return s
	}
	return nil
}

// dropLocal ends an activity's scope without results.
func (p *payment) dropLocal(token *enginev1.Token) {
	if local := p.mappings(token); local != nil {
		token.Scope = local.Parent
		p.removeScope(local)
	}
}

// locals are the variables that only a token's activity sees.
func (p *payment) locals(token *enginev1.Token) []*enginev1.Variable {
	var vars []*enginev1.Variable
	for s := p.scope(token.Scope); s.Local; s = p.scope(s.Parent) {
		vars = mergeVariables(s.Variables, vars)
	}
	return vars
}

// assign sets a mapping's target, a.b.c writing into the context a among what is seen
// there, and returns the variable that changes.
func (p *payment) assign(target []string, value feel.Value, seen func() []*enginev1.Variable) []*enginev1.Variable {
	if len(target) > 1 {
		var base feel.Value
		vars := seen()
		if i, found := findVariable(vars, target[0]); found {
			p.spend(len(vars[i].Json))
			base, _ = decodeVariable(vars[i])
		}
		value = withPath(base, target[1:], value)
	}
	return single(enginev1.Variable{Name: target[0], Json: p.json(value)})
}

// single is a list of one.
func single[T any](row T) []*T {
	one := &struct {
		list [1]*T
		row  T
	}{row: row}
	one.list[0] = &one.row
	return one.list[:]
}

// withPath returns a context with the value set at a path; what is no context on
// the way becomes one.
func withPath(base feel.Value, path []string, value feel.Value) feel.Value {
	if len(path) == 0 {
		return value
	}
	inner, _ := base.Get(path[0])
	entries := append(slices.Clone(base.Entries()), feel.Entry{Key: path[0], Value: withPath(inner, path[1:], value)})
	return feel.NewContext(entries...)
}

func quote(s string) string {
	return "“" + cut(s, 100) + "”"
}

// cut keeps a text valid UTF-8 and, but for the mark that it was cut, within so
// many bytes.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
