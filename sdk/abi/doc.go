// Package abi is the boundary between a connector and its host, version 1: the
// names, the memory rules and the numbers that both sides must agree on. What
// the bytes mean is in sdk/v1/connector.proto; why it is so is in
// sdk/RATIONALE.md. To write a connector in Go begin with sdk/go; to port the
// SDK to another language, this page and the proto file are all you need.
//
// # A connector module
//
// A connector is a WebAssembly 2.0 core module (no threads, tail calls,
// exceptions or other later proposals) that is a reactor: it has no _start, and
// it keeps no open work between calls. It exports
//
//	railhead_abi_v1()                      a marker that is never called: the major version
//	memory                                 its one linear memory
//	_initialize()                          optional; called once, before anything else
//	railhead_buf(n i32) -> i32             the address of an input buffer of at least n bytes
//	railhead_step(ptr i32, len i32) -> i64 one step: reply address << 32 | reply length
//
// and imports nothing but
//
//	railhead.log(level i32, ptr i32, len i32)
//
// and, for languages whose runtime insists on it, the functions of
// wasi_snapshot_preview1 that sdk/host lists. They are stand-ins: the clock is
// the step's Now, random bytes come from the step's seed, standard output and
// standard error are log lines, there are no files, arguments or environment.
// Any other import is refused by name before the module is compiled.
//
// # One step
//
// The host encodes a StepRequest, asks railhead_buf for room, writes the bytes
// there and calls railhead_step with the same address and the length. The guest
// answers with the address and length of an encoded StepReply.
//
//   - The input buffer is stable: the same address until a larger n is asked
//     for. The host asks again only when it needs more room. While
//     railhead_step runs the bytes belong to the guest, which may overwrite
//     them.
//   - The reply is valid until the next call of any export. The host copies it
//     at once.
//   - The memory may grow during a call; addresses stay what they are.
//   - The host never calls the guest from inside railhead.log, and calls one
//     instance from one thread at a time.
//   - A trap, or a reply outside the memory, ends the instance for ever. A
//     guest that wants to report its own error returns StepReply.error. One that
//     no longer can, since its language aborts on a panic, logs the reason at
//     LevelError and traps: the step's last such line goes into the host's error.
//
// An instance serves every payment of one tenant, in any order, interleaved. A
// guest therefore keeps nothing between calls that could change an answer;
// caches of pure results are fine.
//
// # History
//
// A connector is written as if its effects were answered at once. The guest
// runs it from the beginning in every step. It numbers the effects 1, 2, 3 … in
// the order they are asked for (Effect.ordinal) and holds the n-th entry of the
// history against the n-th effect:
//
//   - The entry's digest must equal [Digest] of the effect's canonical encoding,
//     ordinal included. If it does not, the step ends with a Mismatch that
//     carries the ordinal, want = the entry's digest, got = the effect's, and the
//     effect itself. The code is not deterministic, or is not the code that
//     wrote the history.
//   - If it does, the entry's answer is what the connector receives, and the
//     guest's clock moves to the entry's time.
//   - An answer to an Http effect that holds nothing (an Answer without a kind)
//     belongs to an effect that was settled as done by enquiry. The connector
//     receives InDoubt with a reason that says so, and never a failure.
//   - When there is no n-th entry the step ends: the reply holds that effect
//     alone (or, in an SDK that can run effects side by side, all effects that
//     wait, in ordinal order).
//   - When the connector finishes, the reply holds the outcome. History left
//     over at that point is a Mismatch too: ordinal of the first entry that was
//     not consumed, got = 0, no effect.
//
// The guest's clock is the trigger's time until the first entry is consumed.
// Its randomness is derived from StepRequest.seed alone, so that every run of
// one history draws the same numbers.
//
// A Checkpoint effect, once answered with Done, replaces the history: from then
// on requests carry StepRequest.state and a history whose first entry is the
// checkpoint's own. The guest begins the connector anew with that state; the
// next ordinal is the checkpoint's plus one.
//
// # Encoding
//
// Protocol Buffers, canonical: fields ascending, defaults omitted, shortest
// varints, no maps. A decoder accepts any valid protobuf; an encoder of effects
// writes the canonical form, because digests are taken over the bytes. Golden
// bytes are in sdk/v1/testdata; pinned digests are in this package's tests.
package abi
