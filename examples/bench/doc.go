// Package bench carries what "railhead bench" runs: the flow of one task, and,
// in folder connector, a connector that answers every job of the payer flow at
// once. Nothing waits in it for a bank or a scheme, so that what is measured is
// the hub. The payer flow itself is the one in examples/flows.
package bench

import _ "embed"

// OneTask is the flow of the one-task workload: start, one job, end.
//
//go:embed one-task.bpmn
var OneTask []byte
