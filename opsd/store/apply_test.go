package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

func TestAPaymentIsFoldedFromItsEvents(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		f.events(st.started(7), st.event(7, enginev1.EventKind_EVENT_KIND_JOB_CREATED))
		p, err := s.Payment(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if p.State != store.StateRunning || p.Flow != "payer-fund-transfer-greenbank" || p.FlowVersion != 3 ||
			p.ClientKey != "client-7" || p.Channel != "paymenthub" || p.Tenant != "greenbank" || p.LastSeq != 2 {
			t.Errorf("after the start: %+v", p)
		}
		if p.Amount == nil || *p.Amount != 750 || p.Currency != "USD" {
			t.Errorf("amount %v %s, want 750 USD", p.Amount, p.Currency)
		}

		incident := func(n uint32) func(*enginev1.Event) {
			return func(e *enginev1.Event) { e.Number, e.Code, e.Element = n, "job-failed", "block-funds" }
		}
		f.events(st.event(7, enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, incident(1)), st.event(7, enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, incident(2)))
		f.events(st.event(7, enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED, incident(1)))
		if p, _ = s.Payment(t.Context(), 7); p.State != store.StateIncident || len(p.Incidents) != 1 || p.Incidents[0].Number != 2 {
			t.Errorf("with one open incident: %+v", p)
		}
		f.events(st.event(7, enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED, incident(2)))
		if p, _ = s.Payment(t.Context(), 7); p.State != store.StateRunning {
			t.Errorf("after the last incident: %+v", p)
		}
		f.events(st.ended(7, enginev1.Result_RESULT_FAILED))
		p, err = s.PaymentByUUID(t.Context(), uuidOf(7))
		if err != nil || p.State != store.StateEnded || p.Result != enginev1.Result_RESULT_FAILED || p.Code != "code" || p.EndedMS == 0 {
			t.Errorf("at the end: %+v, %v", p, err)
		}
		status, err := s.Status(t.Context())
		if err != nil || status.Events != 7 || status.Payments[store.StateEnded] != 1 || status.Payments[store.StateRunning] != 0 || status.Payments[store.StateIncident] != 0 {
			t.Errorf("status %+v, %v", status, err)
		}
		if _, err := s.Payment(t.Context(), 8); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown payment: %v", err)
		}
	})
}

// Whatever is exported again, in one batch or in another, before or after a
// restart, is dropped.
func TestRepeatedRecordsAreDropped(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		first := []*enginev1.Event{
			st.started(1), st.started(2), st.event(0, enginev1.EventKind_EVENT_KIND_MESSAGE_PUBLISHED),
			st.event(1, enginev1.EventKind_EVENT_KIND_JOB_CREATED), st.ended(1, enginev1.Result_RESULT_COMPLETED),
		}
		if out := f.events(first...); out.Events != 5 || out.Duplicates != 0 {
			t.Fatalf("first: %+v", out)
		}
		next := st.event(2, enginev1.EventKind_EVENT_KIND_JOB_CREATED)
		if out := f.events(append(slices.Clone(first[1:]), next, next)...); out.Events != 1 || out.Duplicates != 5 {
			t.Errorf("a new leader exports again: %+v", out)
		}
		f.claim.Release()
		again := open(t, cfg)
		f = &feed{t: t, store: again, claim: claim(t, again), next: f.next}
		if out := f.events(append(slices.Clone(first), next)...); out.Events != 0 || out.Duplicates != 6 {
			t.Errorf("after a restart: %+v", out)
		}
		status, _ := again.Status(t.Context())
		if status.Events != 6 || status.GapEvents != 0 || status.Payments[store.StateEnded] != 1 || status.Payments[store.StateRunning] != 1 {
			t.Errorf("status: %+v", status)
		}
		events, _, err := again.Events(t.Context(), 1, store.Place{}, 100)
		if err != nil || len(events) != 3 {
			t.Errorf("timeline of 1: %d events, %v", len(events), err)
		}
	})
}

func TestAMissingEventIsAGapUntilItArrives(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		start, lost, after := st.started(1), st.event(1, enginev1.EventKind_EVENT_KIND_JOB_CREATED), st.event(1, enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)
		if out := f.events(start, after); out.Missing != 1 {
			t.Errorf("%+v, want one missing", out)
		}
		status, _ := s.Status(t.Context())
		if status.GapPayments != 1 || status.GapEvents != 1 {
			t.Errorf("with a gap: %+v", status)
		}
		if out := f.events(lost); out.Events != 1 || out.Late != 1 {
			t.Errorf("late: %+v", out)
		}
		status, _ = s.Status(t.Context())
		p, _ := s.Payment(t.Context(), 1)
		if status.GapPayments != 0 || status.GapEvents != 0 || p.Missing != 0 || p.LastSeq != 3 {
			t.Errorf("filled: %+v, %+v", status, p)
		}
	})
}

// A cluster that lost its newest entries goes on under a new incarnation and uses
// sequence numbers again.
func TestALaterIncarnationHolds(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		f.events(st.started(1), st.ended(1, enginev1.Result_RESULT_COMPLETED))
		f.events(&enginev1.Event{
			Cluster: 1, Incarnation: 2, Index: 1, Payment: 1, Seq: 2, Tenant: "greenbank",
			Kind: enginev1.EventKind_EVENT_KIND_JOB_FAILED, TimeMs: 1_800_000_000_000,
		})
		p, _ := s.Payment(t.Context(), 1)
		if p.State != store.StateRunning || p.Result != 0 || p.Last.Incarnation != 2 || p.Missing != 0 {
			t.Errorf("%+v", p)
		}
		events, _, _ := s.Events(t.Context(), 1, store.Place{}, 10)
		if len(events) != 3 {
			t.Errorf("%d events, want both histories", len(events))
		}
	})
}

func TestOnlyTheHolderOfTheClaimWrites(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		st := newStory()
		old := open(t, cfg)
		f := newFeed(t, old)
		f.events(st.started(1))
		f.claim.Release()

		other := open(t, cfg)
		taken := claim(t, other)
		if len(taken.Positions) != 1 || taken.Positions[0].Next != 1 {
			t.Fatalf("positions %+v", taken.Positions)
		}
		late := st.started(2)
		if _, err := old.Apply(t.Context(), f.claim, f.batch(records(t, 0, late))); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a batch under an old claim: %v", err)
		}
		if _, err := old.Replay(t.Context(), f.claim, func(*store.Record) {}); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a replay under an old claim: %v", err)
		}
		g := &feed{t: t, store: other, claim: taken, next: 1}
		g.events(late)
		stale := &store.Batch{Records: records(t, 1, late), Spans: []store.Span{{Topic: "railhead.events.v1", From: 1, To: 2}}}
		if _, err := other.Apply(t.Context(), taken, stale); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a batch from an old position: %v", err)
		}
		status, _ := other.Status(t.Context())
		if status.Events != 2 {
			t.Errorf("%d events, want 2", status.Events)
		}
	})
}

// A batch that fails leaves nothing behind, in the database or in memory.
func TestAFailedBatchLeavesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		f.events(st.started(1))
		next := st.event(1, enginev1.EventKind_EVENT_KIND_JOB_CREATED)
		batch := f.batch(records(t, 0, next))
		batch.Spans[0].From = 17
		if _, err := s.Apply(t.Context(), f.claim, batch); err == nil {
			t.Fatal("a batch from nowhere is accepted")
		}
		if out := f.events(next, st.ended(1, enginev1.Result_RESULT_COMPLETED)); out.Events != 2 || out.Missing != 0 {
			t.Errorf("the batch again: %+v", out)
		}
	})
}

func TestPoisonGoesToTheDeadLettersAndCanBeReplayed(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		all := records(t, 0, st.started(1), st.event(1, enginev1.EventKind_EVENT_KIND_JOB_CREATED), st.ended(1, enginev1.Result_RESULT_COMPLETED))
		poison := all[1].Event
		all[1].Event, all[1].Cause = nil, "a newer core wrote this\x00"
		if out := f.records(all); out.Events != 2 || out.DeadLetters != 1 || out.Missing != 1 {
			t.Fatalf("%+v", out)
		}
		dead, err := s.DeadLetters(t.Context(), 0, 10)
		if err != nil || len(dead) != 1 || dead[0].Record.Offset != 1 || dead[0].Record.ID != "1-1-2-0" || dead[0].ReplayedMS != 0 {
			t.Fatalf("%+v, %v", dead, err)
		}
		still := func(r *store.Record) { r.Cause = "still not" }
		if out, err := s.Replay(t.Context(), f.claim, still); err != nil || out.Events != 0 {
			t.Errorf("replayed by a version that cannot read it: %+v, %v", out, err)
		}
		if status, _ := s.Status(t.Context()); status.DeadLetters != 1 {
			t.Errorf("%+v", status)
		}
		reads := func(r *store.Record) { r.Event = poison }
		for range 2 {
			if _, err := s.Replay(t.Context(), f.claim, reads); err != nil {
				t.Fatal(err)
			}
		}
		status, _ := s.Status(t.Context())
		if status.DeadLetters != 0 || status.Events != 3 || status.GapEvents != 0 || status.GapPayments != 0 {
			t.Errorf("replayed twice: %+v", status)
		}
		if p, _ := s.Payment(t.Context(), 1); p.State != store.StateEnded {
			t.Errorf("a late event reopened the payment: %+v", p)
		}
		if dead, _ = s.DeadLetters(t.Context(), 0, 10); dead[0].ReplayedMS == 0 {
			t.Error("the dead letter is not marked")
		}
	})
}

// Texts that one of the databases would refuse are stored all the same.
func TestHostileTexts(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		long := string(slices.Repeat([]byte("x'\x00\xff"), 5000))
		f.events(st.started(1, func(e *enginev1.Event) {
			e.Tenant, e.Uuid, e.Type, e.Key, e.Name = long, long, long, long, long
			e.Variables = append(e.Variables, &enginev1.Variable{Name: "quoteId", Json: []byte(`"` + "\\u0000" + `"`)},
				&enginev1.Variable{Name: "quoteId", Json: []byte(`{"not`)})
		}), st.event(1, enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, func(e *enginev1.Event) { e.Text, e.Code, e.Element = long, long, long }))
		p, err := s.Payment(t.Context(), 1)
		if err != nil || p.State != store.StateIncident || len(p.Flow) > 256 {
			t.Errorf("%v, %v", p, err)
		}
	})
}

func TestManyPaymentsInManyBatches(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		const payments = 300
		for round := range 4 {
			var events []*enginev1.Event
			for p := uint64(1); p <= payments; p++ {
				switch round {
				case 0:
					events = append(events, st.started(p))
				case 3:
					events = append(events, st.ended(p, enginev1.Result_RESULT_COMPLETED))
				default:
					events = append(events, st.event(p, enginev1.EventKind_EVENT_KIND_JOB_CREATED))
				}
			}
			f.events(events...)
		}
		status, err := s.Status(t.Context())
		if err != nil || status.Events != 4*payments || status.Payments[store.StateEnded] != payments || status.GapEvents != 0 {
			t.Errorf("%+v, %v", status, err)
		}
		for _, text := range []string{"corr-17", "client-17", uuidOf(17), "17"} {
			found, err := s.Payments(t.Context(), &store.Filter{Text: text}, nil, 10)
			if err != nil || keys(found) != "17" {
				t.Errorf("text %s finds %q, %v", text, keys(found), err)
			}
		}
		if found, _ := s.Payments(t.Context(), &store.Filter{Text: "27710101999"}, nil, 10); len(found) != 0 {
			t.Error("a payment can be found by a personal identifier")
		}
		newest, err := s.Newest(t.Context())
		if err != nil || newest != 4*payments {
			t.Errorf("newest change %d, %v", newest, err)
		}
		if fmt.Sprint(status.Payments) != fmt.Sprint(map[store.State]int64{store.StateRunning: 0, store.StateEnded: payments}) {
			t.Errorf("%v", status.Payments)
		}
	})
}

// Processes that open a new database at the same moment all find it ready.
func TestOpenedAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		var group errgroup.Group
		for range 6 {
			group.Go(func() error {
				s, err := store.Open(t.Context(), cfg)
				if err != nil {
					return err
				}
				return s.Close()
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}
