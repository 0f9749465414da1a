// Package parity holds the SDK of a language to the contract's own codec and to the
// other SDKs: a connector in that language, the echo, is given random requests, and
// everything it asks for and ends with is compared with what it had to be, to the
// byte. So are the bytes of sdk/v1/testdata/golden.txt. Begin with [Test]; a new
// language's echo serves a job type, a schedule and a link, all of them named "echo".
// The job and the schedule do the same:
//
// The job's variable ask is an array of objects, each an effect. Its kind is the
// effect's name in sdk/v1 in kebab-case; its other members are the effect's fields
// by the names in [fields], texts as strings, bytes as hex, numbers as numbers and
// absent where they are default. The echo asks for one after the other and
// completes with two variables. If there is a state, its first byte is the place of the
// ask that it begins with, counted from 0: those before it lie behind a checkpoint.
//
// answers has an object for each answer: state is done, failed or doubt; text holds
// the code and text of a failure, the idempotency key and reason of a doubt, and
// what the answer holds otherwise, in the order of its fields: for HTTP the status,
// the value of header X-Echo, and the body in hex; of a payment found, payment,
// state, result, code, started, ended, flow, client key, pending, and the JSON of
// variable x; truth values as true and false, numbers in decimal, bytes in hex. An
// answer without fields gives an empty array.
//
// job is an array of texts: type, payment, attempt, retries, element, flow, start of
// the payment, task header h, idempotency key of the doubt "k", text of variable s,
// variable i as an integer or "none", now, a UUID drawn last, and the state in hex.
// If the effect "k" is in doubt the echo settles it: as done, if its idempotency key is
// not empty.
//
// Of a frame, or whatever happened to the link, the echo draws the number of the
// sequence "frames", and sends three frames: the event as a decimal number, the data, and
// the number drawn. A frame's key is its data in hex. Routes it has none.
package parity
