// Package api answers opsd/v1's OpsService from the store. It reads; nothing here
// changes a payment.
//
// Begin with Service; then
//
//	timeline.go  events as people read them, with gaps and latencies
//	exchange.go  what a connector asked and was answered, decoded by field number
//	mask.go      personal data, masked in everything that leaves
//	reveal.go    and the one answer that is not masked, which the audit chain has first
//	watch.go     payments as they change
//	token.go     page and resume tokens
//	handler.go   the service, health and reflection behind one HTTP handler
//
// Who may call what is declared on every method in opsd/v1 (option access) and
// enforced once authentication is there; until then the server binds to loopback
// or asks for client certificates.
package api
