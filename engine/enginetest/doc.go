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
//
// A simulation begins with a seed. Generate draws flows from it that use every
// element and in which every payment can end; a Workload lives a random history on
// them, of jobs, messages, time and operators, and drains it at the end. Simulation
// crashes nodes on the way and compares replicas; Comparison runs the same flows on
// the engine and on twin, the second interpreter; core/replica runs the workload on
// the real store. "make sim" does all three; a seed that fails is printed with the
// command that runs it again.
package enginetest
