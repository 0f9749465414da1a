package feel

import "strings"

// Limits of one evaluation.
const (
	maxBudget   = 1 << 20 // for iterations, calls, and what is built, compared or searched
	maxCalls    = 32      // nesting of function calls
	maxWarnings = 8
	smallWork   = 1000 // of an evaluation that a Meter is not told of
)

// tooMuch warns of an evaluation beyond its budget.
const tooMuch = "the expression takes too much work or memory"

// run is one evaluation. Its root environment is inside it, which saves an
// allocation.
type run struct {
	scope    Scope
	budget   int32
	calls    int32
	warnings *[]string // nil: nobody asks
	read     []reading // by the expression's variables; nil: none is read twice
	root     env
}

// reading is a variable that was read from the scope.
type reading struct {
	value     Value
	done, has bool
}

// variable reads a variable from the scope, once.
func (r *run) variable(name string, slot int) (Value, bool) {
	if r.scope == nil {
		return Null, false
	}
	if slot < 0 || r.read == nil {
		return r.scope.Lookup(name)
	}
	was := &r.read[slot]
	if !was.done {
		was.value, was.has = r.scope.Lookup(name)
		was.done = true
	}
	return was.value, was.has
}

// spend takes from the budget. Once it is used up everything gives null.
func (r *run) spend(n int) bool {
	if int(r.budget) < n {
		if r.budget >= 0 {
			r.warn(tooMuch)
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

// lookup finds a name in the environment or, as a variable with its slot, in the
// scope.
func (e *env) lookup(name string, slot int) (Value, bool) {
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
	return e.run.variable(name, slot)
}
