package engine_test

import (
	"bytes"
	"flag"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

var (
	seed  = flag.Uint64("seed", 1, "first seed of the simulation")
	seeds = flag.Uint64("seeds", 5, "how many seeds the simulation runs")
	steps = flag.Int("steps", 1500, "commands per seed")
	size  = flag.Int("elements", 14, "elements, about, of a generated flow")
)

// TestRandomFlows runs random histories on random flows; see Simulation.Run for what
// must hold. A seed that fails is made smaller and printed with the command that
// runs it again.
func TestRandomFlows(t *testing.T) {
	t.Logf("go test ./engine -run TestRandomFlows -seed=%d -seeds=%d -steps=%d -elements=%d", *seed, *seeds, *steps, *size)
	all := &enginetest.Simulation{Seen: make(map[enginev1.EventKind]int), Incidents: make(map[string]int)}
	for s := *seed; s < *seed+*seeds; s++ {
		one := *all
		one.Seed, one.Steps, one.Shape = s, *steps/5, enginetest.Shape{Flows: 2, Elements: *size}
		if err := one.Run(); err != nil {
			small, err := one.Shrink(err)
			t.Fatalf("go test ./engine -run TestRandomFlows -seed=%d -seeds=1 -steps=%d -elements=%d: %v", s, small.Steps*5, small.Shape.Elements, err)
		}
		if (s-*seed+1)%10 == 0 {
			t.Logf("%d seeds, %d payments ended", s-*seed+1, all.Seen[enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED])
		}
	}
	t.Log(all.Seen, all.Incidents)
}

// TestSimulation runs random histories. After every command the rows agree with
// each other and none has been changed after it was put; a replica that loses its caches at random, and one that replays the
// whole log, reach the same bytes; every command survives its own codec; and the
// events of a payment are numbered without a gap.
func TestSimulation(t *testing.T) {
	seen := make(map[enginev1.EventKind]int)
	incidents := make(map[string]int)
	for s := *seed; s < *seed+*seeds; s++ {
		tx, second := enginetest.NewFrozen(), enginetest.NewMemTx()
		w := enginetest.NewWorkload(tx, s)
		w.Swaps = true
		follower := engine.New()
		applied := 0
		lastSeq := make(map[uint64]uint32)
		for i := range *steps {
			for _, ev := range w.Step().Events {
				seen[ev.Kind]++
				if ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED {
					incidents[ev.Code]++
				}
				if ev.Payment == 0 || ev.Seq == 0 {
					continue
				}
				if ev.Seq != lastSeq[ev.Payment]+1 {
					t.Fatalf("seed %d, step %d: payment %x has event %d after %d", s, i, ev.Payment, ev.Seq, lastSeq[ev.Payment])
				}
				lastSeq[ev.Payment] = ev.Seq
			}
			if err := enginetest.Check(tx); err != nil {
				t.Fatalf("seed %d, step %d: %v", s, i, err)
			}
			if err := tx.Changed(); err != nil {
				t.Fatalf("seed %d, step %d: %v", s, i, err)
			}
			if i%97 == 0 {
				follower = engine.New()
			}
			for _, l := range w.Log()[applied:] {
				follower.Apply(second, l.Stamp, throughCodec(t, l.Command))
			}
			applied = len(w.Log())
		}
		if !bytes.Equal(enginetest.Dump(tx), enginetest.Dump(second)) {
			t.Fatalf("seed %d: the follower reached another state", s)
		}
		third, again := enginetest.NewMemTx(), engine.New()
		for _, l := range w.Log() {
			again.Apply(third, l.Stamp, l.Command)
		}
		if !bytes.Equal(enginetest.Dump(tx), enginetest.Dump(third)) {
			t.Fatalf("seed %d: replay reached another state", s)
		}
	}
	// A random history that never gets somewhere proves nothing about it.
	for kind := enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED; kind <= enginev1.EventKind_EVENT_KIND_EMITTED; kind++ {
		if kind != enginev1.EventKind_EVENT_KIND_START_REPEATED && seen[kind] == 0 {
			t.Errorf("the simulation never saw %v", kind)
		}
	}
	for _, code := range []string{engine.IncidentLoop, engine.IncidentJobFailed, engine.IncidentUncaughtError, engine.IncidentInDoubt} {
		if incidents[code] == 0 {
			t.Errorf("the simulation never saw an incident %s", code)
		}
	}
	for _, kind := range []enginev1.EventKind{enginev1.EventKind_EVENT_KIND_CONNECTOR_ROLLED_BACK, enginev1.EventKind_EVENT_KIND_CONNECTOR_REVOKED} {
		if seen[kind] == 0 {
			t.Errorf("the simulation never saw %v", kind)
		}
	}
	t.Log(seen, incidents)
}

// throughCodec is what a follower gets: the command as the log carries it.
func throughCodec(t *testing.T, cmd *enginev1.Command) *enginev1.Command {
	b, err := cmd.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	out := &enginev1.Command{}
	if err := out.UnmarshalVT(b); err != nil {
		t.Fatal(err)
	}
	return out
}
