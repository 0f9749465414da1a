package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	"github.com/railhead-hub/railhead/engine/replay"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestRandomLives: every payment of a random history lives the same life again.
func TestRandomLives(t *testing.T) {
	lives, ended := 0, 0
	for seed := range uint64(4) {
		tx := enginetest.NewMemTx()
		w := enginetest.NewWorkload(tx, seed)
		if seed%2 == 1 {
			w = enginetest.NewRandomWorkload(tx, seed, enginetest.Shape{Flows: 3, Elements: 20})
		}
		w.Swaps = true
		events := make(map[uint64][]*enginev1.Event)
		var order []uint64
		for range 1000 {
			for _, ev := range w.Step().Events {
				if ev.Payment != 0 && ev.Seq != 0 {
					if ev.Seq == 1 {
						order = append(order, ev.Payment)
					}
					events[ev.Payment] = append(events[ev.Payment], ev)
				}
			}
		}
		var flows []replay.Flow
		tx.Ascend(engine.Key{Table: engine.TableFlow}, func(_ engine.Key, row engine.Row) bool {
			f := row.(*enginev1.Flow)
			flows = append(flows, replay.Flow{ID: f.Id, Version: f.Version, File: f.File, XML: f.Xml, Ends: f.Ends, DeployedMS: f.DeployedMs})
			return true
		})
		for _, payment := range order {
			c := replay.Case{Events: events[payment]}
			for _, f := range flows {
				switch {
				case f.ID != c.Events[0].Type:
					c.Called = append(c.Called, f)
				case f.Version == c.Events[0].Number:
					c.Flow = f
				}
			}
			r, err := replay.Run(c)
			if err != nil {
				t.Fatalf("seed %d, payment %x: %v", seed, payment, err)
			}
			lives++
			if r.Ended {
				ended++
			}
			if !r.Agrees() {
				t.Fatalf("seed %d, payment %x of %s:\n%s", seed, payment, c.Flow.ID, sideBySide(r))
			}
		}
	}
	t.Logf("%d lives, %d of them to their end", lives, ended)
}

func sideBySide(r *replay.Result) string {
	var b strings.Builder
	for _, s := range r.Steps {
		mark, ev := s.Mark()
		fmt.Fprintf(&b, "%s %d %v\n", mark, ev.Index, ev)
	}
	for _, ev := range r.Refused {
		fmt.Fprintf(&b, "refused %s %s\n", ev.Code, ev.Text)
	}
	for _, ev := range r.Unused {
		fmt.Fprintf(&b, "unused %v\n", ev)
	}
	for _, w := range r.Wants {
		fmt.Fprintf(&b, "wants %+v\n", w)
	}
	return b.String()
}
