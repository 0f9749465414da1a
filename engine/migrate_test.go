package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
)

// TestRandomMigrations migrates payments of random flows at every moment of random
// histories to a version that differs in ids only, and back: nothing is refused, the
// rows agree with each other after every command, and in the end every payment ends.
func TestRandomMigrations(t *testing.T) {
	migrated := 0
	for s := *seed; s < *seed+*seeds; s++ {
		tx := enginetest.NewFrozen()
		m := enginetest.NewMigrations(tx, s, enginetest.Shape{Flows: 2, Elements: *size})
		check := func(engine.Result) error {
			if err := enginetest.Check(tx); err != nil {
				return err
			}
			return tx.Changed()
		}
		for i := range *steps / 5 {
			err := check(m.Step())
			if err == nil && i%2 == 1 {
				var res engine.Result
				var ran bool
				if res, ran, err = m.Migrate(); ran && err == nil {
					migrated++
					err = check(res)
				}
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", s, i, err)
			}
		}
		if err := m.Drain(check); err != nil {
			t.Fatalf("seed %d, at the end: %v", s, err)
		}
	}
	if migrated == 0 {
		t.Error("nothing was migrated")
	}
	t.Logf("%d migrations", migrated)
}
