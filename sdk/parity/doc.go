// Package parity holds the SDK of a language to the contract's own codec and to the
// other SDKs: a connector in that language, the echo, is given random requests, and
// everything it asks for and ends with is compared with what it had to be, to the
// byte. Begin with [Test]; a new language's echo serves one job type, "echo":
//
// The job's variable ask is an array of objects, each an effect. Its kind is the
// effect's name in sdk/v1 in kebab-case; its other members are the effect's fields
// by the names in [fields], texts as strings, bytes as hex, numbers as numbers and
// absent where they are default. The echo asks for one after the other and
// completes with two variables.
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
// variable i as an integer or "none", now, and a UUID drawn last.
package parity
