package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine/enginetest"
)

// TestTwin compares the engine with a second, simple interpreter on random flows.
func TestTwin(t *testing.T) {
	t.Logf("go test ./engine -run TestTwin -seed=%d -seeds=%d -elements=%d", *seed, *seeds, *size)
	kinds := make(map[string]int)
	for s := *seed; s < *seed+4**seeds; s++ {
		var failure error
		// The smallest flow on which they differ tells most.
		for elements := *size; elements >= 0; elements-- {
			c := &enginetest.Comparison{Seed: s, Shape: enginetest.Shape{Flows: 2, Elements: elements}, Payments: 4, Kinds: kinds}
			if err := c.Run(); err != nil {
				failure = err
			} else if failure == nil {
				break
			}
		}
		if failure != nil {
			t.Fatalf("go test ./engine -run TestTwin -seed=%d -seeds=1: %v", s, failure)
		}
		if (s-*seed+1)%100 == 0 {
			t.Logf("%d seeds: %v", s-*seed+1, kinds)
		}
	}
	t.Log(kinds)
}
