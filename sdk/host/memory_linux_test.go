package host_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// residentBytes is how much memory this process has.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory() // what Go no longer uses is not of interest
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var all, resident int64
	if _, err := fmt.Sscan(string(text), &all, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// A guest that grows page by page and touches all of it costs what it may have,
// and not the copies on the way; closing it gives all of it back.
func TestMemoryBomb(t *testing.T) {
	const most = 256 << 20
	const eq, shl, sub = 0x46, 0x74, 0x6b
	grow := join(
		[]byte{block, noResult, loop, noResult},
		i32(1), []byte{memoryGrow, 0, 0x22, 0}, i32(-1), []byte{eq, brIf, 1}, // leave when it fails
		[]byte{localGet, 0}, i32(16), []byte{shl}, i32(7), i32(64<<10), []byte{misc, memoryFill, 0},
		[]byte{br, 0, end, end},
	)
	g := guest{
		step:   join(grow, returnReply(replyAt, int64(len(completed())))),
		limits: &sdkv1.Limits{MemoryMaxBytes: most, StepMsMax: abi.StepMaxMillis},
	}
	m := openGuest(t, g, host.Options{})
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := residentBytes(t)
	if _, err := i.Step(t.Context(), doing("anything")); err != nil {
		t.Fatal(err)
	}
	if got := residentBytes(t) - before; got < most*9/10 || got > most*11/10 {
		t.Errorf("a guest of %d bytes costs %d", most, got)
	}
	if err := i.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := residentBytes(t) - before; got > most/10 {
		t.Errorf("a closed guest still costs %d bytes", got)
	}
}
