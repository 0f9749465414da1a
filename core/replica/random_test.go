package replica

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "first seed of the simulation")
	seeds     = flag.Uint64("seeds", 3, "how many seeds the simulation runs")
	steps     = flag.Int("steps", 1500, "a fifth of them are the commands of a seed")
	elements  = flag.Int("elements", 14, "elements, about, of a generated flow")
)

// TestRandomPayments runs the engine's random histories on random flows over the
// real store and over rows in memory, side by side. Generations are frozen, written
// later or not at all, and the node crashes: what was not in a checkpoint comes back
// from the log. At equal indexes both have the same state hash.
func TestRandomPayments(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		again := fmt.Sprintf("go test ./core/replica -run TestRandomPayments -seed=%d -seeds=1 -steps=%d -elements=%d", seed, *steps, *elements)
		rows := enginetest.NewMemTx()
		l := &lived{restless: openRestless(t, func() int { return 0 }), engine: engine.New(),
			workload: enginetest.NewRandomWorkload(rows, seed, enginetest.Shape{Flows: 2, Elements: *elements})}
		chance := rand.New(rand.NewPCG(seed, 1))
		after := func(engine.Result) error {
			l.catchUp()
			switch chance.IntN(12) {
			case 0:
				l.freeze()
			case 1, 2:
				l.write()
			case 3:
				l.move(3) // a checkpoint that fails
			case 4:
				l.crash()
			case 5:
				l.store.mu.Lock()
				l.store.park(1 + chance.IntN(50))
				l.store.mu.Unlock()
			case 6:
				l.engine = engine.New()
			}
			l.catchUp()
			if got, want := l.hash(), hashOf(rows); got != want {
				return fmt.Errorf("at index %d the store has the hash %x, the rows in memory %x", l.store.at.index, got, want)
			}
			return nil
		}
		for i := range *steps / 5 {
			if err := after(l.workload.Step()); err != nil {
				t.Fatalf("%s: step %d: %v", again, i, err)
			}
		}
		if err := l.workload.Drain(after); err != nil {
			t.Fatalf("%s: at the end: %v", again, err)
		}
		if err := l.store.view(enginetest.Check); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		t.Logf("seed %d: %d commands agree", seed, len(l.workload.Log()))
	}
}

// lived is a store that lives through a workload's log.
type lived struct {
	*restless
	engine   *engine.Engine
	workload *enginetest.Workload
}

// catchUp applies what the store does not reflect yet.
func (l *lived) catchUp() {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	for _, entry := range l.workload.Log()[l.store.at.index:] {
		l.engine.Apply(&l.store.writer, entry.Stamp, entry.Command)
		l.store.at.index, l.store.at.timeMS = entry.Stamp.Index, entry.Stamp.TimeMS
		l.store.writer.end()
	}
}

// crash loses what is in memory.
func (l *lived) crash() {
	if err := l.store.close(); err != nil {
		l.t.Fatal(err)
	}
	l.open()
	l.engine = engine.New()
}
