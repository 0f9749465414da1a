// Package assemblyscript carries the SDK for connectors in AssemblyScript, which
// sdk/build compiles together with a connector. README.md is for authors; the package
// has no code. Begin with assembly/index.ts.
package assemblyscript

import "embed"

// Files are the sources, under their paths from this folder.
//
//go:embed assembly/*.ts
var Files embed.FS
