// Package store keeps what opsd knows: every event as the core wrote it, the
// projection of every payment, the identifiers a payment can be found by, the
// audit chain, the records that could not be read, and how far each partition has
// been consumed. One Store over two databases: SQLite, the embedded default, and
// Postgres.
//
// Begin with Store.Apply: one transaction takes a batch of records, the positions
// behind them and everything they produce, so that a crash at any point repeats
// nothing and loses nothing. The rest is reading.
//
//	apply.go       a batch becomes rows, exactly once
//	payment.go     how events fold into a payment
//	position.go    who consumes, and from where: the fence
//	list.go        filters and pages
//	timeline.go    the events of a payment
//	deadletter.go  records that could not be read, and their replay
//	auditlog.go    the stored audit chain
//	sqlite.go postgres.go  what the two databases do differently
//
// Exactly once. A record is recognised by its id (cluster, incarnation, index, n).
// An id above the payment's last one is new; any other is looked up, so that a
// record exported twice is dropped and one that arrives late is not. Whoever
// consumes holds a claim with an epoch, and a batch commits only under the epoch
// and the positions it began with.
//
// What is not here yet: encryption per subject, partitions by day and archives.
// Raw events hold personal data in the clear; guard the database accordingly.
package store
