// Package typescript carries what a connector in TypeScript or JavaScript is built
// from: the engine's C sources, which sdk/build compiles together with QuickJS, and
// the part of the SDK that is written in TypeScript. README.md is for authors; the
// package has no code. Begin with engine/step.c to see how a step runs.
package typescript

import "embed"

// Files are the sources, under their paths from this folder.
//
//go:embed engine/*.c engine/*.h src/railhead.ts
var Files embed.FS
