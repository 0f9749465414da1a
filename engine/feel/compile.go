package feel

import (
	"slices"
	"strings"
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src       string
	run       code
	variables []string
	unknown   []string
	literals  []Value
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
		p.failf("an operator or the end expected, not %q", firstRune(src[p.at:]))
	}
	if p.err != nil {
		return nil, p.err
	}
	c := &compiler{}
	run := root.compile(c)
	return &Expr{src: src, run: run, variables: c.variables, unknown: c.unknown, literals: c.literals}, nil
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
	literals  []Value
}

func (c *compiler) local(name string) bool {
	return slices.Contains(c.locals, name)
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
	if !slices.Contains(c.variables, name) {
		c.variables = append(c.variables, name)
	}
}
