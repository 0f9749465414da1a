// Package sdk carries the SDKs and the templates of new connectors inside the
// binary, so that `railhead connector new` needs neither the repository nor a
// network. It has nothing else; begin with sdk/template, which reads it.
package sdk

import "embed"

// Files are the files of this folder that a new connector may be given, under
// their paths from here. Each language adds its own lines; a pattern names exactly
// what it means, since what a build has left in a folder must not get in.
//
//go:embed abi/*.go go/*.go
//go:embed go/template
//go:embed c/src c/template
//go:embed rust/Cargo.toml rust/src/*.rs rust/template
//go:embed typescript/railhead.d.ts typescript/template
//go:embed template/common template/ams template/channel template/scheme
var Files embed.FS
