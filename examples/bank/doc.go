// Package bank is a small double-entry ledger with an HTTP interface: the core
// banking system (AMS) that Railhead's examples and end-to-end tests pay from.
// It is real where a payment hub leans on its counterpart: every posting is
// balanced, amounts are integers of minor units, holds reduce what is available,
// and an idempotency key is stored in the same database transaction as the
// entries it guards. It is not a bank: it knows no interest, no limits, no users.
//
// Begin with Ledger in ledger.go: post is the only way money moves, and perform
// in operation.go is the only way in. Store in store.go is the database beneath
// (SQLite or Postgres, one SQL text for both), Server in server.go the HTTP face,
// described by openapi.yaml.
//
// Two switches make it a bank that is hard to integrate with. Keys = KeysIgnored
// executes every POST again, as many real systems do; a client must then enquire
// by business reference. Faults (fault.go) loses an answer after the deed, or a
// request before it.
package bank
