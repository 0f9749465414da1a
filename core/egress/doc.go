// Package egress performs the HTTP calls that connectors ask for. But for the links
// of core/link it is the only way out of a node for a connector, and it holds
// everything a connector must not: sockets, TLS, addresses, retries and limits. The
// secrets that it puts in are core/secret's.
//
// An Endpoint is one address that one tenant has bound for one connector. It
// refuses to reach anything else: host and port are those of its URL, the
// address is checked after it was resolved, when the connection is made, and a
// redirect comes back as data. Endpoint.Do sends one request and says what
// became of it in the terms of an effect: done, certainly not done, or unknown.
//
// What is known of a peer, that it is down above all, is known to all that call it:
// Gates keep it by tenant, connector and endpoint, whatever version of configuration
// or module a call comes from.
//
// It is not a cache, not a router and no judge of a response's meaning: beyond
// the table in classify.go the connector reads the answer. Begin with Do.
package egress
