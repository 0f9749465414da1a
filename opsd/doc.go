// Package opsd is the back office: it reads what the core exported to Kafka,
// keeps it, and answers operators. It can be down for days without a payment
// noticing, and it never edits one.
//
// Begin with Open; then
//
//	v1/       the API as a contract
//	consume/  Kafka into the store, exactly once
//	store/    SQLite or Postgres: events, payments, audit, positions
//	audit/    the hash chain
//	api/      the API's answers, masked but for one
//
// The operators' screen will live in ui/ and be served beside the API; it comes
// with reconciliation (recon/) and approvals (approve/). Authentication is not
// here yet: an address beyond loopback is refused unless clients must show a
// certificate.
package opsd
