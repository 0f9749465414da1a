// Package control serves the doors of core/v1: ControlService for
// administrators, opsd and load drivers, NodeService for the other nodes.
//
// Handlers check, read rows or propose one command, and translate; what is
// allowed and what follows is the engine's to say. Any node takes a request: a
// command that only the leader can propose is handed to it (Commands).
//
// Begin with Service in service.go.
package control
