package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

// library fills a store with payments that differ in everything a filter asks.
func library(t testing.TB, s *store.Store, payments int) *feed {
	f, st := newFeed(t, s), newStory()
	random := rand.New(rand.NewPCG(1, 2))
	var events []*enginev1.Event
	for p := uint64(1); p <= uint64(payments); p++ {
		events = append(events, st.started(p, func(e *enginev1.Event) {
			e.Tenant = fmt.Sprintf("tenant-%d", p%3)
			e.Type = fmt.Sprintf("flow-%d", p%4)
			e.TimeMs = 1_700_000_000_000 + random.Int64N(50)*1000 // many at the same moment
		}))
		switch p % 5 {
		case 0:
			events = append(events, st.ended(p, enginev1.Result_RESULT_FAILED))
		case 1:
			events = append(events, st.event(p, enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED))
		case 2, 3:
			events = append(events, st.ended(p, enginev1.Result_RESULT_COMPLETED))
		}
	}
	for chunk := range slices.Chunk(events, 500) {
		f.events(chunk...)
	}
	return f
}

var filters = []store.Filter{
	{},
	{Tenant: "tenant-1"},
	{State: store.StateIncident},
	{State: store.StateEnded},
	{Result: enginev1.Result_RESULT_FAILED},
	{Flow: "flow-2"},
	{ClientKey: "client-17"},
	{TransactionID: uuidOf(18)},
	{Currency: "USD"},
	{Currency: "USD", AmountMin: new(int64(2050)), AmountMax: new(int64(4050))},
	{Currency: "USD", AmountMin: new(int64(2050)), AmountMax: new(int64(2050))},
	{StartedFromMS: 1_700_000_010_000, StartedToMS: 1_700_000_020_000},
	{Text: "corr-19"},
	{Text: "20"},
	{Tenant: "tenant-2", State: store.StateEnded, Result: enginev1.Result_RESULT_COMPLETED, Flow: "flow-1"},
	{Tenant: "tenant-2", Currency: "USD", AmountMin: new(int64(1000)), StartedFromMS: 1_700_000_010_000},
	{Tenant: "nobody", Text: "21"},
}

// matches is the filter again, as dumb as can be.
func matches(f *store.Filter, p *store.Payment) bool {
	return (f.Tenant == "" || p.Tenant == f.Tenant) && (f.State == 0 || p.State == f.State) && (f.Result == 0 || p.Result == f.Result) &&
		(f.Flow == "" || p.Flow == f.Flow) && (f.ClientKey == "" || p.ClientKey == f.ClientKey) &&
		(f.TransactionID == "" || p.UUID == f.TransactionID) && (f.Currency == "" || p.Currency == f.Currency) &&
		(f.AmountMin == nil || *p.Amount >= *f.AmountMin) && (f.AmountMax == nil || *p.Amount <= *f.AmountMax) &&
		(f.StartedFromMS == 0 || p.StartedMS >= f.StartedFromMS) && (f.StartedToMS == 0 || p.StartedMS < f.StartedToMS) &&
		(f.Text == "" || f.Text == fmt.Sprint(p.Key) || f.Text == fmt.Sprintf("corr-%d", p.Key))
}

func TestPagesHoldWhatTheFilterAsksNewestFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		library(t, s, 200)
		everything, err := s.Payments(t.Context(), &store.Filter{}, nil, 1000)
		if err != nil || len(everything) != 200 {
			t.Fatalf("%d payments, %v", len(everything), err)
		}
		for _, f := range filters {
			var want []*store.Payment
			for _, p := range everything {
				if matches(&f, p) {
					want = append(want, p)
				}
			}
			var got []*store.Payment
			for after := (*store.Cursor)(nil); ; {
				page, err := s.Payments(t.Context(), &f, after, 7)
				if err != nil {
					t.Fatalf("%+v: %v", f, err)
				}
				got = append(got, page...)
				if len(page) < 7 {
					break
				}
				last := page[len(page)-1]
				after = &store.Cursor{StartedMS: last.StartedMS, Key: last.Key}
			}
			if keys(got) != keys(want) {
				t.Errorf("%+v:\n got %s\nwant %s", f, keys(got), keys(want))
			}
		}
	})
}

func TestNoListReadsAWholeTable(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		library(t, s, 200)
		for _, f := range filters {
			for _, after := range []*store.Cursor{nil, {StartedMS: 1_700_000_020_000, Key: 50}} {
				plan, scans, err := s.ExplainPayments(t.Context(), &f, after, 100)
				if err != nil {
					t.Fatalf("%+v: %v", f, err)
				}
				if scans {
					t.Errorf("%+v reads a whole table:\n%s", f, plan)
				}
				few := f.Text != "" || f.ClientKey != "" || f.TransactionID != "" || f.Currency != ""
				if cfg.Driver == "sqlite" && !few && strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%+v sorts what it found:\n%s", f, plan)
				}
			}
		}
	})
}

func TestChangesComeInOrderAndSayWhatLeftTheFilter(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		f.events(st.started(1), st.started(2))
		begin, err := s.Newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.events(st.started(3))
		f.events(st.ended(1, enginev1.Result_RESULT_COMPLETED), st.event(2, enginev1.EventKind_EVENT_KIND_JOB_CREATED))
		newest, _ := s.Newest(t.Context())
		var said []string
		for after := begin; ; {
			changes, err := s.Changes(t.Context(), &store.Filter{State: store.StateRunning, Tenant: "greenbank"}, after, newest, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				said = append(said, fmt.Sprintf("%d %v", c.Key, c.Matches))
				after = c.Change
			}
			if len(changes) < 2 {
				break
			}
		}
		if got, want := strings.Join(said, ", "), "3 true, 1 false, 2 true"; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
		if none, err := s.Changes(t.Context(), &store.Filter{Tenant: "other"}, 0, newest, 10); err != nil || len(none) != 0 {
			t.Errorf("%d changes of another tenant, %v", len(none), err)
		}
	})
}

func TestTheTimelineIsPagedInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		events := []*enginev1.Event{st.started(1), st.started(2)}
		for range 20 {
			events = append(events, st.event(1, enginev1.EventKind_EVENT_KIND_JOB_CREATED), st.event(2, enginev1.EventKind_EVENT_KIND_JOB_CREATED))
		}
		f.events(events...)
		var place store.Place
		var seen []uint32
		for {
			page, more, err := s.Events(t.Context(), 1, place, 8)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				if e.Decoded == nil || e.Decoded.Payment != 1 {
					t.Fatalf("%+v", e)
				}
				seen = append(seen, e.Seq)
				place = store.Place{Seq: e.Seq, ID: e.ID}
			}
			if !more {
				break
			}
		}
		if len(seen) != 21 || !slices.IsSorted(seen) || seen[20] != 21 {
			t.Errorf("sequence %v", seen)
		}
	})
}

// One event may hold megabytes; a page of such is short rather than large.
func TestAPageOfLargeEventsIsShort(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		large := string(slices.Repeat([]byte("x"), 3<<20))
		events := []*enginev1.Event{st.started(1)}
		for range 6 {
			events = append(events, st.event(1, enginev1.EventKind_EVENT_KIND_JOB_COMPLETED, func(e *enginev1.Event) { e.Text = large }))
		}
		f.events(events...)
		first, more, err := s.Events(t.Context(), 1, store.Place{}, 100)
		if err != nil || !more || len(first) != 4 {
			t.Fatalf("%d events, more %v, %v", len(first), more, err)
		}
		last := first[len(first)-1]
		rest, more, err := s.Events(t.Context(), 1, store.Place{Seq: last.Seq, ID: last.ID}, 100)
		if err != nil || more || len(rest) != 3 {
			t.Errorf("%d events, more %v, %v", len(rest), more, err)
		}
	})
}
