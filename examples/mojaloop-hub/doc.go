// Package mojaloophub simulates a Mojaloop scheme for tests and demonstrations: an
// FSPIOP 1.0/1.1 hub with one payee DFSP behind it, both in one process.
//
// It validates requests as strictly as the reference validators do, answers 202 and
// sends every result as a callback, knows when a repeated request is a duplicate
// (same id, same content: the same callback again) and when it is a conflict (3106),
// answers enquiries from its own state, and makes real ILP packets. The payee keeps
// a ledger of what it credited, so that a test can prove "credited exactly once".
// Faults are chosen per resource, see Fault.
//
// State is in memory and ends with the process. That is enough for a counterparty:
// what survives a crash is the business of the hub under test, not of this one.
// It signs nothing and demands no client certificates.
//
// Begin with New in server.go, then transfer.go.
package mojaloophub
