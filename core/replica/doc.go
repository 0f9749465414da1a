// Package replica is the replicated state machine: it orders commands by Raft,
// applies them to the rows of the engine, and keeps those rows.
//
// It is hashicorp/raft with raft-wal as the log, a working set of decoded rows
// in memory, and a bbolt file beneath it: the checkpoint. Applying an entry
// touches memory only. In the background, every few seconds, one frozen
// generation of changes is written to the checkpoint in one fsynced transaction
// together with the index, the stamp, the outbox position and the state hash it
// reflects. A restart opens the file and applies the log from there on; a
// follower that is too far behind is sent the file. No other package imports
// raft or bbolt.
//
// What it is not: it knows nothing of payments beyond the engine's tables, does
// no work on behalf of the leader (core/leader does), and sends nothing to Kafka
// (core/outbox does).
//
// Begin with replica.go, the doors. Then follow a command: propose.go packs it
// with others into an entry, apply.go carries the entry out, store.go and
// table.go hold the rows, checkpoint.go and disk.go bring them to the disk (chore.go
// without stopping the apply loop, settle.go and rest.go out of memory),
// snapshot.go carries them to another node. office.go is what a leader does
// before anybody may propose, contact.go how it knows that it still leads, hash.go
// how nodes notice that they differ, failure.go how one that cannot write stops.
package replica
