// Command bank is the connector to the ledger of examples/bank, and the pattern
// for every connector to a core banking system. Its job types and variables are
// Payment Hub EE's, so that its flows run unmodified; main.go lists them.
//
// Begin with ledger.go: perform does a money deed once and comes back with one
// of three results, done, refused or not known yet, and enquiry.go finds out
// what became of a deed whose answer was lost. What a flow is told follows three
// rules:
//
//   - A refusal of the bank is a result: the job completes with its flag set
//     (transferPrepareFailed, transferCreateFailed, transferReleaseFailed …) and
//     the flow branches. The flag is set in every branch, true or false, so that
//     none is left over from the step before.
//   - A failure of the machine, in which certainly nothing happened, is a failed
//     attempt: it is retried, and ends with an incident.
//   - Doubt is neither. The bank is asked, by idempotency key or by reference;
//     when it keeps silent a person is.
package main
