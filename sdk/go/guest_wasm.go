//go:build wasip1

package connector

import (
	"runtime"
	"unsafe"
)

// gcBytes is how much may be allocated between collections, roughly. A guest is
// never idle from its own point of view, so its collector would not run in time
// on its own: memory grew twentyfold in a measurement. A step is taken for
// stepBytes, and its request and reply, since it copies both. Many allocate less,
// so the runtime is asked before it collects, which costs as much as a few steps.
const (
	gcBytes   = 2 << 20
	stepBytes = 2 << 10
)

// blockBytes is the size of the arena's blocks.
const blockBytes = 32 << 10

// minBufBytes is the first size of the input buffer.
const minBufBytes = 16 << 10

var (
	input     []byte
	output    []byte
	current   Context // of this step: one for all, which is half a step's garbage less
	allocated int     // since the runtime was asked, roughly

	stats     runtime.MemStats
	collected uint64 // what had been allocated in all at the last collection
)

func init() { pieces.size = blockBytes }

// collect collects garbage if there may be enough of it.
func collect() {
	allocated = 0
	runtime.ReadMemStats(&stats)
	if stats.TotalAlloc-collected >= gcBytes/2 {
		collected = stats.TotalAlloc
		runtime.GC()
	}
}

//go:wasmexport railhead_abi_v1
func marker() {}

//go:wasmexport railhead_buf
func buf(n int32) unsafe.Pointer {
	if int(n) > len(input) || input == nil {
		input = make([]byte, max(int(n), minBufBytes))
	}
	return unsafe.Pointer(unsafe.SliceData(input))
}

//go:wasmexport railhead_step
func railheadStep(ptr unsafe.Pointer, length int32) int64 {
	if allocated >= gcBytes {
		collect()
	}
	// The copy is what strings that the handler keeps are parts of.
	request := pieces.take(int(length))
	copy(request, unsafe.Slice((*byte)(ptr), length))
	output = step(&served, &current, unsafe.String(unsafe.SliceData(request), length), output)
	allocated += stepBytes + int(length) + len(output)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(output)))
	return int64(uint64(at)<<32 | uint64(len(output)))
}

//go:wasmimport railhead log
func hostLog(level int32, ptr unsafe.Pointer, length int32)

func logLine(level Level, line []byte) {
	hostLog(int32(level), unsafe.Pointer(unsafe.SliceData(line)), int32(len(line)))
}
