package host_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func makeWritable(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Each row is a guest that misbehaves in a step, and the code of the error. That
// the test ends at all is most of what it shows.
func TestMisbehaviour(t *testing.T) {
	forever := func(code ...byte) []byte {
		return join([]byte{loop, noResult}, code, []byte{br, 0, end, unreachable})
	}
	reply := returnReply(replyAt, int64(len(completed())))
	for what, row := range map[string]struct {
		guest guest
		code  host.Code
	}{
		"traps":     {guest{step: []byte{unreachable}}, host.Trap},
		"loops":     {guest{step: forever()}, host.Timeout},
		"call tree": {guest{helper: callTree(), step: join([]byte{call, helperIndex}, reply)}, host.Timeout},
		"fills": {guest{memory: []byte{0, 64}, step: forever(join(i32(0), i32(1), i32(64*65536), []byte{misc, memoryFill, 0})...)},
			host.Timeout},
		"grows its memory": {guest{step: forever(join(i32(1), []byte{memoryGrow, 0, drop})...)}, host.Timeout},
		"recurses":         {guest{helper: []byte{call, helperIndex}, step: join([]byte{call, helperIndex}, reply)}, host.Trap},
		"logs for ever": {guest{imports: []fnImport{{abi.ImportModule, "log", typeLog}},
			step: forever(join(i32(0), i32(0), i32(65536), []byte{call, 0})...)}, host.Timeout},
		"buffer outside":     {guest{buf: i32(-8)}, host.BadReply},
		"reply outside":      {guest{step: returnReply(65530, 100)}, host.BadReply},
		"reply at the end":   {guest{step: returnReply(0xffffffff, 1)}, host.BadReply},
		"reply too long":     {guest{step: returnReply(0, abi.ReplyMaxBytes+1)}, host.BadReply},
		"reply empty":        {guest{step: returnReply(0, 0)}, host.BadReply},
		"reply is the input": {guest{step: returnReply(inputAt, 50)}, host.BadReply},
	} {
		t.Run(what, func(t *testing.T) {
			m, err := host.Open(t.Context(), row.guest.assemble(t), host.Options{Log: discard()})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(context.Background())
			reply, err := m.Step(t.Context(), "greenbank", doing("anything"))
			if host.CodeOf(err) != row.code {
				t.Fatalf("got %v, %v, want %s", reply, err, row.code)
			}
			if s := m.Stats(); s.Instances != 0 || s.Failures == 0 {
				t.Fatalf("the instance lives on: %+v", s)
			}
		})
	}
}

// callTree is a function that calls itself twice, to a depth that a counter in
// the memory bounds: no loop, and no deep stack.
func callTree() []byte {
	const load, store, add, sub = 0x28, 0x36, 0x6a, 0x6b
	change := func(op byte) []byte {
		return join(i32(0), i32(0), []byte{load, 2, 0}, i32(1), []byte{op, store, 2, 0})
	}
	return join(
		[]byte{block, noResult},
		i32(0), []byte{load, 2, 0}, i32(60), []byte{0x4f, brIf, 0}, // i32.ge_u
		change(add), []byte{call, helperIndex, call, helperIndex}, change(sub),
		[]byte{end},
	)
}

// A guest that asks for memory until there is none is left with its limit.
func TestMemoryIsCapped(t *testing.T) {
	const notEqual = 0x47
	grow := join([]byte{loop, noResult}, i32(1), []byte{memoryGrow, 0}, i32(-1), []byte{notEqual, brIf, 0, end})
	g := guest{step: join(grow, returnReply(replyAt, int64(len(completed())))), limits: &sdkv1.Limits{MemoryMaxBytes: 1 << 20, StepMsMax: 250}}
	m, err := host.Open(t.Context(), g.assemble(t), host.Options{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close(context.Background())
	if _, err := i.Step(t.Context(), doing("anything")); err != nil {
		t.Fatal(err)
	}
	if got := i.MemoryBytes(); got != 1<<20 {
		t.Fatalf("the memory has %d bytes, want the limit", got)
	}
}

// The Go connector of testdata/probe is built once.
var probeModule = sync.OnceValues(func() ([]byte, error) {
	return build.Module(context.Background(), filepath.Join("testdata", "probe"))
})

func openProbe(t *testing.T, options host.Options) *host.Module {
	t.Helper()
	module, err := probeModule()
	if err != nil {
		t.Fatal(err)
	}
	if options.Log == nil {
		options.Log = discard()
	}
	m, err := host.Open(t.Context(), module, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

func variables(t *testing.T, reply *sdkv1.StepReply, err error) map[string]string {
	t.Helper()
	if err != nil || reply.GetOutcome().GetComplete() == nil {
		t.Fatalf("got %v, %v, want a Complete", reply, err)
	}
	out := map[string]string{}
	for _, v := range reply.Outcome.GetComplete().Variables {
		out[v.Name] = string(v.Json)
	}
	return out
}

func entry(effect *sdkv1.Effect, timeMs int64, answer *sdkv1.Answer) *sdkv1.Entry {
	return &sdkv1.Entry{Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: timeMs, Answer: answer}
}

func TestGoGuest(t *testing.T) {
	m := openProbe(t, host.Options{Instances: 1})
	step := func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) { return m.Step(t.Context(), "greenbank", r) }

	t.Run("now is the time of the last consumed entry, and so is the wall clock", func(t *testing.T) {
		reply, err := step(doing("clock"))
		if err != nil || len(reply.Effects) != 1 {
			t.Fatal(reply, err)
		}
		later := int64(1_767_323_050_000)
		reply, err = step(doing("clock", entry(reply.Effects[0], later, &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}})))
		got := variables(t, reply, err)
		if got["before"] != "1767323045000" || got["after"] != "1767323050000" || got["wall"] != "1767323050000" {
			t.Fatal(got)
		}
	})
	t.Run("randomness comes from the seed", func(t *testing.T) {
		draw := func(seed string) string {
			r := doing("random")
			r.Seed = []byte(seed)
			reply, err := step(r)
			return variables(t, reply, err)["uuid"]
		}
		a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
		if first, second := draw(a), draw(a); first != second || first == draw(b) {
			t.Fatal("the same seed must draw the same, another something else")
		}
	})
	t.Run("a mismatch of a used instance is tried again in a fresh one", func(t *testing.T) {
		reply, err := m.Step(t.Context(), "other", doing("state"))
		if err != nil {
			t.Fatal(err)
		}
		n := &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: 1}}}
		reply, err = m.Step(t.Context(), "other", doing("state", entry(reply.Effects[0], 1, n)))
		variables(t, reply, err)
		if m.Stats().Retries != 1 {
			t.Fatalf("%+v", m.Stats())
		}
	})
	t.Run("a mismatch of a fresh instance counts", func(t *testing.T) {
		wrong := &sdkv1.Entry{Ordinal: 1, Digest: 7, Answer: &sdkv1.Answer{}}
		reply, err := m.Step(t.Context(), "third", doing("state", wrong))
		if err != nil || reply.Mismatch.GetOrdinal() != 1 || reply.Mismatch.GetEffect().GetSequence().GetName() != "n1" {
			t.Fatal(reply, err)
		}
	})
	t.Run("a failure of a used instance is tried again in a fresh one", func(t *testing.T) {
		for range 3 {
			reply, err := m.Step(t.Context(), "fourth", doing("panic-after-use"))
			variables(t, reply, err)
		}
	})
	t.Run("files do not exist", func(t *testing.T) {
		reply, err := step(doing("files"))
		if got := variables(t, reply, err)["error"]; !strings.Contains(got, "/etc/passwd") {
			t.Fatal(got)
		}
	})
	for does, want := range map[string]host.Code{
		"panic":    host.Guest,
		"spin":     host.Timeout,
		"exit":     host.Exit,
		"deadlock": host.Trap,
		"grow":     host.Trap,
		"recurse":  host.Trap,
	} {
		t.Run(does, func(t *testing.T) {
			reply, err := step(doing(does))
			if host.CodeOf(err) != want {
				t.Fatalf("got %v, %v, want %s", reply, err, want)
			}
			if reply, err = step(doing("complete")); variables(t, reply, err)["done"] != "true" {
				t.Fatal("the next step does not find a sound instance")
			}
		})
	}
}

func TestGuestLog(t *testing.T) {
	var out bytes.Buffer
	m := openProbe(t, host.Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
	reply, err := m.Step(t.Context(), "greenbank", doing("log"))
	variables(t, reply, err)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 3 || len(lines) > 102 {
		t.Fatalf("%d lines", len(lines))
	}
	if !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], `line one\\nforged key=`) {
		t.Fatal(lines[0])
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "forged") || !strings.Contains(line, "connector=probe digest="+m.Digest[:12]) {
			t.Fatal(line)
		}
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "dropped_lines=") {
		t.Fatal(last)
	}
}

func TestParallelSteps(t *testing.T) {
	m := openProbe(t, host.Options{Instances: 2})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if reply, err := m.Step(t.Context(), "greenbank", doing("json")); err != nil || reply.Outcome == nil {
					t.Errorf("got %v, %v", reply, err)
					return
				}
			}
		})
	}
	wait.Wait()
	if s := m.Stats(); s.Instances > 2 || s.Steps != 160 {
		t.Fatalf("%+v", s)
	}
}

// A guest's collector must run, although the guest is never idle.
func TestMemoryStaysSmall(t *testing.T) {
	m := openProbe(t, host.Options{})
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close(context.Background())
	for range 3000 {
		if _, err := i.Step(t.Context(), doing("json")); err != nil {
			t.Fatal(err)
		}
	}
	if got := i.MemoryBytes(); got > 12<<20 {
		t.Fatalf("after 3000 steps the guest holds %d bytes", got)
	}
}

func TestCallersMistakes(t *testing.T) {
	m, err := host.Open(t.Context(), guest{}.assemble(t), host.Options{Log: discard(), Instances: 1})
	if err != nil {
		t.Fatal(err)
	}
	long := doing("anything")
	long.History = make([]*sdkv1.Entry, abi.StepsMax+1)
	if _, err := m.Step(t.Context(), "greenbank", long); host.CodeOf(err) != host.BadRequest {
		t.Errorf("a long history gave %v", err)
	}
	big := doing("anything")
	big.Config = make([]byte, abi.RequestMaxBytes)
	if _, err := m.Step(t.Context(), "greenbank", big); host.CodeOf(err) != host.BadRequest {
		t.Errorf("a big request gave %v", err)
	}
	if s := m.Stats(); s.Failures != 0 {
		t.Errorf("a caller's mistake cost an instance: %+v", s)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := m.Step(t.Context(), "greenbank", doing("anything")); host.CodeOf(err) != host.Closed {
		t.Errorf("a closed module gave %v", err)
	}
}

// The interpreter and the compiler agree, and the meter counts alike in both.
func TestInterpreter(t *testing.T) {
	fuel := map[bool]int64{}
	for _, interpreter := range []bool{false, true} {
		m := openProbe(t, host.Options{Interpreter: interpreter})
		i, err := m.NewInstance(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close(context.Background())
		reply, err := i.Step(t.Context(), doing("json"))
		if got := variables(t, reply, err); got["amount"] != `"230"` {
			t.Fatal(got)
		}
		fuel[interpreter] = i.FuelUsed()
	}
	if fuel[false] != fuel[true] || fuel[false] <= 0 {
		t.Fatalf("fuel: %v", fuel)
	}
	t.Logf("decoding and encoding a small JSON text takes %d units of fuel", fuel[true])
}

// A guest collects its garbage by what it allocates, so that large requests do
// not make it grow.
func TestGoGuestStaysSmall(t *testing.T) {
	m := openProbe(t, host.Options{})
	for what, row := range map[string]struct{ bytes, steps int }{"small": {100, 300_000}, "large": {100_000, 1_000}} {
		i, err := m.NewInstance(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		request := doing("complete")
		job := request.Trigger.GetJob()
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: "document", Json: []byte(`"` + strings.Repeat("x", row.bytes) + `"`)})
		encoded, err := request.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		var reply []byte
		early := uint32(0)
		for n := range row.steps {
			if reply, err = i.StepBytes(t.Context(), reply[:0], encoded); err != nil {
				t.Fatal(err)
			}
			if n == row.steps/30 {
				early = i.MemoryBytes()
			}
		}
		if got := i.MemoryBytes(); got > 8<<20 || got > early+1<<20 {
			t.Errorf("%s requests: the memory has grown from %d to %d bytes", what, early, got)
		}
		i.Close(context.Background())
	}
}
