package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// Limits of trying values: combinations for one gateway, and conditions evaluated for
// one flow. What lies beyond is not judged.
const (
	maxCases       = 20_000
	maxEvaluations = 250_000
)

// branching is what an exclusive or inclusive gateway does with every combination of
// values that matters to it.
type branching struct {
	gateway    *bpmn.Element
	conditions []*condition // by way out; nil: none
	known      bool         // all conditions are simple, and few values enough
	variables  []string
	kinds      map[string]feel.Kind
	nullable   map[string]bool // compared with null, so that missing is meant
	samples    map[string][]feel.Value
	whole      bool // no number in the texts has a fraction
	natural    bool // or is negative
	cases      []choice

	failures [][]string        // by way out; see failing
	whenTrue map[string][]bool // by variable: the ways out that can be taken; see takes
}

// choice is one combination of values and the ways out that are taken for it: one of
// an exclusive gateway, all that hold of an inclusive one.
type choice struct {
	values  feel.Variables
	missing bool   // a variable that is not compared with null is missing
	odd     bool   // a number is negative, or has a fraction, and none in the texts is so
	holds   []bool // by way out: its condition is true
	taken   []bool // by way out
	none    bool   // nothing is taken
}

func (l *linter) branching(e *bpmn.Element) *branching {
	if b := l.branchings[e.Index]; b != nil {
		return b
	}
	b := &branching{gateway: e, known: true, kinds: map[string]feel.Kind{}, nullable: map[string]bool{}, samples: map[string][]feel.Value{}, whenTrue: map[string][]bool{}}
	l.branchings[e.Index] = b
	var pairs [][2]string
	var literals []feel.Value
	for _, i := range e.Outgoing {
		f := &l.p.Flows[i]
		if f.Condition == nil {
			b.conditions = append(b.conditions, nil)
			continue
		}
		c := newCondition(f.Condition)
		b.conditions = append(b.conditions, c)
		if !c.simple {
			b.known = b.known && c.constant
			continue
		}
		maps.Copy(b.kinds, c.kinds)
		for v := range c.null {
			b.nullable[v] = true
		}
		pairs = append(pairs, c.pairs...)
		literals = append(literals, f.Condition.Literals()...)
		for _, v := range c.variables {
			if !slices.Contains(b.variables, v) {
				b.variables = append(b.variables, v)
			}
		}
	}
	if b.known {
		b.sample(pairs, literals)
		b.try(l.p, &l.evaluations)
	}
	return b
}

// sample chooses the values of every variable: those in the texts, those beside and
// between them, one that is none of them, and none at all.
func (b *branching) sample(pairs [][2]string, literals []feel.Value) {
	for range pairs { // a kind spreads along chains of comparisons
		for _, p := range pairs {
			if kind, ok := b.kinds[p[0]]; ok {
				b.kinds[p[1]] = kind
			} else if kind, ok := b.kinds[p[1]]; ok {
				b.kinds[p[0]] = kind
			}
		}
	}
	b.whole, b.natural = true, true
	numbers, texts := []string{"0", "1"}, []string{}
	for _, v := range literals {
		switch s := v.String(); v.Kind() {
		case feel.KindNumber:
			b.whole = b.whole && !strings.Contains(s, ".")
			b.natural = b.natural && !strings.HasPrefix(s, "-")
			numbers = append(numbers, s+" - 1", s, s+" + 1")
			for _, other := range literals {
				if other.Kind() == feel.KindNumber && other.String() != s && len(literals) <= 6 {
					numbers = append(numbers, "("+s+" + "+other.String()+") / 2")
				}
			}
		case feel.KindString:
			if !slices.Contains(texts, s) {
				texts = append(texts, s)
			}
		}
	}
	for _, v := range b.variables {
		var values []feel.Value
		add := func(v feel.Value) {
			if !slices.ContainsFunc(values, func(have feel.Value) bool { return have.Kind() == v.Kind() && have.String() == v.String() }) {
				values = append(values, v)
			}
		}
		switch b.kinds[v] {
		case feel.KindNumber:
			for _, src := range numbers {
				if x, err := feel.Compile(src); err == nil {
					add(x.Eval(nil))
				}
			}
		case feel.KindBool:
			add(feel.Bool(true))
			add(feel.Bool(false))
		default:
			for _, s := range texts {
				add(feel.String(s))
			}
			add(feel.String("anything else"))
			if len(pairs) > 0 {
				add(feel.String("something different"))
			}
		}
		b.samples[v] = append(values, feel.Null)
	}
}

// try works out every combination, within what is left of the evaluations.
func (b *branching) try(p *bpmn.Process, left *int) {
	total := 1
	for _, v := range b.variables {
		if total *= len(b.samples[v]); total > maxCases {
			b.known = false
			return
		}
	}
	if *left -= total * (1 + len(b.gateway.Outgoing)); *left < 0 {
		b.known, *left = false, 0
		return
	}
	for n := range total {
		c := choice{values: feel.Variables{}, holds: make([]bool, len(b.gateway.Outgoing)), taken: make([]bool, len(b.gateway.Outgoing))}
		for _, v := range b.variables {
			samples := b.samples[v]
			value := samples[n%len(samples)]
			n /= len(samples)
			c.values[v] = value
			c.missing = c.missing || value.IsNull() && !b.nullable[v]
			if s := value.String(); value.Kind() == feel.KindNumber {
				c.odd = c.odd || b.natural && strings.HasPrefix(s, "-") || b.whole && strings.Contains(s, ".")
			}
		}
		b.decide(p, &c)
		b.cases = append(b.cases, c)
	}
}

func (b *branching) decide(p *bpmn.Process, c *choice) {
	c.none = true
	byDefault := -1
	for k, i := range b.gateway.Outgoing {
		switch {
		case i == b.gateway.Default:
			byDefault = k
			continue
		case b.conditions[k] == nil:
			c.holds[k] = true
		default:
			c.holds[k], _ = p.Flows[i].Condition.EvalBool(c.values)
		}
		if c.holds[k] && (c.none || b.gateway.Kind == bpmn.KindInclusive) {
			c.taken[k], c.none = true, false
		}
	}
	if c.none && byDefault >= 0 {
		c.taken[byDefault], c.none = true, false
	}
}

// words writes the values of a combination.
func (b *branching) words(c *choice) string {
	var parts []string
	for _, v := range b.variables {
		value := c.values[v]
		s := value.String()
		if value.Kind() == feel.KindString {
			s = fmt.Sprintf("%q", s)
		}
		parts = append(parts, v+" = "+s)
	}
	return strings.Join(parts, ", ")
}
