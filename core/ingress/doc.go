// Package ingress serves the HTTP routes of connectors: requests from channels
// and callbacks from schemes. Any node serves them.
//
// A request's history lives in this node's memory and ends with the request, so
// a connector may only use effects that are repeatable or are commands with keys
// of their own: Http to a safe endpoint, those that need keys or tokens, Query,
// StartPayment, Publish, Emit, Sequence and AwaitResult (core/exchange). Whatever the
// connector replies after a command was committed, the command stands; a caller that
// gets no reply asks again with the same key.
//
// It does not know what a request means: connectors do. Who may call a route is
// what the tenant says (core/caller), and of which it says nothing nobody may.
//
// Begin with Handler.answer. Requests come to it from two servers: Front reads the
// plain ones itself, which are nearly all, and leaves every other to net/http
// (parse.go says which is which).
package ingress
