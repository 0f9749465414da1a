// Package benchmark measures payments per second of a real cluster: nodes as
// processes with write-ahead log, fsync and export on, a connector in
// WebAssembly that answers at once, and the load in a process of its own.
//
// Run in run.go starts the processes (cluster.go), has the load processes work
// one after the other and gathers the figures; Load in load.go is what a load
// process does. The load is closed: so many payments are outstanding at any time,
// and each that ends begins the next; or it is open, and payments begin at a
// rate. In stream.go it comes over one stream of the control door, in http.go
// through a channel connector. count.go repeats it with commands that do nothing,
// through the same stream, for what Raft alone would do.
package benchmark
