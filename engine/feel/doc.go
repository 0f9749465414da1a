// Package feel compiles and evaluates FEEL, the expression language of DMN 1.3, as
// flows use it in conditions, correlation keys, timers and mappings.
//
// Numbers are decimals of 34 digits, never floats. Dates, times and durations are
// civil types of this package, the time zones are embedded, and there is no clock:
// now() answers only if the scope is a Clock. So an expression gives the same value
// on every replica.
//
// What goes wrong in an evaluation gives null, as DMN has it; EvalWithWarnings says
// why. An expression cannot panic, and its work, memory and nesting are bounded.
//
// What it is not: a decision engine. Decision tables and boxed expressions have no
// place in a flow's text.
//
// An expression is compiled once, at deployment, to closures; most conditions of a
// flow are plain and then take no memory at all.
//
// Begin with Compile in compile.go, then grammar.go, node.go, run.go and plain.go;
// builtin_*.go hold the functions. "make tck" scores it.
package feel
