// Package enginetest holds what the engine and everything that runs it are tested
// with: the in-memory Tx, the suite every Tx passes, and scripts. It is for tests
// only.
//
// A script is a text file of commands, each followed by ---- and what happened:
//
//	complete payment=p1 job=4
//	{"transferPrepareFailed": false}
//	----
//	p1/7 job-completed hold …
//
// Env.Handle lists the verbs, each with an example. RunScripts runs the files of a
// folder; with -rewrite it writes what happened, and the diff is then to be read
// and understood before it is committed.
package enginetest
