// Package egress performs the HTTP calls that connectors ask for. It is the only
// way out of a node for a connector, and it holds everything a connector must
// not: sockets, TLS, addresses, secrets, retries and limits.
//
// An Endpoint is one address that one tenant has bound for one connector. It
// refuses to reach anything else: host and port are those of its URL, the
// address is checked after it was resolved, when the connection is made, and a
// redirect comes back as data. Endpoint.Do sends one request and says what
// became of it in the terms of an effect: done, certainly not done, or unknown.
//
// It is not a cache, not a router and no judge of a response's meaning: beyond
// the table in classify.go the connector reads the answer. Begin with Do.
package egress
