package host_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

const (
	ifOp       = 0x04
	returnOp   = 0x0f
	memoryCopy = 10
)

// hostileBytes is the size of request from which a hostile guest is hostile.
const hostileBytes = 1000

func hostileRequest() *sdkv1.StepRequest {
	request := doing("harm")
	request.Config = make([]byte, hostileBytes)
	return request
}

// hostile is a guest whose step does the harm for large requests, and completes
// the others.
func hostile(harm ...[]byte) []byte {
	const greater = 0x4b
	return join(
		[]byte{localGet, 1}, i32(hostileBytes), []byte{greater, ifOp, noResult}, join(harm...), []byte{end},
		returnReply(replyAt, int64(len(completed()))),
	)
}

func endless(code ...[]byte) []byte {
	return join([]byte{loop, noResult}, join(code...), []byte{br, 0, end})
}

func replying(ptr, length int64) []byte { return append(returnReply(ptr, length), returnOp) }

// TestHostile lets one tenant's steps do each kind of harm, again and again, while
// another tenant uses the same module and a third another module. The harm ends in
// an error that names the module and the cause, within the step's fuel; everybody
// else's steps succeed; and so does the next step of the hostile tenant.
func TestHostile(t *testing.T) {
	effects := new(sdkv1.StepReply)
	for n := range uint32(10_000) {
		effects.Effects = append(effects.Effects, &sdkv1.Effect{Ordinal: n + 1, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1}}})
	}
	manyEffects, err := effects.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	wide := []byte{0, 64}
	logging := []fnImport{{abi.ImportModule, "log", typeLog}}
	random := []fnImport{{abi.ImportWASI, "random_get", typeTwo}}
	for what, row := range map[string]struct {
		guest guest
		code  host.Code
		cause string
	}{
		"1 a loop":              {guest{step: hostile(endless())}, host.Timeout, "fuel"},
		"2 a tree of calls":     {guest{helper: callTree(), step: hostile([]byte{call, helperIndex})}, host.Timeout, "fuel"},
		"5 endless fills":       {guest{memory: wide, step: hostile(endless(i32(0), i32(1), i32(64*65536), []byte{misc, memoryFill, 0}))}, host.Timeout, "fuel"},
		"5 endless copies":      {guest{memory: wide, step: hostile(endless(i32(0), i32(1), i32(63*65536), []byte{misc, memoryCopy, 0, 0}))}, host.Timeout, "fuel"},
		"6 a deep recursion":    {guest{helper: []byte{call, helperIndex}, step: hostile([]byte{call, helperIndex})}, host.Trap, "nested too deep"},
		"6 one through a table": {guest{table: []byte{0, 1}, elements: []uint32{helperIndex}, helper: join(i32(0), []byte{0x11, typeNone, 0}), step: hostile([]byte{call, helperIndex})}, host.Trap, "nested too deep"},
		"7 endless growing":     {guest{step: hostile(endless(i32(1), []byte{memoryGrow, 0, drop}))}, host.Timeout, "fuel"},
		"11 a reply of nothing": {guest{step: hostile(replying(0, 0))}, host.BadReply, "empty"},
		"11 a reply at the end": {guest{step: hostile(replying(1<<32-1, 1<<24))}, host.BadReply, "outside"},
		"11 a reply too long":   {guest{memory: wide, step: hostile(replying(0, abi.ReplyMaxBytes+1))}, host.BadReply, "more than"},
		"11 the input as reply": {guest{step: hostile(replying(inputAt, hostileBytes))}, host.BadReply, "reply"},
		"12 a wild buffer":      {guest{buf: join([]byte{localGet, 0}, i32(-1), []byte{0x73})}, host.BadReply, "outside"},
		"13 no protobuf":        {guest{memory: wide, data: bytes.Repeat([]byte{0xff}, 100), step: hostile(replying(dataAt, 100))}, host.BadReply, "decode"},
		"13 nested for ever":    {guest{memory: wide, data: bytes.Repeat([]byte{0x7b}, 1<<20), step: hostile(replying(dataAt, 1<<20))}, host.BadReply, "decode"},
		"13 a string too long":  {guest{memory: wide, data: []byte{0x22, 0xff, 0xff, 0xff, 0x1f}, step: hostile(replying(dataAt, 5))}, host.BadReply, "decode"},
		"13 too many effects":   {guest{memory: wide, data: manyEffects, step: hostile(replying(dataAt, int64(len(manyEffects))))}, host.BadReply, "10000 effects"},
		"14 a flood of lines":   {guest{imports: logging, step: hostile(endless(i32(0), i32(0), i32(65536), []byte{call, 0}))}, host.Timeout, "fuel"},
		"14 endless randomness": {guest{imports: random, step: hostile(endless(i32(0), i32(65536), []byte{call, 0, drop}))}, host.Timeout, "fuel"},
		"17 a trap":             {guest{step: hostile([]byte{unreachable})}, host.Trap, "unreachable"},
		"18 an exit":            {guest{imports: []fnImport{{abi.ImportWASI, "proc_exit", typeExit}}, step: hostile(i32(0), []byte{call, 0})}, host.Exit, "code 0"},
	} {
		t.Run(what, func(t *testing.T) {
			row.guest.limits = &sdkv1.Limits{MemoryMaxBytes: 8 << 20}
			m := openGuest(t, row.guest, host.Options{Instances: 2})
			other := openGuest(t, guest{}, host.Options{Instances: 1})
			var wait sync.WaitGroup
			for range 2 {
				wait.Go(func() {
					for range 3 {
						_, err := m.Step(context.Background(), "badbank", hostileRequest())
						if host.CodeOf(err) != row.code || !strings.Contains(err.Error(), "by-hand") || !strings.Contains(err.Error(), row.cause) {
							t.Errorf("got %v, want %s and %q", err, row.code, row.cause)
						}
					}
				})
			}
			if !strings.HasPrefix(what, "12") { // that one is bad from the first step on
				wait.Go(func() { mustComplete(t, m, "greenbank", 50) })
			}
			wait.Go(func() { mustComplete(t, other, "bluebank", 50) })
			wait.Wait()
			if s := m.TenantStats()["badbank"]; s.Failures < 6 {
				t.Errorf("instances live on: %+v", s)
			}
			if !strings.HasPrefix(what, "12") {
				mustComplete(t, m, "badbank", 1)
			}
		})
	}
}

func mustComplete(t *testing.T, m *host.Module, tenant string, steps int) {
	for range steps {
		if reply, err := m.Step(context.Background(), tenant, doing("anything")); err != nil || reply.Outcome.GetComplete() == nil {
			t.Errorf("%s: %v, %v", tenant, reply, err)
			return
		}
	}
}

// TestHostileModules are refused whatever their steps would do.
func TestHostileModules(t *testing.T) {
	for what, row := range map[string]struct {
		module []byte
		code   host.Code
		word   string
	}{
		"3 tail recursion":   {guest{helper: []byte{returnCall, helperIndex}}.assemble(t), host.ForbiddenFeature, "tail calls"},
		"4 a start loop":     {guest{start: endless()}.assemble(t), host.InitFailed, "unreachable"},
		"4 a start of fills": {guest{memory: []byte{0, 64}, start: endless(i32(0), i32(1), i32(64*65536), []byte{misc, memoryFill, 0})}.assemble(t), host.InitFailed, "unreachable"},
		"8 a table of 100 million": {guest{table: append([]byte{0}, wasm.AppendU32(nil, 100_000_000)...)}.assemble(t),
			host.TooLarge, "elements"},
		"8 many tables": {withSection(t, guest{table: []byte{0, 1}}.assemble(t), wasm.SectionTable,
			append(wasm.AppendU32(nil, wasm.TablesMax+1), bytes.Repeat([]byte{funcref, 0, 1}, wasm.TablesMax+1)...)), host.TooLarge, "tables"},
		"9 200,000 functions": {module(t, wasm.SectionFunction, func([]byte) []byte {
			return append(wasm.AppendU32(nil, 200_000), make([]byte, 200_000)...)
		}), host.TooLarge, "functions"},
		"9 a function of two megabytes": {guest{helper: bytes.Repeat([]byte{0x01}, 2_400_000)}.assemble(t), host.TooLarge, "bytes of code"},
		"9 much data":                   {guest{memory: []byte{0, 64}, data: make([]byte, wasm.DataBytesMax)}.assemble(t), host.TooLarge, "data segments"},
		"19 a host function exported again": {guest{imports: []fnImport{{"env", "escape", typeNone}}, extra: []string{"escape"}}.assemble(t),
			host.ForbiddenImport, "env.escape"},
	} {
		m, err := host.Open(t.Context(), row.module, host.Options{Log: discard()})
		if err == nil {
			m.Close(t.Context())
		}
		if host.CodeOf(err) != row.code || !strings.Contains(err.Error(), row.word) || !strings.Contains(err.Error(), "by-hand") {
			t.Errorf("%s: got %v, want code %s and %q", what, err, row.code, row.word)
		}
	}
}

// TestRecursionInParallel: sixty-four guests at the bottom of their stacks cost
// what their stacks may take, and all of it is given back.
func TestRecursionInParallel(t *testing.T) {
	m := openGuest(t, guest{helper: []byte{call, helperIndex}, step: hostile([]byte{call, helperIndex})}, host.Options{Instances: 64})
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			if _, err := m.Step(context.Background(), "badbank", hostileRequest()); host.CodeOf(err) != host.Trap {
				t.Errorf("got %v", err)
			}
		})
	}
	wait.Wait()
	if s := m.Stats(); s.Instances != 0 || s.MemoryBytes != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNoClockTicks: 22. What a guest reads from any clock is the time of its
// event, however long it computes, so that it cannot measure anything.
func TestNoClockTicks(t *testing.T) {
	const load64, sub64, spins = 0x29, 0x7d, 10_000
	clock := func(at int64) []byte { // reads the wall clock into memory
		return join(i32(0), []byte{i64Const, 0}, i32(at), []byte{call, 0, drop})
	}
	count := join(i32(spins), []byte{0x21, 0, loop, noResult, localGet, 0}, i32(1), []byte{0x6b, 0x22, 0, brIf, 0, end})
	differ := join(i32(8), []byte{load64, 3, 0}, i32(0), []byte{load64, 3, 0, sub64, 0x50, 0x45}) // unequal
	m := openGuest(t, guest{
		imports: []fnImport{{abi.ImportWASI, "clock_time_get", typeClock}},
		step: join(clock(0), count, clock(8), differ, []byte{ifOp, noResult, unreachable, end},
			returnReply(replyAt, int64(len(completed())))),
	}, host.Options{})
	mustComplete(t, m, "greenbank", 20)
}
