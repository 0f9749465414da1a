// Package twin is a second interpreter for a subset of BPMN, so simple that a
// reader can hold it against the standard: tokens are pointers, variables are Go
// maps, nothing is saved, undone, bounded or fenced. The engine's simulation runs
// both on random flows and compares, after every step, what was entered and
// created, what is open, and every variable.
//
// It shares with the engine what it does not doubt, the parsed process and FEEL,
// and none of its code for execution.
//
// The subset is what generated flows use: every element the engine runs but message,
// timer and signal start events of a process. Time, messages, signals, finished jobs
// and user tasks, and errors of jobs are given to it by the caller.
//
// How it differs, on purpose: one payment at a time, so no correlation between
// payments and no buffered messages; signals come at once, those a payment throws
// nowhere; a job is completed or ends with an error, without attempts, effects and
// doubt; where a person would have to look it stops (Stuck); it has no limits but
// one against going round for ever; and no operator, so nothing is cancelled, moved
// or migrated.
//
// Begin with payment.go, then element.go; gateway.go, inside.go (sub-processes and
// loops) and throw.go (errors, escalations, compensation) are one subject each.
package twin
