// Package bench carries what "railhead bench" runs: one flow for each of its
// workloads, and, in folder connector, a connector that answers every job at
// once. Nothing waits in it for a bank or a scheme, so that what is measured is
// the hub. The payer flow itself is the one in examples/flows.
package bench

import "embed"

// Flows holds the flows, by file name:
//
//   - start-end.bpmn: no job at all;
//   - one-task.bpmn and ten-tasks.bpmn: jobs one after the other;
//   - message.bpmn: waits for a message under the payment's UUID;
//   - timer.bpmn: waits for ten milliseconds;
//   - waiting.bpmn: waits for that message or for the time in the variable
//     "expires", whichever comes first.
//
//go:embed *.bpmn
var Flows embed.FS
