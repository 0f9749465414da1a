// Package template makes the folder of a new connector: source in one of the
// languages, manifest, vectors, instructions, and the SDK where the language has
// no registry to get it from. What it makes builds and passes its tests at once,
// anywhere, without a network. Begin with [New].
//
// # Where templates lie
//
//	sdk/template/common/         files of every new connector
//	sdk/template/KIND/           files of that kind in every language: manifest.json
//	                             and testdata/*.txt, which are the same for all
//	sdk/LANG/template/common/    files of the language, whatever the kind
//	sdk/LANG/template/KIND/      its source for that kind
//	sdk/LANG/template/sdk.txt    which files of sdk/ the connector is given as well
//	sdk/LANG/template/about.txt  what its README says of the language
//
// LANG is go, rust, typescript or c; KIND is ams, channel or scheme. A file is
// copied to the path it has below its folder; of two with the same path the later
// in this list counts. Of a name, the suffix .tmpl is taken off, and dot- at its
// beginning becomes a dot: dot-gitignore.tmpl is .gitignore. Use .tmpl where a tool
// would otherwise take the file for its own (go.mod, *.go, Cargo.toml).
//
// In every file these are replaced, and nothing else, so that {{secret:x}} and the
// braces of other languages stay as they are:
//
//	{{.Name}}     the connector's name, in kebab-case: green-ledger
//	{{.Ident}}    the same as an identifier: green_ledger
//	{{.Kind}}     ams, channel or scheme
//	{{.Lang}}     go, rust, ts or c, as --lang has it
//	{{.Version}}  the version of this binary
//	{{.About}}    about.txt of the language, in README.md
//
// sdk.txt has one line for each pattern of files: the pattern, relative to sdk/, a
// blank, and the folder in the connector that they go to. A line that begins with !
// names files that are left out in spite of the others; # begins a comment:
//
//	# The SDK as a module of its own.
//	go/*.go    railhead/sdk/go
//	!go/*_test.go
//
// Whatever sdk.txt names must be embedded by a line in sdk/files.go.
//
// # What every language's template does
//
// The connector of a kind is the same example in every language: the vectors in
// sdk/template/KIND/testdata are its specification, to the byte, and every
// language's template passes the very same files. So a change of them is a change
// of four templates; the tests of this package run them all.
package template
