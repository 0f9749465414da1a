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
// (see below); then you read it, because it is now a promise.
//
// # Above the dashes
//
// A block of settings, without dashes, holds for the rest of the file:
//
//	config JSON                 the tenant's configuration; may go on over
//	                            several config lines
//	tenant ID                   default greenbank
//
// A trigger is one of
//
//	job TYPE                    the type as in the manifest, {tenant} as it stands
//	request ROUTE METHOD PATH   the route's name; PATH may have a query
//	frame LINK                  a frame that came over a link; "frame LINK opened" and
//	                            "frame LINK idle" for what happened to the link
//	frame-key LINK              which frame does this one answer?
//
// followed by any of these lines:
//
//	config JSON                 for this vector only
//	time RFC3339                default 2026-01-02T03:04:05.000Z
//	seed HEX                    32 bytes; default 32 times 01
//	header NAME: VALUE          task header, or HTTP header
//	var NAME JSON               job: a variable
//	payment UUID                job: default 00000000-0000-4000-8000-000000000001
//	attempt N                   job: default 1
//	retries N                   job: default 2
//	element ID, flow ID         job: default empty
//	prior KEY UUID              job: a money effect in doubt from an earlier attempt
//	param NAME: VALUE           request: a {name} segment of the route
//	body TEXT                   request, frame, frame-key: several body lines are
//	                            joined by newlines
//	body-hex HEX                the same, for what is not text
//
// An answer is one of
//
//	answer STATUS               of an HTTP call; header and body lines follow
//	answer started UUID         of start-payment; "answer started UUID repeated"
//	answer published            "answer published duplicate"
//	answer payment UUID         of query and await-result; may be followed by lines
//	                            state, result, code, flow, client-key, started and
//	                            ended (RFC 3339), and by a line "var NAME JSON" for
//	                            each variable the query named
//	answer not-found            of query and await-result
//	answer pending UUID         of await-result
//	answer sequence N
//	answer true, answer false   of verify
//	answer text TEXT            of tokenize and detokenize
//	answer bytes                of round-trip, sign, mac and encrypt; body or body-hex
//	answer done                 of sleep, emit, send, forward and checkpoint
//	answer in-doubt UUID TEXT
//	answer lost                 of a money effect that enquiry found done
//	answer failure CODE TEXT    codes are in sdk/abi
//
// Any answer may have a line "after DURATION": how long it took, 100ms unless
// said. That is what moves the connector's clock.
//
// # Below the dashes
//
// The effect asked for, beginning with its ordinal, and one line for each field
// that is set:
//
//	N http ENDPOINT METHOD PATH     key, terms, timeout, header, body
//	N start-payment FLOW            client-key, request-digest, uuid-variable, var
//	N publish NAME                  key, id, ttl, var
//	N await-result UUID             timeout
//	N query                         payment, client-key, variable (one for each named)
//	N sleep DURATION
//	N sequence NAME
//	N emit NAME                     json
//	N checkpoint                    state
//	N round-trip LINK               match-key, key, terms, timeout, data
//	N send LINK                     data
//	N forward LINK                  key, until, data
//	N sign KEY ALGORITHM            data
//	N verify KEY ALGORITHM          data, signature
//	N mac KEY ALGORITHM             data
//	N encrypt KEY ALGORITHM         data
//	N tokenize KIND                 value
//	N detokenize TOKEN
//
// or the outcome:
//
//	complete                        var
//	fail CODE REASON                retry (with its backoff, if any)
//	bpmn-error CODE MESSAGE         var
//	doubt KEY REASON
//	reply STATUS                    header, body
//	frames                          frame
//	match-key KEY
//
// with "settled KEY done" or "settled KEY not-done" for each settlement. A
// connector's own failure shows as "error TEXT" or "mismatch N".
//
// Bytes that are text show as one line for each of their lines; others as hex
// under the same word with -hex added. Text with control characters or blanks
// at its ends shows quoted as in Go.
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
