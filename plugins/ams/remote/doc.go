// Command remote is the connector for those who cannot compile to WebAssembly: it
// speaks the contract of a core banking system over HTTP and JSON to a service of
// the bank's own, written in whatever language the bank writes. openapi.yaml is
// what the service has to offer; examples/remote is one in Java.
//
// Its job types and variables are those of plugins/ams/bank, which are Payment Hub
// EE's. Begin with service.go: perform does a money deed once and comes back with
// one of three results, done, refused or not known yet; enquiry.go asks what became
// of a deed whose answer was lost.
//
//   - A refusal of the service is a result: the job completes with its flag set and
//     the flow branches, or, if the configuration names the code in bpmn_errors, it
//     ends with a BPMN error of that code.
//   - A failure in which certainly nothing happened is a failed attempt.
//   - Doubt is neither. The service is asked, by the idempotency key that was on
//     the wire or by payment and purpose; when it keeps silent a person is.
package main
