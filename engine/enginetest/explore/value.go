package explore

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// The bounds of the search for values.
const (
	maxTried    = 20_000 // assignments tried for the conditions that share variables
	maxAnswers  = 400    // different answers to one question
	maxMappings = 16     // different outcomes of mappings that are tried
)

// answer is the variables that an answer brings.
type answer = feel.Variables

// answers are the different sets of variables an answer may bring so that each route
// is taken, if any values do. Without a condition to satisfy it is one empty answer.
func answers(routes []route) []answer {
	groups := groupsOf(routes)
	var found []answer
	seen := make(map[string]bool)
	add := func(a answer) {
		if key := written(a); !seen[key] && len(found) < maxAnswers {
			seen[key] = true
			found = append(found, a)
		}
	}
	for _, r := range routes {
		base := answer{}
		possible := true
		for _, g := range groups {
			a, touched, ok := g.satisfy(r.demands)
			possible = possible && ok
			if touched && ok {
				maps.Copy(base, a)
			}
		}
		if possible {
			add(base)
		}
		for _, g := range groups {
			if !g.mapped(r) {
				continue
			}
			for _, a := range g.variants() {
				changed := answer{}
				maps.Copy(changed, base)
				maps.Copy(changed, a)
				add(changed)
			}
		}
	}
	if len(found) == 0 {
		found = append(found, answer{})
	}
	return found
}

// group is a set of expressions that share variables, directly or through others.
type group struct {
	names      []string
	conditions []*feel.Expr
	maps       []*feel.Expr
	tried      []tried
}

// tried is an assignment and what the group's expressions make of it.
type tried struct {
	variables answer
	holds     []bool // by condition
}

// groupsOf parts everything that the routes read into groups.
func groupsOf(routes []route) []*group {
	var groups []*group
	join := func(names []string, fill func(*group)) {
		g := &group{names: slices.Clone(names)}
		fill(g)
		var apart []*group
		for _, o := range groups {
			if !slices.ContainsFunc(o.names, func(n string) bool { return slices.Contains(g.names, n) }) {
				apart = append(apart, o)
				continue
			}
			g.conditions, g.maps = append(o.conditions, g.conditions...), append(o.maps, g.maps...)
			for _, n := range o.names {
				if !slices.Contains(g.names, n) {
					g.names = append(g.names, n)
				}
			}
		}
		groups = append(apart, g)
	}
	seen := make(map[*feel.Expr]bool)
	for _, r := range routes {
		for _, d := range r.demands {
			if !seen[d.condition] {
				seen[d.condition] = true
				join(d.condition.Variables(), func(g *group) { g.conditions = append(g.conditions, d.condition) })
			}
		}
		for _, u := range r.maps {
			if seen[u.maps[0]] {
				continue
			}
			seen[u.maps[0]] = true
			names := slices.Clone(u.sets)
			for _, x := range u.maps {
				names = append(names, x.Variables()...)
			}
			slices.Sort(names)
			join(slices.Compact(names), func(g *group) { g.maps = append(g.maps, u.maps...) })
		}
	}
	for _, g := range groups {
		slices.Sort(g.names)
		g.search()
	}
	return groups
}

// satisfy finds an assignment that meets those demands that are about the group's
// conditions; touched is false if none is.
func (g *group) satisfy(demands []demand) (a answer, touched, ok bool) {
	wanted := make(map[int]bool)
	for _, d := range demands {
		if i := slices.Index(g.conditions, d.condition); i >= 0 {
			if holds, twice := wanted[i]; twice && holds != d.holds {
				return nil, true, false
			}
			wanted[i] = d.holds
		}
	}
	if len(wanted) == 0 {
		return nil, false, true
	}
	for _, t := range g.tried {
		meets := true
		for i, holds := range wanted {
			meets = meets && t.holds[i] == holds
		}
		if meets {
			return t.variables, true, true
		}
	}
	return nil, true, false
}

// mapped tells whether a mapping of the group is on the route.
func (g *group) mapped(r route) bool {
	return slices.ContainsFunc(r.maps, func(u *use) bool { return slices.Contains(g.maps, u.maps[0]) })
}

// variants are assignments for which the group's mappings give different values.
func (g *group) variants() []answer {
	var found []answer
	for _, t := range g.tried {
		if len(found) < maxMappings {
			found = append(found, t.variables)
		}
	}
	return found
}

// search tries assignments and keeps one for each different outcome.
func (g *group) search() {
	values := make([][]feel.Value, len(g.names))
	for i, name := range g.names {
		values[i] = candidates(name, slices.Concat(g.conditions, g.maps))
	}
	for product(values) > maxTried {
		longest := 0
		for i := range values {
			if len(values[i]) > len(values[longest]) {
				longest = i
			}
		}
		if len(values[longest]) <= 2 {
			break
		}
		values[longest] = slices.Delete(values[longest], len(values[longest])-2, len(values[longest])-1)
	}
	// Null, the last of every variable's values, only where nothing else will do.
	some := make([][]feel.Value, len(values))
	for i := range values {
		some[i] = values[i][:len(values[i])-1]
	}
	seen := make(map[string]bool)
	g.tryAll(some, seen)
	g.tryAll(values, seen)
}

// tryAll tries every combination of the values and keeps those with a new outcome.
func (g *group) tryAll(values [][]feel.Value, seen map[string]bool) {
	chosen := make([]int, len(values))
	for range min(product(values), maxTried) {
		a := answer{}
		for i, name := range g.names {
			a[name] = values[i][chosen[i]]
		}
		t := tried{variables: a, holds: make([]bool, len(g.conditions))}
		var outcome strings.Builder
		for i, x := range g.conditions {
			t.holds[i], _ = x.EvalBool(a)
			outcome.WriteString(feel.Bool(t.holds[i]).String())
		}
		for _, x := range g.maps {
			outcome.WriteString("|" + x.Eval(a).String())
		}
		if !seen[outcome.String()] {
			seen[outcome.String()] = true
			g.tried = append(g.tried, t)
		}
		for i := len(chosen) - 1; i >= 0; i-- {
			if chosen[i]++; chosen[i] < len(values[i]) {
				break
			}
			chosen[i] = 0
		}
	}
}

func product(values [][]feel.Value) int {
	n := 1
	for _, v := range values {
		if n *= len(v); n > 1<<30 {
			return n
		}
	}
	return n
}

// candidates are values worth trying for a variable: what it is compared with, what
// lies beside that, and null. Where an expression holds no values, those of the
// expressions that share its variables may be meant, as behind a mapping, or any of
// several types.
func candidates(name string, expressions []*feel.Expr) []feel.Value {
	var values []feel.Value
	seen := make(map[string]bool)
	add := func(x *feel.Expr, v feel.Value) {
		v = nested(x, name, v)
		if v.IsNull() {
			return
		}
		if key := v.Kind().String() + v.String(); !seen[key] {
			seen[key] = true
			values = append(values, v)
		}
	}
	var shared []feel.Value
	for _, x := range expressions {
		shared = append(shared, x.Literals()...)
	}
	for _, x := range expressions {
		if !slices.Contains(x.Variables(), name) {
			continue
		}
		literals := x.Literals()
		if len(literals) == 0 {
			literals = shared
		}
		for _, literal := range literals {
			add(x, literal)
			switch literal.Kind() {
			case feel.KindBool:
				b, _ := literal.Bool()
				add(x, feel.Bool(!b))
			case feel.KindNumber:
				if n, ok := literal.Int64(); ok {
					add(x, feel.Int(n-1))
					add(x, feel.Int(n+1))
				}
			case feel.KindString:
				add(x, feel.String("not "+literal.String()))
			}
		}
		if len(x.Literals()) == 0 && strings.ContainsAny(x.String(), "<>") {
			for n := range int64(3) {
				add(x, feel.Int(n+1))
			}
		} else if len(x.Literals()) == 0 {
			for _, v := range []feel.Value{feel.Bool(true), feel.Bool(false), feel.Int(1), feel.Int(2), feel.String("text"), feel.String("other")} {
				add(x, v)
			}
		}
		if goesThrough(x) {
			items := []feel.Value{feel.Int(1), feel.Int(2)}
			if len(x.Literals()) > 0 {
				items = x.Literals()
			}
			add(x, feel.List(items...))
			add(x, feel.List())
		}
	}
	return append(values, feel.Null)
}

// goesThrough tells whether the expression takes a list apart.
func goesThrough(x *feel.Expr) bool {
	for _, word := range []string{"some ", "every ", "for ", "[", "count(", "contains("} {
		if strings.Contains(x.String(), word) {
			return true
		}
	}
	return false
}

// nested puts a value at every path by which the expression reads the variable: for
// a.b = 1 it is not 1 that a is to be, but {b: 1}.
func nested(x *feel.Expr, name string, v feel.Value) feel.Value {
	paths := regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`((?:\.[A-Za-z_]\w*)+)`).FindAllStringSubmatch(x.String(), -1)
	if len(paths) == 0 || v.IsNull() {
		return v
	}
	var whole feel.Value
	for _, path := range paths {
		whole = at(whole, strings.Split(path[1][1:], "."), v)
	}
	return whole
}

func at(base feel.Value, path []string, v feel.Value) feel.Value {
	if len(path) == 0 {
		return v
	}
	inner, _ := base.Get(path[0])
	return feel.NewContext(append(slices.Clone(base.Entries()), feel.Entry{Key: path[0], Value: at(inner, path[1:], v)})...)
}

// written is the answer as JSON, names ascending.
func written(a answer) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range variables(a) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.Name + ": " + string(v.Json))
	}
	b.WriteByte('}')
	return b.String()
}

// variables is the answer as commands carry it.
func variables(a answer) []*enginev1.Variable {
	var out []*enginev1.Variable
	for name, v := range a {
		out = append(out, &enginev1.Variable{Name: name, Json: v.AppendJSON(nil)})
	}
	slices.SortFunc(out, func(a, b *enginev1.Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// defaultText is what a variable holds that something is named by: a job type, a
// called flow.
const defaultText = "text"

// needed are values for the variables that timers, keys, types and collections read,
// of the shape they need. A mapping may set them again later.
func (m *model) needed() answer {
	whole := answer{}
	for _, id := range m.ids {
		p := m.processes[id]
		for i := range p.Elements {
			el := &p.Elements[i]
			for _, n := range m.uses[el].needs {
				for _, name := range n.expr.Variables() {
					if _, have := whole[name]; !have {
						whole[name] = nested(n.expr, name, shaped(n.shape, el.Timer, n.expr, name))
					}
				}
			}
		}
	}
	return whole
}

func shaped(s shape, timer *bpmn.Timer, x *feel.Expr, name string) feel.Value {
	switch s {
	case shapeNumber:
		return feel.Int(2)
	case shapeDate:
		return feel.String("2026-02-01T00:00:00Z")
	case shapeList:
		return feel.List(feel.Int(1), feel.Int(2))
	case shapeTimer:
		for _, text := range []string{"PT30S", "R2/PT30S", "2026-01-02T00:00:00Z"} {
			v := nested(x, name, feel.String(text))
			if _, err := timer.Schedule(feel.Variables{name: v}, startMS); err == nil {
				return feel.String(text)
			}
		}
	}
	return feel.String(defaultText)
}
