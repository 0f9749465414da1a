// Package leader acts on the engine's hints while its node leads: it steps the
// connectors that serve jobs, performs their effects and proposes what came of
// it, fires timers, and lets retention run.
//
// Everything it holds is a copy of what the rows say. A new leader finds all
// pending work in the state, so this package persists nothing, and stopping in
// the middle of anything is always allowed: an effect that was intended and not
// answered is then in doubt, and the rules for that are in effect.go.
//
// It does not decide what a payment does next; engine does. It does not serve
// requests from outside; core/ingress does.
//
// Begin with Leader.Lead, then stepper.go, which gives jobs their first step, and
// attempt.go, which is the rest of the life of one job's attempt.
package leader
