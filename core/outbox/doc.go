// Package outbox keeps what the engine tells the world until Kafka has it.
//
// Every node writes every event to segment files of its own, in log order, as it
// applies the log (Log). Nothing is fsynced while it does so: the checkpoint
// that records how far the files reach syncs them, and a restart cuts them back
// to that position and writes the rest again, identically, by replaying the log.
// Only the leader exports (Exporter); how far it has come is a replicated row,
// and segments wholly below it are deleted.
//
// The package knows no Raft and no engine state: core/replica appends to the
// Log, core's node hands the Exporter a way to propose and to read the cursor.
// Begin with log.go, then record.go, reader.go and export.go.
package outbox
