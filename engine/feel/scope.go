package feel

// Scope gives an expression its variables.
type Scope interface {
	// Lookup is the value of a variable; ok is false if there is none.
	Lookup(name string) (v Value, ok bool)
}

// Texts is a Scope that has its variables as JSON texts. A condition that only
// compares one with a string then reads it in place, which saves an allocation.
type Texts interface {
	// LookupJSON is the text of a variable, which is only read; ok is false if there is
	// none, or none that is a text.
	LookupJSON(name string) (text []byte, ok bool)
}

// Meter is a Scope that counts the work done for it, to bound many evaluations
// together. Small ones are not told.
type Meter interface {
	// Spent is told the work of an evaluation; a unit is a step of a for expression,
	// a call, or an item that was built, compared or searched.
	Spent(work int)
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
