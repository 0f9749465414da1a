package host_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func openGuest(t testing.TB, g guest, options host.Options) *host.Module {
	t.Helper()
	if options.Log == nil {
		options.Log = discard()
	}
	m, err := host.Open(context.Background(), g.assemble(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// burn is a guest that turns a loop as often as its request has bytes.
func burn() guest {
	const localGet1, sub, localTee1 = 1, 0x6b, 1
	return guest{step: join(
		[]byte{loop, noResult, localGet, localGet1}, i32(1), []byte{sub, 0x22, localTee1, brIf, 0, end},
		returnReply(replyAt, int64(len(completed()))),
	)}
}

func TestStatsByTenant(t *testing.T) {
	m := openGuest(t, burn(), host.Options{Instances: 1})
	short, long := doing("anything"), doing("anything")
	long.Config = make([]byte, 40_000)
	for n := range 1000 {
		request := short
		if n%20 == 0 {
			request = long
		}
		if _, err := m.Step(t.Context(), "greenbank", request); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Step(t.Context(), "bluebank", short); err != nil {
		t.Fatal(err)
	}
	near := func(got int64, want int) bool { return got > int64(want)*15/16 && got < int64(want)*17/16 }
	got := m.TenantStats()
	green, blue := got["greenbank"], got["bluebank"]
	if green.Steps != 1000 || blue.Steps != 1 || len(got) != 2 {
		t.Errorf("steps: %+v", got)
	}
	if !near(green.FuelP50, short.SizeVT()) || !near(green.FuelP99, long.SizeVT()) || !near(blue.FuelP99, short.SizeVT()) {
		t.Errorf("fuel: %+v, sizes %d and %d", got, short.SizeVT(), long.SizeVT())
	}
	if want := uint64(950*short.SizeVT() + 50*long.SizeVT()); green.FuelTotal < want || green.FuelTotal > want+3000 {
		t.Errorf("fuel in all: %d, want about %d", green.FuelTotal, want)
	}
	if green.StepP50 <= 0 || green.StepP99 < green.StepP50 {
		t.Errorf("time: %+v", green)
	}
	if green.Instances != 1 || green.MemoryBytes != 64<<10 {
		t.Errorf("instances: %+v", green)
	}
	if all := m.Stats(); all.Steps != 1001 || all.Instances != 2 || all.MemoryBytes != 128<<10 || !near(all.FuelP50, short.SizeVT()) {
		t.Errorf("all: %+v", all)
	}
}

func TestIdleInstancesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openGuest(t, guest{}, host.Options{IdleAfter: time.Minute})
		defer m.Close(context.Background())
		step := func(tenant string) {
			if _, err := m.Step(t.Context(), tenant, doing("anything")); err != nil {
				t.Fatal(err)
			}
		}
		wait := func(d time.Duration) {
			time.Sleep(d) // of the bubble: no time passes outside
			synctest.Wait()
		}
		step("greenbank")
		step("bluebank")
		for range 5 {
			wait(50 * time.Second)
			step("greenbank")
		}
		if got := m.TenantStats(); got["greenbank"].Instances != 1 || got["bluebank"].Instances != 0 {
			t.Fatalf("%+v", got)
		}
		wait(3 * time.Minute)
		if s := m.Stats(); s.Instances != 0 || s.MemoryBytes != 0 {
			t.Fatalf("%+v", s)
		}
		step("bluebank")
		if s := m.Stats(); s.Instances != 1 || s.Steps != 8 || s.Failures != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

// The way of bytes gives what the way of messages gives, and allocates nothing.
func TestStepBytes(t *testing.T) {
	m := openGuest(t, guest{}, host.Options{Instances: 1})
	request, err := doing("anything").MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close(context.Background())
	reply := make([]byte, 0, 1024)
	for what, step := range map[string]func(dst []byte) ([]byte, error){
		"pool":     func(dst []byte) ([]byte, error) { return m.StepBytes(context.Background(), "greenbank", dst, request) },
		"instance": func(dst []byte) ([]byte, error) { return i.StepBytes(context.Background(), dst, request) },
	} {
		got, err := step([]byte("x"))
		if err != nil || !bytes.Equal(got, append([]byte("x"), completed()...)) {
			t.Fatalf("%s: %q, %v", what, got, err)
		}
		if n := testing.AllocsPerRun(100, func() {
			if reply, err = step(reply[:0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

// The way of bytes finds time and seed in the request, if the guest asks.
func TestStepBytesClockAndSeed(t *testing.T) {
	m := openProbe(t, host.Options{Instances: 1})
	for _, what := range []string{"random", "wall"} {
		request := doing(what)
		want, err := m.Step(t.Context(), "greenbank", request)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := request.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := m.StepBytes(t.Context(), "greenbank", nil, encoded)
		if err != nil {
			t.Fatal(err)
		}
		got := new(sdkv1.StepReply)
		if err := got.UnmarshalVT(raw); err != nil {
			t.Fatal(err)
		}
		a, b := variables(t, want, nil), variables(t, got, nil)
		if len(a) == 0 || a["uuid"] != b["uuid"] || a["wall"] != b["wall"] {
			t.Errorf("%s: %v by messages, %v by bytes", what, a, b)
		}
	}
}
