// Package framing tells frames apart on a stream of bytes, and puts them on one: by
// a length in front of each or by a delimiter behind it, as a link's manifest or its
// tenant says. It is pure: it reads and writes no connection.
//
// What does not fit the framing is an Error. Nothing that follows on the stream can
// be trusted then, so the connection is to be closed; a new one begins afresh.
//
// Begin with Framing.
package framing
