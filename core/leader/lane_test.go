package leader

import (
	"fmt"
	"slices"
	"testing"
	"time"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// laned are lanes "slow", whose steps have taken seconds, and "quick", with so many
// jobs each.
func laned(jobs int) *lanes {
	l := newLanes(1000, 500, nil)
	for _, name := range []string{"slow", "quick"} {
		var list []*enginev1.Job
		for n := range jobs {
			list = append(list, &enginev1.Job{Payment: uint64(n), N: uint32(len(name)), Tenant: "t", Connector: name})
		}
		l.add(list)
	}
	l.byKey[laneKey{"t", "slow"}].stepped(10 * time.Second)
	return l
}

func slows(tasks []task) (n int) {
	for _, t := range tasks {
		if t.slow {
			n++
		}
	}
	return n
}

// TestSlowStepsLeaveAStepperToTheRest: the steps of a slow connector, or of a
// hostile one, never keep all who step busy.
func TestSlowStepsLeaveAStepperToTheRest(t *testing.T) {
	l := laned(40)
	l.slowMost = 2 // of three
	first, second := l.take(nil), l.take(nil)
	if slows(first)+slows(second) == 0 {
		t.Fatal("the slow lane waits for the quick one")
	}
	held := slows(first) + slows(second)
	for range 20 {
		tasks := l.take(nil)
		if n := slows(tasks); n > 0 {
			if held += n; held > 2 || len(tasks) > 1 {
				t.Fatalf("%d slow jobs are stepped at once, of the last batch %d", held, len(tasks))
			}
		}
		l.mu.Lock()
		quick := len(l.turn) > 0
		l.mu.Unlock()
		if !quick {
			break
		}
	}
	l.stepped()
	if tasks := l.take(nil); len(tasks) != 1 || slows(tasks) != 1 {
		t.Fatalf("a slow job that has been stepped makes room for %v", tasks)
	}
}

// TestOneProcessor: the only one who steps serves slow and quick lanes in turn.
func TestOneProcessor(t *testing.T) {
	l := laned(100)
	l.slowMost = 1
	var order []bool
	for range 4 {
		tasks := l.take(nil)
		order = append(order, tasks[0].slow)
		if tasks[0].slow {
			l.stepped()
		}
	}
	if got := fmt.Sprint(order); got != "[true false true false]" && got != "[false true false true]" {
		t.Errorf("slow or not: %s", got)
	}
	// Steps that are quick again are known to be so after some time.
	ln := l.byKey[laneKey{"t", "slow"}]
	for range 100 {
		ln.stepped(time.Millisecond)
	}
	if ln.slow() {
		t.Error("once slow, always slow")
	}
}

// TestWhatIsGivenBackIsTakenAgain: nothing is lost or doubled, whatever happens to a
// job while it is out.
func TestWhatIsGivenBackIsTakenAgain(t *testing.T) {
	l := newLanes(10, 5, nil)
	jobs := []*enginev1.Job{{Payment: 1, Tenant: "t", Connector: "c"}, {Payment: 2, Tenant: "t", Connector: "c"}}
	l.add(jobs)
	tasks := l.take(nil)
	if len(tasks) < 2 {
		tasks = l.take(tasks)
	}
	l.add(jobs[:1]) // hinted again
	l.giveBack(tasks)
	if active, waiting := l.inFlight(); active != 0 || waiting != 2 || l.active != 0 {
		t.Fatalf("%d active, %d wait", active, waiting)
	}
	var seen []uint64
	for len(seen) < 2 {
		for _, one := range l.take(nil) {
			seen = append(seen, one.id.payment)
			l.release(one)
			l.forget(one)
		}
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []uint64{1, 2}) {
		t.Errorf("taken: %v", seen)
	}
	if active, waiting := l.inFlight(); active != 0 || waiting != 0 {
		t.Errorf("%d active, %d wait at the end", active, waiting)
	}
}
