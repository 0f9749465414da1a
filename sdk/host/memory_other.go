//go:build !linux

package host

import "github.com/tetratelabs/wazero/experimental"

// guestMemory is nil where memory is not mapped: guests live in Go's heap.
var guestMemory experimental.MemoryAllocator
