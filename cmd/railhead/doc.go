// Command railhead is the one binary of the hub: it runs the processes (node,
// opsd, and dev, which starts everything on one machine), and it is the command
// line by which people and programs talk to them.
//
// A file holds one group of verbs. A verb reads its flags, calls the room that
// does the work and prints what came of it, as a table for eyes or as JSON for
// programs; it decides nothing itself. Begin with root.go, then exit.go for what
// the exit codes mean. Package settings reads the configuration, package devhub
// is behind "dev", package benchmark behind "bench".
package main
