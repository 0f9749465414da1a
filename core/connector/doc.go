// Package connector knows the installed modules of a node: which blob they are,
// what their manifest says, which of them serves a job type or an HTTP route for
// a tenant, and which endpoints that tenant has bound for it.
//
// What is installed and active is decided by the log and read from the engine's
// rows; this package only holds what the rows point at: blobs by digest,
// compiled modules, parsed tenant configurations. It steps modules but performs
// no effect and proposes nothing; core/leader and core/ingress do.
//
// Begin with Registry.
package connector
