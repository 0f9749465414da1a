package feel

import "strings"

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src       string
	run       code
	variables []string
	unknown   []string
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
	if len(src) > maxSource {
		return nil, &SyntaxError{Text: "an expression of more than 64 KiB"}
	}
	p := &parser{src: src, spoken: spokenBuiltins}
	for _, name := range names {
		p.learn(strings.Join(strings.Fields(name), " "))
	}
	root := p.expression()
	if p.space(); p.err == nil && p.at < len(src) {
		p.fail("an operator or the end expected, not %q", firstRune(src[p.at:]))
	}
	if p.err != nil {
		return nil, p.err
	}
	c := &compiler{}
	run := root.compile(c)
	return &Expr{src: src, run: run, variables: c.variables, unknown: c.unknown}, nil
}

// String is the source text.
func (x *Expr) String() string { return x.src }

// Variables are the names the expression takes from outside, in the order they first
// appear. Inside a filter a name may also be a field of the item; it is listed.
func (x *Expr) Variables() []string { return x.variables }

// UnknownFunctions are the names called as functions that are neither built in nor
// defined in the expression. Calling one gives null unless the scope holds it.
func (x *Expr) UnknownFunctions() []string { return x.unknown }

// Scope gives an expression its variables.
type Scope interface {
	// Lookup is the value of a variable; ok is false if there is none.
	Lookup(name string) (v Value, ok bool)
}

// Clock is a Scope that also knows the time. Without it now() and today() are null:
// the package itself has no clock.
type Clock interface {
	// NowMS is the time in milliseconds since 1970 in UTC.
	NowMS() int64
}

// Variables is a Scope of a map.
type Variables map[string]Value

// Lookup is the value of a variable.
func (v Variables) Lookup(name string) (Value, bool) {
	value, ok := v[name]
	return value, ok
}

// Eval computes the expression. What goes wrong on the way gives null, as DMN has
// it: a missing variable, a division by zero, operands of different types.
func (x *Expr) Eval(scope Scope) Value {
	r := run{scope: scope, budget: maxBudget}
	r.root.run = &r
	return x.run(&r.root)
}

// EvalBool computes a condition. isBool is false if the answer was not a boolean:
// then the condition does not hold, but the flow's author should hear of it.
func (x *Expr) EvalBool(scope Scope) (value, isBool bool) {
	return x.Eval(scope).Bool()
}

// EvalWithWarnings also says why parts of the expression gave null: at most eight
// texts for an incident. They name variables and types, never values.
func (x *Expr) EvalWithWarnings(scope Scope) (Value, []string) {
	var warnings []string
	r := run{scope: scope, budget: maxBudget, warnings: &warnings}
	r.root.run = &r
	return x.run(&r.root), warnings
}

// Limits of one evaluation.
const (
	maxBudget   = 1 << 21 // for iterations, calls, and what is built, compared or searched
	maxCalls    = 32      // nesting of function calls
	maxWarnings = 8
)

// run is one evaluation. Its root environment is inside it, so that evaluating a
// plain condition allocates once.
type run struct {
	scope    Scope
	budget   int32
	calls    int32
	warnings *[]string // nil: nobody asks
	root     env
}

// spend takes from the budget. Once it is used up everything gives null.
func (r *run) spend(n int) bool {
	if int(r.budget) < n {
		if r.budget >= 0 {
			r.warn("the expression takes too much work or memory")
		}
		r.budget = -1
		return false
	}
	r.budget -= int32(n)
	return true
}

func (r *run) warn(parts ...string) Value {
	if r.warnings != nil && len(*r.warnings) < maxWarnings {
		*r.warnings = append(*r.warnings, strings.Join(parts, ""))
	}
	return Null
}

// env is a chain of local names, the innermost first.
type env struct {
	run    *run
	parent *env
	name   string
	value  Value
	fields bool // the value is a filter's item, whose fields are names too
}

func (e *env) bind(name string, v Value) *env {
	return &env{run: e.run, parent: e, name: name, value: v}
}

func (e *env) lookup(name string) (Value, bool) {
	for ; e.parent != nil; e = e.parent {
		if e.fields && e.run.spend(len(e.value.Entries())/8) {
			if v, ok := e.value.Get(name); ok {
				return v, true
			}
		}
		if e.name == name {
			return e.value, true
		}
	}
	if e.run.scope == nil {
		return Null, false
	}
	return e.run.scope.Lookup(name)
}

// compiler turns nodes into closures and collects the free names.
type compiler struct {
	locals    []string
	filters   int  // depth of filters, where any name may be a field
	partial   bool // the name "partial" was read
	variables []string
	unknown   []string
}

func (c *compiler) local(name string) bool {
	for _, local := range c.locals {
		if local == name {
			return true
		}
	}
	return false
}

// with compiles n where the names are bound.
func (c *compiler) with(n node, names ...string) code {
	mark := len(c.locals)
	c.locals = append(c.locals, names...)
	compiled := n.compile(c)
	c.locals = c.locals[:mark]
	return compiled
}

func (c *compiler) free(name string) {
	for _, known := range c.variables {
		if known == name {
			return
		}
	}
	c.variables = append(c.variables, name)
}

// node is one node of the syntax tree.
type node interface {
	compile(c *compiler) code
}

type (
	literalNode struct{ value Value }
	nameNode    struct{ name string }
	logicNode   struct {
		or          bool
		left, right node
	}
	compareNode struct {
		op          string
		left, right node
	}
	betweenNode struct{ value, low, high node }
	inNode      struct {
		value node
		tests []test
	}
	// test is one unary test: op value, a value, or not(inner…).
	test struct {
		op      string
		value   node
		asks    bool // it uses "?", so its own boolean is the answer
		negated bool
		inner   []test
	}
	arithmeticNode struct {
		op          byte
		left, right node
	}
	negateNode   struct{ operand node }
	instanceNode struct {
		value node
		of    *typeName
	}
	pathNode struct {
		value node
		name  string
	}
	filterNode struct{ value, filter node }
	callNode   struct {
		callee node
		args   []node
		names  []string // empty: by position
	}
	listNode  struct{ items []node }
	rangeNode struct {
		op                    string // one-sided: the comparison with low
		low, high             node
		lowClosed, highClosed bool
	}
	contextNode struct {
		keys   []string
		values []node
	}
	functionNode struct {
		params   []string
		types    []*typeName
		external bool
		body     node
	}
	ifNode   struct{ condition, then, otherwise node }
	iterator struct {
		name        string
		source, end node // end: source is the start of a range
	}
	forNode struct {
		iterators []iterator
		body      node
	}
	quantifiedNode struct {
		every     bool
		iterators []iterator
		body      node
	}
)

func (n *literalNode) compile(*compiler) code {
	value := n.value
	return func(*env) Value { return value }
}

func (n *nameNode) compile(c *compiler) code {
	name := n.name
	if name == "partial" {
		c.partial = true
	}
	if c.local(name) || c.filters > 0 {
		if !c.local(name) && builtins[name] == nil {
			c.free(name)
		}
		return func(e *env) Value {
			if v, ok := e.lookup(name); ok {
				return v
			}
			return absent(e, name)
		}
	}
	if builtins[name] == nil {
		c.free(name)
	}
	return func(e *env) Value {
		if e.run.scope != nil {
			if v, ok := e.run.scope.Lookup(name); ok {
				return v
			}
		}
		return absent(e, name)
	}
}

func absent(e *env, name string) Value {
	if b := builtins[name]; b != nil {
		return Value{kind: KindFunction, ref: &function{builtin: b}}
	}
	return e.run.warn("there is no variable ", name)
}

func (n *logicNode) compile(c *compiler) code {
	left, right, decides := n.left.compile(c), n.right.compile(c), n.or
	return func(e *env) Value {
		a, aOK := left(e).Bool()
		if aOK && a == decides {
			return Bool(decides)
		}
		b, bOK := right(e).Bool()
		switch {
		case bOK && b == decides:
			return Bool(decides)
		case aOK && bOK:
			return Bool(!decides)
		}
		return Null
	}
}

func (n *ifNode) compile(c *compiler) code {
	condition, then, otherwise := n.condition.compile(c), n.then.compile(c), n.otherwise.compile(c)
	return func(e *env) Value {
		if holds, _ := condition(e).Bool(); holds {
			return then(e)
		}
		return otherwise(e)
	}
}

func (n *arithmeticNode) compile(c *compiler) code {
	left, right, op := n.left.compile(c), n.right.compile(c), n.op
	return func(e *env) Value { return arithmetic(e.run, op, left(e), right(e)) }
}

func (n *negateNode) compile(c *compiler) code {
	operand := n.operand.compile(c)
	return func(e *env) Value {
		switch v := operand(e); v.kind {
		case KindNumber:
			return negateNumber(v)
		case KindDuration:
			return durationValue(-v.num, -int64(v.nano))
		case KindMonths:
			return monthsValue(-v.num)
		default:
			return e.run.warn("the negative of a ", v.kind.String())
		}
	}
}

func (n *compareNode) compile(c *compiler) code {
	left, right := n.left.compile(c), n.right.compile(c)
	holds := comparison(n.op)
	return func(e *env) Value { return holds(e.run, left(e), right(e)) }
}

func (n *betweenNode) compile(c *compiler) code {
	value, low, high := n.value.compile(c), n.low.compile(c), n.high.compile(c)
	return func(e *env) Value {
		v := value(e)
		return both(atLeast(e.run, v, low(e)), atMost(e.run, v, high(e)))
	}
}

func (n *inNode) compile(c *compiler) code {
	value, tests := n.value.compile(c), compileTests(c, n.tests)
	return func(e *env) Value { return tests(e.bind("?", value(e))) }
}

// compileTests is true if any of the tests holds of "?".
func compileTests(c *compiler, tests []test) code {
	all := make([]code, len(tests))
	for i := range tests {
		all[i] = compileTest(c, &tests[i])
	}
	return func(e *env) Value {
		answer := Bool(false)
		for _, one := range all {
			holds := one(e)
			if b, ok := holds.Bool(); ok && b {
				return holds
			} else if !ok {
				answer = Null
			}
		}
		return answer
	}
}

func compileTest(c *compiler, t *test) code {
	if t.negated {
		inner := compileTests(c, t.inner)
		return func(e *env) Value {
			if b, ok := inner(e).Bool(); ok {
				return Bool(!b)
			}
			return Null
		}
	}
	value := c.with(t.value, "?")
	switch {
	case t.op != "":
		holds := comparison(t.op)
		return func(e *env) Value { return holds(e.run, e.value, value(e)) }
	case t.asks:
		return value
	}
	return func(e *env) Value { return matches(e.run, e.value, value(e)) }
}

func (n *listNode) compile(c *compiler) code {
	items := make([]code, len(n.items))
	for i := range n.items {
		items[i] = n.items[i].compile(c)
	}
	return func(e *env) Value {
		values := make([]Value, len(items))
		for i := range items {
			values[i] = items[i](e)
		}
		return makeList(e.run, values)
	}
}

func (n *contextNode) compile(c *compiler) code {
	mark := len(c.locals)
	keys := n.keys
	values := make([]code, len(n.values))
	repeated := false
	for i := range n.values {
		values[i] = n.values[i].compile(c)
		for _, earlier := range keys[:i] {
			repeated = repeated || earlier == keys[i]
		}
		c.locals = append(c.locals, keys[i])
	}
	c.locals = c.locals[:mark]
	return func(e *env) Value {
		if repeated {
			return e.run.warn("a context with the same key twice")
		}
		entries := make([]Entry, len(values))
		for i := range values {
			v := values[i](e)
			entries[i] = Entry{keys[i], v}
			e = e.bind(keys[i], v)
		}
		return makeContext(e.run, entries)
	}
}

func (n *rangeNode) compile(c *compiler) code {
	low := n.low.compile(c)
	if n.op != "" {
		op := n.op
		return func(e *env) Value { return oneSided(e.run, op, low(e)) }
	}
	high := n.high.compile(c)
	return func(e *env) Value {
		return makeRange(e.run, interval{low: low(e), high: high(e), lowClosed: n.lowClosed, highClosed: n.highClosed})
	}
}

func (n *pathNode) compile(c *compiler) code {
	value, name := n.value.compile(c), n.name
	return func(e *env) Value { return property(e.run, value(e), name) }
}

func (n *filterNode) compile(c *compiler) code {
	value := n.value.compile(c)
	c.filters++
	filter := c.with(n.filter, "item")
	c.filters--
	return func(e *env) Value {
		v := value(e)
		if v.IsNull() {
			return Null
		}
		items := v.Items()
		if v.kind != KindList {
			items = []Value{v}
		}
		// The filter is evaluated per item; if it is a number it was an index.
		var kept []Value
		for i, item := range items {
			if !e.run.spend(2) {
				return Null
			}
			inner := e.bind("item", item)
			inner.fields = item.kind == KindContext
			answer := filter(inner)
			if answer.kind == KindNumber && i == 0 {
				return at(items, answer)
			}
			if holds, _ := answer.Bool(); holds {
				kept = append(kept, item)
			}
		}
		return makeList(e.run, kept)
	}
}

// at is the n-th item, from 1, or from the end if negative.
func at(items []Value, index Value) Value {
	n, ok := index.Int64()
	if ok && n < 0 {
		n += int64(len(items)) + 1
	}
	if !ok || n < 1 || n > int64(len(items)) {
		return Null
	}
	return items[n-1]
}

func (n *instanceNode) compile(c *compiler) code {
	value, of := n.value.compile(c), n.of
	return func(e *env) Value {
		if of.kind == typeUnknown {
			return e.run.warn("there is no type ", of.name)
		}
		v := value(e)
		if !e.run.spend(v.weight() / 8) {
			return Null
		}
		return Bool(of.holds(v, true))
	}
}
