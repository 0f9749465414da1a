// Package signing says what an ed25519 signature of a connector's module covers, and
// when a module has enough of them. It is pure: it reads no files and knows no clock.
// The command line signs with it, every node verifies with it, and an author may.
//
// A signature covers a Statement: the module's bytes, its manifest, its name and
// version, who wrote it, who signs, for which tenant, and for what. A Policy holds the
// roots: the public keys that a node trusts, by the names of those who keep the
// private ones, which never come near a node.
//
// Begin with Statement and Policy.Verify.
package signing
