package api_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/api"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// What is masked elsewhere is revealed to whoever says who they are and why, page by
// page, and the audit chain has it first.
func TestRevealEvents(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	started := b.started(7)
	started.Variables = append(started.Variables, &enginev1.Variable{Name: "msisdn", Json: []byte(`"27710101999"`)})
	answered := b.event(7, enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED, func(e *enginev1.Event) {
		e.Request, e.Answer = []byte("the request"), []byte("the answer")
		e.History = []*enginev1.HistoryEntry{{Ordinal: 1, Answered: true, Answer: []byte("another")}}
	})
	b.apply(false, started, answered, b.ended(7))
	request := &opsv1.RevealEventsRequest{
		Name: &opsv1.RevealEventsRequest_Key{Key: 7}, Actor: "ada", Reason: "why did it fail?", PageSize: 2,
	}
	var events []*enginev1.Event
	for {
		page, err := b.client.RevealEvents(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Events {
			ev := &enginev1.Event{}
			if err := ev.UnmarshalVT(raw); err != nil {
				t.Fatal(err)
			}
			events = append(events, ev)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			break
		}
	}
	if len(events) != 3 || events[2].Seq != 3 {
		t.Fatalf("%d events", len(events))
	}
	if v := events[0].Variables[2]; v.Name != "msisdn" || string(v.Json) != `"27710101999"` {
		t.Errorf("%s is %s", v.Name, v.Json)
	}
	if len(events[1].Request)+len(events[1].Answer)+len(events[1].History) != 0 {
		t.Error("what went over the wire is revealed")
	}
	entries, err := b.client.ListAudit(t.Context(), &opsv1.ListAuditRequest{Tenant: "greenbank"})
	if err != nil || len(entries.Entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries.GetEntries()), err)
	}
	last := entries.Entries[0]
	if last.Actor != "ada" || last.Reason != "why did it fail?" || last.Method != "reveal-events" || last.Target != "payment 7 from event 3" {
		t.Errorf("the audit says %v", last)
	}
	verified, err := b.client.VerifyAudit(t.Context(), &opsv1.VerifyAuditRequest{ExpectHead: last.Hash})
	if err != nil || !verified.Ok || verified.Checked != 2 {
		t.Errorf("%v, %v", verified, err)
	}
}

func TestRevealEventsRefusals(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	b.apply(false, b.started(7))
	for _, tc := range []struct {
		with func(*opsv1.RevealEventsRequest)
		want connect.Code
	}{
		{func(r *opsv1.RevealEventsRequest) { r.Reason = "" }, connect.CodeInvalidArgument},
		{func(r *opsv1.RevealEventsRequest) { r.Actor = "" }, connect.CodeInvalidArgument},
		{func(r *opsv1.RevealEventsRequest) { r.Name = nil }, connect.CodeInvalidArgument},
		{func(r *opsv1.RevealEventsRequest) { r.PageToken = "x" }, connect.CodeInvalidArgument},
		{func(r *opsv1.RevealEventsRequest) { r.Reason = strings.Repeat("x", 1025) }, connect.CodeInvalidArgument},
		{func(r *opsv1.RevealEventsRequest) { r.Name = &opsv1.RevealEventsRequest_Key{Key: 8} }, connect.CodeNotFound},
		{func(r *opsv1.RevealEventsRequest) { r.Name = &opsv1.RevealEventsRequest_Uuid{Uuid: "nobody"} }, connect.CodeNotFound},
	} {
		r := &opsv1.RevealEventsRequest{Name: &opsv1.RevealEventsRequest_Key{Key: 7}, Actor: "ada", Reason: "why"}
		tc.with(r)
		if _, err := b.client.RevealEvents(t.Context(), r); code(err) != tc.want {
			t.Errorf("%v: %v", r, err)
		}
	}
	if entries, err := b.store.AuditEntries(t.Context(), "", 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("refusals left %v, %v", entries, err)
	}
}

// What connectors asked and were answered is revealed to who asks for it by name, and
// the audit has that name.
func TestRevealExchanges(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	b.apply(false, b.started(7), b.event(7, enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED, func(e *enginev1.Event) {
		e.Request, e.Answer = []byte("the request"), []byte("the answer")
		e.History = []*enginev1.HistoryEntry{{Ordinal: 1, Answered: true, Answer: []byte("another")}}
	}))
	page, err := b.client.RevealEvents(t.Context(), &opsv1.RevealEventsRequest{
		Name: &opsv1.RevealEventsRequest_Key{Key: 7}, Actor: "ada", Reason: "a test of it", Exchanges: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ev := &enginev1.Event{}
	if err := ev.UnmarshalVT(page.Events[1]); err != nil {
		t.Fatal(err)
	}
	if string(ev.Request) != "the request" || string(ev.Answer) != "the answer" || len(ev.History) != 1 {
		t.Errorf("%v", ev)
	}
	entries, err := b.client.ListAudit(t.Context(), &opsv1.ListAuditRequest{Tenant: "greenbank"})
	if err != nil || len(entries.Entries) != 1 || entries.Entries[0].Method != "reveal-exchanges" {
		t.Errorf("%v %v", entries, err)
	}
}
