// Package replay runs one payment again: the same flow, or another version of it, is
// driven through the engine with what the outside world once answered, at the times
// it answered.
//
// The log of a cluster is cut off behind its snapshots, but a payment's events are
// kept (railhead.events.v1, by opsd), and whatever came to a payment from outside is in
// them: its first variables, the outcomes of its jobs with their variables, messages,
// signals, timers, the acts of people. Run makes commands of these inputs (input.go)
// and applies them to an engine on rows in memory. Between them the engine alone
// decides, so the events it makes must be the recorded ones; where they are not, the
// flow or the engine is another than it was.
//
// With another version of the flow an input goes to whoever asks the same: a job's
// outcome to the job of the same element, else of the same type; a message to the
// element that waits for one of that name (match.go). Where the new life asks what
// nobody was ever asked, it stops, and Result.Wants says what it would need. That
// answers what the other version would have done, and not what the outside world
// would have said to it.
//
// What connectors did inside a job (effects, their answers, own events) is not run
// again: a job's outcome is what counts. These events are left out of the comparison,
// as are numbers that only count (tokens, jobs, log positions).
//
// Nor are versions of connectors among a payment's events, but the incidents of revoked
// ones are: they come about again, as they did (connector.go).
//
// A replay changes nothing outside and needs no cluster. It needs the variables as
// they were, so whoever asks for the events must be allowed to see them.
//
// Begin with Run in replay.go.
package replay
