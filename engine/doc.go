// Package engine is the pure heart of Railhead: it says how a payment advances
// through its BPMN flow, and nothing else.
//
// The whole package is one function, Apply: given an ordered key space (Tx), the
// stamp of a log entry and a command, it changes rows and returns events and
// hints. No clock, randomness, network, file, goroutine or map order lives in
// here, so every replica that applies the same commands reaches the same bytes,
// and a test is a text file of commands.
//
// Begin with testdata/life_of_a_payment.txt, which shows one payment from start
// to receipt. Then:
//
//	v1/engine.proto  the vocabulary: commands, events, rows
//	store.go         the seam to whatever keeps the rows
//	apply.go         the dispatch, undo and quarantine
//	instance.go      tokens moving through a flow
//	job.go           a task's activation, its attempts and its fence
//	effectkey.go     outside effects: intended, answered, in doubt
//	message.go timer.go incident.go receipt.go …  one noun each
//	bpmn/ feel/      flows and expressions, checked before they run
//	enginetest/      scripts, the Tx suite, the in-memory Tx
//
// What Apply does not do: decide when a timer is looked at, run a connector, write
// a log or talk to Kafka. That is core's work; hints tell core that there is some.
//
// A refusal is a reply with a code (see code.go), never a Go error. A command
// that panics, or finds rows it cannot explain, is undone whole and its payment is
// quarantined behind an incident; other payments do not notice.
package engine
