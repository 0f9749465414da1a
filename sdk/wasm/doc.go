// Package wasm reads the outline of a WebAssembly binary (its sections, types,
// imports, exports and memory), changes its custom sections, and puts a meter
// into its code. It is what manifest handling and admission need before anything
// is compiled; it neither validates nor runs code. Begin with [Parse], and with
// [Meter] for how a guest's running time is bounded.
//
// It takes bytes from strangers: every length is checked against what is there,
// and nothing is allocated in proportion to a number that was only claimed.
package wasm
