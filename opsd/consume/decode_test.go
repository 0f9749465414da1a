package consume_test

import (
	"bytes"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/consume"
	"github.com/railhead-hub/railhead/opsd/store"
)

// Whatever the bytes, a record has either an event or a cause, and a decoded
// event's numbers fit the databases.
func FuzzDecode(f *testing.F) {
	for _, e := range life(1, 3) {
		raw, err := e.MarshalVTStrict()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, store.EventID(e).String())
	}
	f.Add([]byte{0xff, 0xff}, "")
	f.Add(bytes.Repeat([]byte{0x0a, 0x00}, 50), "1-1-1-0")
	f.Fuzz(func(t *testing.T, value []byte, id string) {
		r := store.Record{Value: value, ID: id}
		consume.Decode(&r)
		if (r.Event == nil) == (r.Cause == "") {
			t.Fatalf("event %v and cause %q", r.Event, r.Cause)
		}
		if e := r.Event; e != nil && (int64(e.Payment) < 0 || int64(e.Index) < 0 || e.Kind == enginev1.EventKind_EVENT_KIND_UNSPECIFIED) {
			t.Fatalf("%+v", e)
		}
	})
}
