// Package core builds one node of a cluster from its parts: the replica and its
// outbox, the leader, the connectors with their ways in and out, and the doors
// for administrators, other nodes and metrics.
//
// It holds no logic of its own beyond the order in which parts start and stop.
// Begin with Open in node.go, which reads from top to bottom.
package core
