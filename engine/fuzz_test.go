package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// FuzzApply feeds whatever decodes as a command into a cluster at work: it is
// applied or refused, nothing panics, and the rows still agree with each other.
func FuzzApply(f *testing.F) {
	w := enginetest.NewWorkload(enginetest.NewMemTx(), 1)
	for range 300 {
		w.Step()
	}
	log := w.Log()
	for _, l := range log[len(log)-60:] {
		b, err := l.Command.MarshalVTStrict()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd := &enginev1.Command{}
		if cmd.UnmarshalVT(b) != nil {
			return
		}
		tx, eng := enginetest.NewMemTx(), engine.New()
		var last engine.Stamp
		for _, l := range log {
			eng.Apply(tx, l.Stamp, l.Command)
			last = l.Stamp
		}
		last.Index++
		res := eng.Apply(tx, last, cmd)
		if res.Reply == nil {
			t.Fatal("a command got no reply")
		}
		if res.Reply.Code == engine.CodeInternal {
			t.Fatalf("the engine failed: %s", res.Reply.Text)
		}
		if err := enginetest.Check(tx); err != nil {
			t.Fatal(err)
		}
	})
}
