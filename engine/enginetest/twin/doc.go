// Package twin is a second interpreter for a subset of BPMN, so simple that a
// reader can hold it against the standard: tokens are pointers, variables are Go
// maps, nothing is saved, undone, bounded or fenced. The engine's simulation runs
// both on random flows and compares, after every step, what was entered and
// created, what is open, and every variable.
//
// It shares with the engine what it does not doubt, the parsed process and FEEL,
// and none of its code for execution.
//
// The subset: none start events; service and receive tasks, undefined tasks,
// exclusive, parallel and event-based gateways, links, timer and message catch
// events, boundary timers and messages interrupting and not, call activities,
// mappings, ends with results and terminate.
//
// How it differs, on purpose: one payment at a time, so no correlation between
// payments and no buffered messages; a job is completed or not, without attempts,
// effects and doubt; no incidents, so flows that need a person are left out; no
// limits; an overdue cycle is not skipped, since time here stops at every timer.
package twin
