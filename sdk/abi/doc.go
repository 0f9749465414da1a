// Package abi is the boundary between a connector and its host, version 1: the
// names, the memory rules and the numbers that both sides must agree on. What
// the bytes mean is in sdk/v1/connector.proto; why it is so is in
// sdk/RATIONALE.md. To write a connector in Go begin with sdk/go; to port the
// SDK to another language, this page, the numbers of this package (limit.go, name.go,
// failure.go) and the proto file are all you need: sdk/assemblyscript was written so.
// sdk/parity then holds the port to the other SDKs by a connector, the echo, that you
// write in it.
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
// Of those functions clock_time_get, random_get, fd_write, args_sizes_get,
// environ_sizes_get, sched_yield and poll_oneoff do something, proc_exit ends the
// instance, and whatever is about files says that there is no such thing. A language
// that can do without all of them should.
//
// The module's custom section railhead.manifest is the encoded Manifest of the proto
// file, with the minor version of the contract it was built for ([ContractMinor]). "railhead connector build" writes it from manifest.json; a language that it
// does not know is a file in sdk/build, which has to say how a folder is recognised
// and which command makes a module of it.
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
//   - An answer to an Http or RoundTrip effect that holds nothing (an Answer
//     without a kind) belongs to an effect that was settled as done by enquiry.
//     The connector receives InDoubt with a reason that says so and no key, and
//     never a failure.
//   - Any effect may be answered by Failure or InDoubt. The comment of each answer
//     in the proto file says what else it answers: Done answers Sleep, Emit,
//     Checkpoint, Send and Forward; BytesAnswer RoundTrip, Sign, Mac and Encrypt;
//     BoolAnswer Verify; TextAnswer Tokenize and Detokenize. An answer of another
//     kind is a host's mistake, and for the connector a Failure with
//     [FailureInvalid].
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
// next ordinal is the checkpoint's plus one, and its clock stands at the time of
// that first entry. A state is never empty: a request without a state is one whose
// history begins at 1.
//
// A step that has history left to consume writes no log lines: an earlier step of
// the same history has written them.
//
// # Outcomes
//
// A job and a schedule's run end with Complete, Fail, BpmnError or Doubt, an
// HttpRequest with a Reply of a status from 100 to 599, a Frame with Frames, a
// FrameKey with a MatchKey. Settlements go with any of a job's. What a connector does
// not serve it answers as well, the same in every SDK: an unknown job type or
// schedule with a Fail that is not retryable (code UNKNOWN_JOB or UNKNOWN_SCHEDULE), an
// unknown route with a Reply of status 404, a frame of an unknown link with no Frames
// or an empty MatchKey, and a trigger of a kind it does not know with a Fail of code
// UNKNOWN_TRIGGER.
//
// # Encoding
//
// Protocol Buffers, canonical: fields ascending, defaults omitted, shortest
// varints, no maps. A decoder accepts any valid protobuf; an encoder of effects
// writes the canonical form, because digests are taken over the bytes. Golden
// bytes are in sdk/v1/testdata; pinned digests are in this package's tests.
//
// Field names and numbers are all that a hand-written codec needs to know of
// Protocol Buffers: varint is wire type 0, fixed64 is 1 and little-endian, strings,
// bytes and messages are 2; all others are skipped. int64 is a varint of its two's
// complement. A string is valid UTF-8: a language whose strings can hold lone halves
// of surrogate pairs writes U+FFFD for them. Repeated Variables and Headers that a
// connector writes from a map are ascending by name, so that an effect does not depend
// on the map's order and the same connector gives the same bytes in each language.
package abi
