// Package benchmark measures payments per second of a real cluster: nodes as
// processes with write-ahead log, fsync and export on, a connector in
// WebAssembly that answers at once, and the load in a process of its own.
//
// Run in run.go starts the processes and gathers the figures; Load in load.go is
// what the load process does. The load is closed: so many payments are
// outstanding at any time, and each that ends begins the next. In stream.go it
// comes over one stream of the control door, in http.go through a channel
// connector. count.go repeats it with commands that do nothing, through the same
// stream, for what Raft alone would do.
package benchmark
