// Package exchange runs connectors for what comes from outside and is no job: an
// HTTP request (core/ingress) or a frame of a TCP link (core/link). The history of
// an exchange is in this node's memory only, so the connector may use no effect
// that must not happen twice: only what may be repeated, and commands to the log
// that are durable by themselves.
//
// Jobs, whose history is in the log, are core/leader's.
//
// Begin with Host.Run.
package exchange
