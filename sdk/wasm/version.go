package wasm

import (
	"crypto/sha256"
	"embed"
	"io/fs"
	"sync"
)

//go:embed *.go
var sources embed.FS

// Version changes whenever this package does: it is the SHA-256 of its sources.
// Whoever keeps what Meter wrote keeps it under the version that wrote it, so that
// nobody has to remember to raise a number.
var Version = sync.OnceValue(func() [sha256.Size]byte {
	sum := sha256.New()
	names, err := fs.Glob(sources, "*.go")
	for _, name := range names {
		var text []byte
		if text, err = sources.ReadFile(name); err != nil {
			break
		}
		one := sha256.Sum256(text)
		sum.Write(one[:])
	}
	if err != nil {
		panic("wasm: its own sources do not read: " + err.Error())
	}
	return [sha256.Size]byte(sum.Sum(nil))
})
