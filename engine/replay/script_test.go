package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	"github.com/railhead-hub/railhead/engine/replay"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestScripts runs testdata: the verbs of engine's scripts, and replay, whose input is
// another version of the payment's flow, or nothing.
func TestScripts(t *testing.T) { datadriven.Walk(t, "testdata", runScript) }

func runScript(t *testing.T, path string) {
	env := enginetest.NewEnv(enginetest.NewMemTx())
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "replay" {
			return env.Handle(t, d)
		}
		c := recorded(env)
		if d.Input != "" {
			xml, err := enginetest.Model(c.Flow.ID, d.Input)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			c.Flow = replay.Flow{ID: c.Flow.ID, Version: c.Flow.Version + 1, File: "other.bpmn", XML: []byte(xml)}
		}
		r, err := replay.Run(c)
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, s := range r.Steps {
			mark, ev := s.Mark()
			// The replayed payment is p1 as well.
			_, text, _ := strings.Cut(env.Format(ev), " ")
			fmt.Fprintf(&b, "%s %s\n", mark, text)
		}
		for _, ev := range r.Unused {
			_, text, _ := strings.Cut(env.Format(ev), " ")
			fmt.Fprintf(&b, "unused: %s\n", text)
		}
		for _, w := range r.Wants {
			fmt.Fprintf(&b, "wants: %s %s at %s\n", w.What, w.Of, w.Element)
		}
		fmt.Fprintf(&b, "agrees %v, ended %v\n", r.Agrees(), r.Ended)
		return b.String()
	})
}

// recorded applies the script's commands again to get the events of its one payment.
func recorded(env *enginetest.Env) replay.Case {
	var c replay.Case
	tx, again := enginetest.NewMemTx(), engine.New()
	for _, l := range env.Log() {
		for _, ev := range again.Apply(tx, l.Stamp, l.Command).Keep().Events {
			if ev.Payment != 0 && ev.Seq != 0 {
				c.Events = append(c.Events, ev)
			}
		}
	}
	tx.Ascend(engine.Key{Table: engine.TableFlow}, func(_ engine.Key, row engine.Row) bool {
		f := row.(*enginev1.Flow)
		c.Flow = replay.Flow{ID: f.Id, Version: f.Version, File: f.File, XML: f.Xml, Ends: f.Ends, DeployedMS: f.DeployedMs}
		return true
	})
	return c
}
