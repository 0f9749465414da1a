// Package oci keeps connectors' modules in OCI registries and layouts: as the CNCF's
// WebAssembly artifact, one layer of type application/wasm under a configuration of
// type application/vnd.wasm.config.v0+json, so that other tools know what it is. The
// signatures of a module travel as an annotation of its manifest.
//
// Nothing here is trusted: what is pulled is a module like any other, and the nodes
// verify it. What a digest names is verified here all the same.
//
// Begin with Parse.
package oci
