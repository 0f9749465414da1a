package consume

import (
	"fmt"
	"math"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

// IDHeader is the record header that carries the record's id.
const IDHeader = "id"

// Decode sets r.Event from r.Value, or r.Cause when the value cannot be trusted.
// It never panics, whatever the bytes.
func Decode(r *store.Record) {
	e := new(enginev1.Event)
	if cause := decode(e, r); cause != "" {
		r.Event, r.Cause = nil, cause
		return
	}
	r.Event, r.Cause = e, ""
}

func decode(e *enginev1.Event, r *store.Record) (cause string) {
	defer func() {
		if fault := recover(); fault != nil {
			cause = fmt.Sprintf("the decoder panicked: %v", fault)
		}
	}()
	if len(r.Value) == 0 {
		return "the record has no value"
	}
	if err := e.UnmarshalVT(r.Value); err != nil {
		return "the value is not an engine.v1.Event: " + err.Error()
	}
	id := store.EventID(e)
	switch {
	case e.Kind == enginev1.EventKind_EVENT_KIND_UNSPECIFIED:
		return "the event has no kind"
	case id.Cluster == 0 || id.Index == 0:
		return "the event has no id"
	case id.Index > math.MaxInt64:
		return fmt.Sprintf("the event's log index %d is out of range", id.Index)
	case e.Payment > math.MaxInt64:
		return fmt.Sprintf("the payment key %d is out of range", e.Payment)
	case r.ID != "" && r.ID != id.String():
		return fmt.Sprintf("the header says the id is %.80q, the value says %s", r.ID, id)
	}
	return ""
}
