// Package keys holds the keys that connectors use without ever seeing them: to
// sign, verify, MAC and encrypt by reference, and to turn values such as card
// numbers into tokens and back.
//
// A [Ring] is one connector's keys as one version of a tenant's configuration
// binds them. A key is a file of the node, in the secrets' directory under the
// tenant, or an object in a PKCS#11 token. Each binding names the algorithms and
// the uses it is for, and does nothing else. Files are looked at with every use,
// so that a key is rotated by replacing its file; of a key's versions the first
// signs and any verifies.
//
// What an answer holds, and nothing more, leaves this package: no key, PIN or
// value is part of an error or a log line. File contents, symmetric keys and the
// bytes of PINs are zeroed when they are no longer needed. What Go does not let us
// zero are the numbers inside parsed RSA and elliptic-curve keys, the schedules of
// block ciphers, and the PIN as the text that the PKCS#11 binding wants: they live
// until the garbage collector takes them, and a dump of the node's memory shows
// them. Keys that must not be in the node's memory belong in a token.
//
// Every effect here is repeatable: it changes nothing, and a leader that takes
// over may do it again. Signatures by PS256 and ES256 and everything encrypted by
// A256GCM or RSA-OAEP-256 are random and come out otherwise the second time; that
// is harmless, since the answer goes into the log with the first command that can
// have made use of it.
//
// It decides nothing about when an effect may be performed; core/leader and
// core/ingress do. Begin with [Ring.Do], then algorithm.go for what there is.
package keys
