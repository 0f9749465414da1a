package host

import (
	"syscall"

	"github.com/tetratelabs/wazero/experimental"
)

// guestMemory gives each guest its memory from the kernel instead of from Go's
// heap. The address space for all that it may ever have is taken at once, and a
// page costs memory only once it is touched. So growing copies nothing, a guest
// that asks for all it may have costs that much and not three times as much, and
// closing an instance gives its pages back at once, without Go's collector.
var guestMemory experimental.MemoryAllocator = experimental.MemoryAllocatorFunc(
	func(_, most uint64) experimental.LinearMemory {
		mapped, err := syscall.Mmap(-1, 0, int(most), syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
		if err != nil {
			return new(mapping) // Reallocate refuses
		}
		// Pages of two megabytes would make a small guest a large one. A kernel
		// that does not know them refuses, which is as good.
		_ = syscall.Madvise(mapped, syscall.MADV_NOHUGEPAGE)
		return &mapping{mapped}
	})

// mapping is one guest's memory.
type mapping struct{ bytes []byte }

func (m *mapping) Reallocate(size uint64) []byte {
	if size > uint64(len(m.bytes)) {
		return nil
	}
	return m.bytes[:size]
}

func (m *mapping) Free() {
	if m.bytes != nil {
		// It fails only for what is no mapping.
		_ = syscall.Munmap(m.bytes)
		m.bytes = nil
	}
}
