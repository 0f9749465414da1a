// Package audit is the hash chain over everything an operator or administrator
// did: what an entry is, how it is hashed, and how a chain is verified. It does
// not store anything; opsd/store writes entries in the transaction of the act
// they record.
//
// The chain finds entries that were changed, removed or reordered. It cannot
// find a truncated tail by itself: for that a head must have been kept where
// whoever owns the database cannot write, and Verifier.Expect takes one.
//
// Begin with Entry.
package audit
