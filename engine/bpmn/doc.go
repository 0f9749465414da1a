// Package bpmn turns BPMN 2.0 XML in the Zeebe dialect into checked, immutable
// processes that the engine runs.
//
// What Parse accepts, the engine executes; whatever else a file asks for that would
// have to be executed is refused with the element's id and a reason, never skipped.
// Decoration (diagrams, annotations, groups, lanes, data objects, other vendors'
// attributes) is passed over.
//
// It knows nothing of payments, tenants' connectors or state: whether a job type is
// served or a called flow is deployed is asked elsewhere.
//
// Begin with Process in process.go, then Parse in parse.go; check.go has the rules
// about the graph, testdata/refusals.txt one small file per refusal. What runs but is
// hardly meant is found in package lint.
package bpmn
