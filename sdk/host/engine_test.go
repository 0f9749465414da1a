package host_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/railhead-hub/railhead/sdk/host"
)

// TestEnginesAgree: a connector of Go's, metered and not, compiled and
// interpreted, replies the same; and what a fresh instance takes of fuel is the
// same in both engines and each time.
func TestEnginesAgree(t *testing.T) {
	type way struct{ interpreter, unmetered, again bool }
	ways := []way{{}, {again: true}, {unmetered: true}, {interpreter: true}, {interpreter: true, unmetered: true}}
	type seen struct {
		reply []byte
		fuel  int64
	}
	first := map[string]seen{}
	for _, w := range ways {
		m := openProbe(t, host.Options{Interpreter: w.interpreter, Unmetered: w.unmetered})
		for _, what := range []string{"complete", "json", "clock", "wall", "random", "state", "files", "panic"} {
			request, err := doing(what).MarshalVTStrict()
			if err != nil {
				t.Fatal(err)
			}
			i, err := m.NewInstance(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			reply, err := i.StepBytes(t.Context(), nil, request)
			if err != nil {
				t.Fatalf("%s, %+v: %v", what, w, err)
			}
			now := seen{reply, i.FuelUsed()}
			before, known := first[what]
			if !known {
				first[what], before = now, now
			}
			if !bytes.Equal(now.reply, before.reply) || !w.unmetered && (now.fuel != before.fuel || now.fuel <= 0) {
				t.Errorf("%s, %+v: reply %q and fuel %d, where they were %q and %d", what, w, now.reply, now.fuel, before.reply, before.fuel)
			}
			i.Close(context.Background())
		}
	}
}
