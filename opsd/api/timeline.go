package api

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// kindMissing is the kind of the entry that stands for events that have not
// arrived.
const kindMissing = "missing"

// timeline renders a page of events in order. Where the sequence has a hole an
// entry says so; after is the sequence number before the page.
func (m *masker) timeline(events []store.Event, after uint32) []*opsv1.TimelineEntry {
	out := make([]*opsv1.TimelineEntry, 0, len(events))
	type effect struct{ job, attempt, ordinal uint32 }
	intents := map[effect]int64{}
	for _, e := range events {
		if e.Seq > after+1 {
			out = append(out, &opsv1.TimelineEntry{Kind: kindMissing, Seq: after + 1, MissingTo: e.Seq - 1})
		}
		after = max(after, e.Seq)
		if e.Decoded == nil {
			out = append(out, &opsv1.TimelineEntry{Id: e.ID.String(), Seq: e.Seq, Kind: unreadable})
			continue
		}
		entry := m.entry(e.Decoded)
		key := effect{e.Decoded.Job, e.Decoded.Attempt, e.Decoded.Ordinal}
		switch e.Decoded.Kind {
		case enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED:
			intents[key] = e.Decoded.TimeMs
		case enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED:
			if began, ok := intents[key]; ok {
				entry.Latency = durationpb.New(time.Duration(e.Decoded.TimeMs-began) * time.Millisecond)
			}
		}
		out = append(out, entry)
	}
	return out
}

func (m *masker) entry(e *enginev1.Event) *opsv1.TimelineEntry {
	entry := &opsv1.TimelineEntry{
		Id: store.EventID(e).String(), Seq: e.Seq, Time: at(e.TimeMs), Kind: store.KindName(e.Kind),
		Element: valid(e.Element), Name: m.text(e.Name), Type: valid(e.Type),
		Token: e.Token, Job: e.Job, Attempt: e.Attempt, Ordinal: e.Ordinal,
		Key: m.text(e.Key), Code: valid(e.Code), Text: m.text(e.Text), Uuid: valid(e.Uuid),
		Result: opsv1.PaymentResult(e.Result), Request: m.request(e.Request), Answer: m.answer(e.Answer),
		Endpoint: valid(e.Endpoint), Number: e.Number, Value: e.Value,
		Mode:   enumName(e.Mode.String(), "MODE_"),
		Effect: enumName(e.Effect.String(), "EFFECT_STATE_"),
	}
	switch e.Kind {
	case enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED:
		entry.Key = m.identifier(e.Key) // the client key
	case enginev1.EventKind_EVENT_KIND_FORWARD_QUEUED, enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED:
		// These carry the frames as they go over the wire, not an effect and its answer.
		entry.Request, entry.Answer = frame(e.Request), frame(e.Answer)
	}
	if e.DueMs != 0 {
		entry.DueTime = at(e.DueMs)
	}
	if e.Actor != nil {
		entry.Actor, entry.Reason = valid(e.Actor.Name), m.text(e.Actor.Reason)
	}
	for _, v := range e.Variables {
		entry.Variables = append(entry.Variables, &opsv1.Variable{Name: m.text(v.Name), Json: m.variable(v)})
	}
	return entry
}

// variable masks one variable; what is no JSON is not shown.
func (m *masker) variable(v *enginev1.Variable) string {
	masked, ok := m.json(v.Name, v.Json)
	if !ok {
		return `"***"`
	}
	return masked
}

// enumName is the name of an enum's value for interfaces; "" for unspecified.
func enumName(name, prefix string) string {
	name = strings.TrimPrefix(name, prefix)
	if name == "UNSPECIFIED" {
		return ""
	}
	return strings.ToLower(name)
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func at(ms int64) *timestamppb.Timestamp { return timestamppb.New(time.UnixMilli(ms).UTC()) }
