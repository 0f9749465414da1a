package enginetest

import (
	"fmt"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Format prints an event as one line of a script: the payment and its sequence
// number, the kind, the element, and whatever else the event says. Ids that
// differ from run to run do not exist here; UUIDs are left out all the same,
// since they are noise to a reader.
func (e *Env) Format(ev *enginev1.Event) string {
	var b strings.Builder
	if ev.Payment != 0 {
		b.WriteString(e.alias(ev.Payment))
		if ev.Seq != 0 {
			fmt.Fprintf(&b, "/%d", ev.Seq)
		}
		b.WriteByte(' ')
	}
	kind := strings.TrimPrefix(ev.Kind.String(), "EVENT_KIND_")
	b.WriteString(strings.ToLower(strings.ReplaceAll(kind, "_", "-")))
	word := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", label, e.rename(value))
		}
	}
	number := func(label string, value uint64) {
		if value != 0 {
			fmt.Fprintf(&b, " %s=%d", label, value)
		}
	}
	if ev.Element != "" {
		b.WriteByte(' ')
		b.WriteString(ev.Element)
	}
	if ev.Kind == enginev1.EventKind_EVENT_KIND_TOKEN_MOVED {
		word("from", ev.Name)
	}
	number("job", uint64(ev.Job))
	number("attempt", uint64(ev.Attempt))
	word("type", ev.Type)
	word("key", ev.Key)
	number("ordinal", uint64(ev.Ordinal))
	number("number", uint64(ev.Number))
	if ev.Kind != enginev1.EventKind_EVENT_KIND_MESSAGE_PUBLISHED && ev.Kind != enginev1.EventKind_EVENT_KIND_MESSAGE_EXPIRED {
		number("value", ev.Value)
	}
	number("weight", uint64(ev.Weight))
	if len(ev.Digest) > 0 && strings.HasPrefix(kind, "CONNECTOR_ROLLED") {
		number("digest", uint64(ev.Digest[0]))
	}
	if len(ev.Digest) > 1 && ev.Job != 0 && ev.Digest[0] > 1 {
		number("digest", uint64(ev.Digest[0])) // scripts mostly have one
	}
	if ev.DueMs != 0 {
		fmt.Fprintf(&b, " due=+%gs", float64(ev.DueMs-startMS)/1000)
	}
	if ev.Result != 0 {
		word("result", strings.ToLower(strings.TrimPrefix(ev.Result.String(), "RESULT_")))
	}
	if ev.Effect != 0 {
		word("effect", strings.ToLower(strings.TrimPrefix(ev.Effect.String(), "EFFECT_STATE_")))
	}
	if ev.Mode != 0 && ev.Kind == enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT {
		word("mode", strings.ToLower(strings.TrimPrefix(ev.Mode.String(), "MODE_")))
	}
	word("code", ev.Code)
	if ev.Actor != nil {
		word("actor", ev.Actor.Name)
	}
	if len(ev.Answer) > 0 {
		word("answer", string(ev.Answer))
	}
	for _, v := range ev.Variables {
		fmt.Fprintf(&b, " %s:%s", v.Name, e.rename(string(v.Json)))
	}
	if ev.Text != "" && (ev.Kind == enginev1.EventKind_EVENT_KIND_REJECTED || ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED ||
		ev.Kind == enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED || ev.Kind == enginev1.EventKind_EVENT_KIND_USER_TASK_CHANGED ||
		ev.Kind == enginev1.EventKind_EVENT_KIND_FORWARD_PARKED ||
		ev.Kind == enginev1.EventKind_EVENT_KIND_TOKEN_MOVED || ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_MIGRATED) {
		fmt.Fprintf(&b, " (%s)", ev.Text)
	}
	return b.String()
}

// alias names payments p1, p2 … in the order they started.
func (e *Env) alias(payment uint64) string {
	for i, p := range e.payments {
		if p == payment {
			return fmt.Sprintf("p%d", i+1)
		}
	}
	e.payments = append(e.payments, payment)
	return fmt.Sprintf("p%d", len(e.payments))
}

// rename writes a payment's UUID as <p1>.
func (e *Env) rename(s string) string {
	for uuid, payment := range e.uuids {
		s = strings.ReplaceAll(s, uuid, "<"+e.alias(payment)+">")
	}
	return s
}
