package feel

import (
	"slices"
	"strings"
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src       string
	run       code
	test      plainTest  // not nil: tried before run
	value     plainValue // likewise
	variables []string
	unknown   []string
	literals  []Value
	repeats   bool // a variable may be read more than once
}

// code is one compiled node: it computes a value in an environment.
type code func(e *env) Value

// Compile checks an expression, given without the leading "=" that marks one in a
// flow file. The error is a *SyntaxError.
func Compile(src string) (*Expr, error) { return CompileWith(src) }

// CompileWith also makes known the names of variables that are more than one word or
// hold symbols, such as "monthly rate"; without that they are read as FEEL reads
// unknown names, word by word.
func CompileWith(src string, names ...string) (*Expr, error) {
	root, err := parse(src, names)
	if err != nil {
		return nil, err
	}
	return compile(src, root, foldBudget), nil
}

// compile makes closures of a syntax tree; spare is what computing its constants may
// cost, and below 0 none is computed.
func compile(src string, root node, spare int32) *Expr {
	c := &compiler{spare: spare}
	x := &Expr{src: src, run: c.code(root)}
	x.variables, x.unknown, x.literals, x.repeats = c.variables, c.unknown, c.literals, c.repeats()
	if x.test = c.plainTest(root); x.test == nil {
		x.value = c.plainValue(root)
	}
	return x
}

func parse(src string, names []string) (node, error) {
	if len(src) > maxSource {
		return nil, &SyntaxError{Text: "an expression of more than 64 KiB"}
	}
	p := &parser{src: src, spoken: spokenBuiltins}
	for _, name := range names {
		p.learn(strings.Join(strings.Fields(name), " "))
	}
	root := p.expression()
	if p.space(); p.err == nil && p.at < len(src) {
		p.failf("an operator or the end expected, not %q", firstRune(src[p.at:]))
	}
	if p.err != nil {
		return nil, p.err
	}
	return root, nil
}

// String is the source text.
func (x *Expr) String() string { return x.src }

// Variables are the names the expression takes from outside, in the order they first
// appear. Inside a filter a name may also be a field of the item; it is listed.
func (x *Expr) Variables() []string { return x.variables }

// UnknownFunctions are the names called as functions that are neither built in nor
// defined in the expression. Calling one gives null unless the scope holds it.
func (x *Expr) UnknownFunctions() []string { return x.unknown }

// Literals are the numbers, texts and other values written in the expression, in the
// order they are compiled: what its variables are compared with is among them.
func (x *Expr) Literals() []Value { return x.literals }

// Eval computes the expression. What goes wrong on the way gives null, as DMN has
// it: a missing variable, a division by zero, operands of different types.
func (x *Expr) Eval(scope Scope) Value {
	if scope != nil && x.test != nil {
		if v := x.test(scope); v != unsure {
			return v.value()
		}
	}
	if scope != nil && x.value != nil {
		if v, ok := x.value(scope); ok {
			return v
		}
	}
	return x.evaluate(scope, nil)
}

// EvalBool computes a condition. isBool is false if the answer was not a boolean:
// then the condition does not hold, but the flow's author should hear of it.
func (x *Expr) EvalBool(scope Scope) (value, isBool bool) {
	if x.test != nil && scope != nil {
		if v := x.test(scope); v != unsure {
			return v == yes, v != null
		}
	}
	if scope != nil && x.value != nil {
		if v, ok := x.value(scope); ok {
			return v.Bool()
		}
	}
	return x.evaluate(scope, nil).Bool()
}

// EvalWithWarnings also says why parts of the expression gave null: at most eight
// texts for an incident. They name variables and types, never values.
func (x *Expr) EvalWithWarnings(scope Scope) (Value, []string) {
	var warnings []string
	return x.evaluate(scope, &warnings), warnings
}

func (x *Expr) evaluate(scope Scope, warnings *[]string) Value {
	r := run{scope: scope, budget: maxBudget, warnings: warnings}
	if x.repeats {
		r.read = make([]reading, len(x.variables))
	}
	r.root.run = &r
	v := x.run(&r.root)
	if spent := maxBudget - int(r.budget); spent > smallWork {
		if m, counts := scope.(Meter); counts {
			m.Spent(spent)
		}
	}
	return v
}

// compiler turns nodes into closures and collects the free names.
type compiler struct {
	locals    []string
	filters   int  // depth of filters, where any name may be a field
	loops     int  // depth of what is evaluated more than once
	partial   bool // the name "partial" was read
	variables []string
	reads     []int // by variable: how often it may be read, 2 standing for more
	unknown   []string
	literals  []Value
	varies    int            // counts what has no value before the evaluation
	constants map[node]Value // the nodes that have, if they are no literals
	spare     int32          // budget left for computing constants
}

const (
	foldBudget  = 1 << 14 // for computing the constants of one expression
	maxConstant = 4096    // weight of one of them
)

// code compiles a node. One that reads no name is computed now, unless it takes too
// long, gives null (the evaluation will say why) or gives what holds a function,
// which would keep this evaluation's environment.
func (c *compiler) code(n node) code {
	before := c.varies
	compiled := n.compile(c)
	if _, literal := n.(*literalNode); literal || c.varies != before || c.spare < 0 {
		return compiled
	}
	var warnings []string
	r := run{budget: c.spare, warnings: &warnings}
	r.root.run = &r
	value := compiled(&r.root)
	c.spare = max(r.budget, 0)
	if len(warnings) > 0 || value.weight() > maxConstant || !value.constant() {
		c.varies++
		return compiled
	}
	if c.constants == nil {
		c.constants = map[node]Value{}
	}
	c.constants[n] = value
	return func(*env) Value { return value }
}

// constant tells whether a value may stand for the node that gave it.
func (v Value) constant() bool {
	switch v.kind {
	case KindNull, KindFunction:
		return false
	case KindList:
		for _, item := range v.Items() {
			if !item.constant() && !item.IsNull() {
				return false
			}
		}
	case KindContext:
		for _, entry := range v.Entries() {
			if !entry.Value.constant() && !entry.Value.IsNull() {
				return false
			}
		}
	}
	return true
}

func (c *compiler) local(name string) bool {
	return slices.Contains(c.locals, name)
}

// with compiles n where the names are bound, as what is evaluated more than once.
func (c *compiler) with(n node, names ...string) code {
	mark := len(c.locals)
	c.locals = append(c.locals, names...)
	c.loops++
	compiled := c.code(n)
	c.loops--
	c.locals = c.locals[:mark]
	return compiled
}

// free is the slot of a name that the expression takes from outside.
func (c *compiler) free(name string) int {
	slot := slices.Index(c.variables, name)
	if slot < 0 {
		slot = len(c.variables)
		c.variables = append(c.variables, name)
		c.reads = append(c.reads, 0)
	}
	c.reads[slot]++
	if c.loops > 0 {
		c.reads[slot]++
	}
	return slot
}

// repeats tells whether a variable may be read more than once.
func (c *compiler) repeats() bool {
	return slices.ContainsFunc(c.reads, func(reads int) bool { return reads > 1 })
}
