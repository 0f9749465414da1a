// Package link keeps the TCP connections of connectors' links: it opens them while
// its node leads, steps the connector for what comes over them, and sends what jobs
// and the queues of forwarded frames have for them.
//
//	a frame that comes     FrameKey says what it answers: a round trip of a job, a
//	                       forwarded frame, or nothing; then it is a Frame of its own
//	                       (inbound.go)
//	a round trip, a send   of a job that core/leader has in the log already
//	                       (roundtrip.go)
//	a forwarded frame      from the rows, in order, until it is acknowledged
//	                       (forward.go)
//
// Both directions are one room since they share a connection: an answer comes in
// among the requests of the other side, and a sign-on must go out before anything
// else does.
//
// It does not know what a frame means: connectors do. Nothing here is durable; a new
// leader signs on again, forwards from the rows, and finds the round trips that have
// no answer in doubt.
//
// Begin with Links.Lead, then link.go.
package link
