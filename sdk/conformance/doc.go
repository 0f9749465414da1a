// Package conformance says whether a connector behaves as a connector must, and
// as its vectors say it does. It runs on any compiled module and on the native
// step function of a Go connector. Begin with [Test], the one line a connector's
// own test needs:
//
//	func TestConnector(t *testing.T) { conformance.Test(t, connector.Step, ".") }
//
// It is not a simulator: nothing is called, no bank or scheme is imitated. A
// vector is the conversation between host and connector, written down.
//
// # Vectors
//
// Vectors are the files testdata/*.txt beside the connector. A file is read from
// top to bottom like a story. It consists of blocks; in each, what the host
// gives stands above a line of four dashes and what the connector answers stands
// below it, up to the next empty line:
//
//	# The bank accepts the hold.
//	job block-funds
//	var amount "12.50"
//	var currency "TZS"
//	----
//	1 http bank POST /holds
//	key hold
//	terms amount=12.50 currency=TZS
//	header content-type: application/json
//	body {"amount":"12.50"}
//
//	answer 201
//	body {"id":"h-1"}
//	----
//	complete
//	var transferPrepareFailed false
//
// A block that begins with a trigger begins a new vector; the blocks that
// begin with answer continue it, until an outcome. Lines that begin with # are
// comments, allowed above the dashes; the comment above a vector is its title.
// You write what stands above the dashes and let a rewriting run write the rest
// (see below); then you read it, because it is now a promise. Every directive,
// answer, effect and outcome stands in sdk/template/common/testdata/README.md, which
// each new connector has beside its vectors.
//
// # How a vector is run
//
//   - cold: each step in an instance of its own.
//   - warm: all steps of all vectors, one vector after the other, in one instance.
//   - shuffled: all vectors at once in one instance, their steps interleaved in an
//     order drawn from a fixed seed.
//   - again: when a vector has ended its histories are replayed, the longest first,
//     as a new leader may take up any of them, and must ask for the same effects.
//
// The four must agree with the file, byte for byte. Beyond that every connector
// is held to the rules in [Rules], and to the suite of its kind.
//
// # Suites
//
// [Suite] is what every connector of a kind must do, whatever it speaks on the other
// side, as named cases: ams/hold/duplicate. It needs no simulator of that side. It
// makes one up from the vectors: it runs them, and changes one thing. The answer to
// a money effect is withheld, lost, given again, cut in half, or "unreachable"; an
// earlier attempt has left it in doubt; variables are missing; an amount is no
// decimal; a canary stands in whatever the manifest calls sensitive. What is then
// wrong does not depend on the protocol: it completes as if it knew, sends the same
// under another key, tries again what was refused, names an account in a reason.
//
// So a suite runs on a module of any language, with any vectors. Without vectors the
// cases remain that need no particular answer. A case for which there is no occasion
// is not applicable, and says why; that an occasion is missing which every connector
// of the kind has, such as a vector in which a hold is refused, is a failure.
//
// ams.go, channel.go and scheme.go list the cases; money.go and route.go hold those
// of jobs that move money and of routes. [Examine] runs everything there is on a
// module and measures it: it is what railhead connector test shows.
//
// # Rewriting
//
// With RAILHEAD_REWRITE=1 in the environment (or railhead connector test
// --rewrite) what stands below the dashes is replaced by what the connector
// answers in a cold run. Commit only differences that you understand.
package conformance
