// Package host is the sandbox in which connectors run: it admits a module,
// compiles it, keeps instances ready for each tenant, and runs steps. It is the
// only importer of wazero. Begin with [Open] and [Module.Step].
//
// It performs no effects and keeps no history: it hands a request in and a
// checked reply out. Who performs effects, and when, is core's affair.
//
// What a module did for each tenant (steps, failures, fuel, time, instances and
// memory) is [Module.TenantStats]; for all of them together, [Module.Stats].
//
// A connector is taken for hostile. What it may reach is one function,
// railhead.log, and stand-ins for the parts of WASI that language runtimes
// insist on (see wasi.go). Its memory, tables, reply and log lines are bounded,
// and so is its running time, by fuel that its own code takes (see wasm.Meter).
// After a trap its instance is thrown away, since the state of a guest that
// stopped in the middle of something is undefined.
//
// A module made to slow the compiler down is kept to some seconds and two hundred
// megabytes (see wasm.EffortMax).
package host
