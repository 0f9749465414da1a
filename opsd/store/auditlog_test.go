package store_test

import (
	"database/sql"
	"errors"
	"testing"

	_ "modernc.org/sqlite"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/audit"
	"github.com/railhead-hub/railhead/opsd/store"
)

func acts(t testing.TB, st *story, n int) []store.Record {
	var events []*enginev1.Event
	for i := range n {
		events = append(events, st.event(0, enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED, func(e *enginev1.Event) {
			e.Type, e.Actor = "payer-fund-transfer-greenbank", &enginev1.Actor{Name: "ada", Reason: "go live"}
			if i%3 == 2 {
				e.Tenant, e.Code = "bluebank", "flow-refused"
			}
		}))
	}
	out := records(t, 0, events...)
	for i := range out {
		out[i].Audit = true
	}
	return out
}

func TestAdministrativeActsAreChained(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		first := acts(t, st, 4)
		if out := f.records(first); out.Audit != 4 {
			t.Fatalf("%+v", out)
		}
		if out := f.records(append(first[2:4:4], acts(t, st, 2)...)); out.Audit != 2 || out.Duplicates != 2 {
			t.Errorf("exported again: %+v", out)
		}
		entries, err := s.AuditEntries(t.Context(), "", 0, 3)
		if err != nil || len(entries) != 3 || entries[0].Seq != 6 || entries[0].Actor != "ada" ||
			entries[0].Method != "flow_deployed" || entries[0].Target != "payer-fund-transfer-greenbank" || entries[0].Result != "ok" {
			t.Errorf("%+v, %v", entries, err)
		}
		blue, err := s.AuditEntries(t.Context(), "bluebank", 0, 10)
		if err != nil || len(blue) != 1 || blue[0].Result != "flow-refused" {
			t.Errorf("%+v, %v", blue, err)
		}
		head, err := s.AuditHead(t.Context())
		if err != nil || head.Seq != 6 {
			t.Errorf("%+v, %v", head, err)
		}
		verified, checked, err := s.VerifyAudit(t.Context(), 0, 1000, &head.Hash)
		if err != nil || verified != head || checked != 6 {
			t.Errorf("%+v %d %v", verified, checked, err)
		}
		if _, checked, err := s.VerifyAudit(t.Context(), 2, 3, nil); err != nil || checked != 3 {
			t.Errorf("a stretch: %d, %v", checked, err)
		}
		var fault *audit.Fault
		if _, _, err := s.VerifyAudit(t.Context(), 99, 10, nil); !errors.As(err, &fault) {
			t.Errorf("behind an entry that is not there: %v", err)
		}
	})
}

func TestAnActOnAPaymentNamesIt(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		act := records(t, 0, newStory().event(7, enginev1.EventKind_EVENT_KIND_ACTED, func(e *enginev1.Event) {
			e.Seq, e.Type, e.Number, e.Actor = 0, "resolve-incident", 3, &enginev1.Actor{Name: "ada", Reason: "bank is back"}
		}))
		act[0].Audit = true
		newFeed(t, s).records(act)
		entries, err := s.AuditEntries(t.Context(), "greenbank", 0, 10)
		if err != nil || len(entries) != 1 || entries[0].Method != "resolve-incident" || entries[0].Target != "payment 7 incident 3" || entries[0].Reason != "bank is back" {
			t.Errorf("%+v, %v", entries, err)
		}
	})
}

func TestEveryActSaysWhatItDid(t *testing.T) {
	by := &enginev1.Actor{Name: "ada", Reason: "mended"}
	acts := []struct {
		event enginev1.Event
		want  string
	}{
		{enginev1.Event{Type: "retry-job", Job: 3, Attempt: 2, Element: "hold", Number: 1}, "payment 7 job 3 at hold, attempt 2"},
		{enginev1.Event{Type: "set-variables", Token: 4, Element: "hold", Variables: []*enginev1.Variable{{Name: "amount", Json: []byte("5")}}}, "payment 7 token 4 at hold sets amount"},
		{enginev1.Event{Type: "move-token", Token: 4, Name: "hold", Element: "release"}, "payment 7 token 4 from hold to release"},
		{enginev1.Event{Type: "migrate-payment", Name: "transfer", Number: 2, Text: "from version 1, hold to block"}, "payment 7 flow transfer to version 2 from version 1, hold to block"},
		{enginev1.Event{Type: "cancel-payment", Text: "with compensation"}, "payment 7 with compensation"},
		{enginev1.Event{Type: "claim-user-task", Number: 5, Element: "approve", Key: "bob", Text: "given to “bob”"}, "payment 7 user task 5 at approve given to “bob”"},
		{enginev1.Event{Type: "complete-user-task", Number: 5, Element: "approve", Key: "bob", Variables: []*enginev1.Variable{{Name: "ok", Json: []byte("true")}}}, "payment 7 user task 5 at approve sets ok"},
		{enginev1.Event{Type: "broadcast-signal", Name: "end-of-day"}, "payment 7 signal end-of-day"},
	}
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s, story := open(t, cfg), newStory()
		var told []*enginev1.Event
		for i := range acts {
			told = append(told, story.event(7, enginev1.EventKind_EVENT_KIND_ACTED, func(e *enginev1.Event) {
				act := &acts[i].event
				e.Seq, e.Type, e.Job, e.Attempt, e.Element, e.Number = 0, act.Type, act.Job, act.Attempt, act.Element, act.Number
				e.Token, e.Name, e.Key, e.Text, e.Variables, e.Actor = act.Token, act.Name, act.Key, act.Text, act.Variables, by
			}))
		}
		feed := records(t, 0, told...)
		for i := range feed {
			feed[i].Audit = true
		}
		newFeed(t, s).records(feed)
		entries, err := s.AuditEntries(t.Context(), "greenbank", 0, 100)
		if err != nil || len(entries) != len(acts) {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for i := range acts {
			e := entries[len(acts)-1-i] // newest first
			if e.Target != acts[i].want || e.Method != acts[i].event.Type || e.Actor != "ada" || e.Reason != "mended" {
				t.Errorf("%+v, want the target %q", e, acts[i].want)
			}
		}
	})
}

func TestAMessageByHandIsAnAct(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		story := newStory()
		acts := records(t, 0,
			story.event(7, enginev1.EventKind_EVENT_KIND_ACTED, func(e *enginev1.Event) {
				e.Seq, e.Type, e.Name, e.Key = 0, "publish-message", "operator-manual-recovery", "k1"
			}),
			story.event(0, enginev1.EventKind_EVENT_KIND_ACTED, func(e *enginev1.Event) {
				e.Type, e.Name, e.Key = "publish-message", "go", "k2"
			}))
		for i := range acts {
			acts[i].Audit = true
		}
		newFeed(t, s).records(acts)
		entries, err := s.AuditEntries(t.Context(), "greenbank", 0, 10)
		if err != nil || len(entries) != 2 || entries[1].Target != "payment 7 message operator-manual-recovery to k1" ||
			entries[0].Target != "message go to k2" {
			t.Errorf("%+v, %v", entries, err)
		}
	})
}

func TestManipulationInTheDatabaseIsFound(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		for name, statement := range map[string]string{
			"edited":  "UPDATE audit SET actor = 'eve' WHERE seq = 2",
			"act":     "UPDATE audit SET raw = hash WHERE seq = 2",
			"removed": "DELETE FROM audit WHERE seq = 2",
		} {
			t.Run(name, func(t *testing.T) {
				cfg := cfg
				if cfg.Driver == "sqlite" {
					cfg.Path = t.TempDir() + "/opsd.db"
				} else {
					cfg = postgresConfig(t)
				}
				s := open(t, cfg)
				newFeed(t, s).records(acts(t, newStory(), 4))
				driver, dsn := "sqlite", cfg.Path
				if cfg.Driver == "postgres" {
					driver, dsn = "pgx", cfg.DSN
				}
				db, err := sql.Open(driver, dsn)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.Exec(statement); err != nil {
					t.Fatal(err)
				}
				var fault *audit.Fault
				if _, _, err := s.VerifyAudit(t.Context(), 0, 1000, nil); !errors.As(err, &fault) || fault.Seq != 2 {
					t.Errorf("%v, want a fault at entry 2", err)
				}
			})
		}
	})
}

// Acts of opsd itself and of the core are one chain.
func TestOwnActsAreChained(t *testing.T) {
	eachStore(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		f, st := newFeed(t, s), newStory()
		f.records(acts(t, st, 2))
		own, err := s.Act(t.Context(), audit.Entry{Actor: "ada", Reason: "why", Method: "reveal-events", Target: "payment 7", Result: "ok"}, 1_700_000_000_000, []byte("asked"))
		if err != nil || own.Seq != 3 {
			t.Fatalf("%+v, %v", own, err)
		}
		f.records(acts(t, st, 1))
		if _, err := s.Act(t.Context(), audit.Entry{Actor: "bob", Method: "reveal-events", Result: "ok"}, 1_700_000_000_001, nil); err != nil {
			t.Fatal(err)
		}
		head, checked, err := s.VerifyAudit(t.Context(), 0, 1000, &own.Hash)
		if err != nil || checked != 5 || head.Seq != 5 {
			t.Errorf("%+v %d %v", head, checked, err)
		}
	})
}
