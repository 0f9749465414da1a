package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
)

// eachStore runs the suite's case on SQLite, and on Postgres when
// RAILHEAD_POSTGRES names one.
func eachStore(t *testing.T, test func(*testing.T, store.Config)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, store.Config{Driver: "sqlite", Path: filepath.Join(t.TempDir(), "opsd.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, postgresConfig(t))
	})
}

// postgresConfig makes a schema of its own for the test.
func postgresConfig(t testing.TB) store.Config {
	dsn := os.Getenv("RAILHEAD_POSTGRES")
	if dsn == "" {
		t.Skip("needs RAILHEAD_POSTGRES, the URL of a database this test may write to")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("RAILHEAD_POSTGRES: %v", err)
	}
	var random [6]byte
	_, _ = rand.Read(random[:])
	schema := "opsd_" + hex.EncodeToString(random[:])
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatalf("RAILHEAD_POSTGRES: %v", err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return store.Config{Driver: "postgres", DSN: u.String()}
}

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func claim(t testing.TB, s *store.Store) *store.Claim {
	t.Helper()
	c, err := s.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

// story writes the events of payments as the core would, with ids and sequence
// numbers.
type story struct {
	index uint64
	seq   map[uint64]uint32
}

func newStory() *story { return &story{seq: map[uint64]uint32{}} }

func (s *story) event(payment uint64, kind enginev1.EventKind, with ...func(*enginev1.Event)) *enginev1.Event {
	s.index++
	e := &enginev1.Event{
		Cluster: 1, Incarnation: 1, Index: s.index, TimeMs: 1_700_000_000_000 + int64(s.index)*1000,
		Kind: kind, Tenant: "greenbank", Payment: payment,
	}
	if payment != 0 {
		s.seq[payment]++
		e.Seq = s.seq[payment]
	}
	for _, f := range with {
		f(e)
	}
	return e
}

func (s *story) started(payment uint64, with ...func(*enginev1.Event)) *enginev1.Event {
	return s.event(payment, enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, append([]func(*enginev1.Event){func(e *enginev1.Event) {
		e.Uuid = uuidOf(payment)
		e.Type, e.Number, e.Key, e.Name = "payer-fund-transfer-greenbank", 3, fmt.Sprintf("client-%d", payment), "paymenthub"
		e.Variables = []*enginev1.Variable{
			{Name: "amount", Json: []byte(fmt.Sprintf(`"%d.5"`, payment))}, {Name: "currency", Json: []byte(`"USD"`)},
			{Name: "clientCorrelationId", Json: []byte(fmt.Sprintf(`"corr-%d"`, payment))},
			{Name: "partyId", Json: []byte(`"27710101999"`)},
		}
	}}, with...)...)
}

func (s *story) ended(payment uint64, result enginev1.Result) *enginev1.Event {
	return s.event(payment, enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, func(e *enginev1.Event) { e.Result, e.Code = result, "code" })
}

func uuidOf(payment uint64) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", payment) }

// records makes Kafka records of one partition from events.
func records(t testing.TB, first int64, events ...*enginev1.Event) []store.Record {
	t.Helper()
	out := make([]store.Record, len(events))
	for i, e := range events {
		value, err := e.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		out[i] = store.Record{
			Topic: "railhead.events.v1", Offset: first + int64(i), TimeMS: e.TimeMs, ID: store.EventID(e).String(),
			Key: []byte(fmt.Sprint(e.Payment)), Value: value, Event: e,
		}
	}
	return out
}

// feed applies the events as the next batch of partition 0.
type feed struct {
	t     testing.TB
	store *store.Store
	claim *store.Claim
	next  int64
}

func newFeed(t testing.TB, s *store.Store) *feed {
	return &feed{t: t, store: s, claim: claim(t, s), next: store.Beginning}
}

func (f *feed) batch(records []store.Record) *store.Batch {
	first := max(f.next, 0)
	for i := range records {
		records[i].Offset = first + int64(i)
	}
	return &store.Batch{Records: records, Spans: []store.Span{{Topic: "railhead.events.v1", From: f.next, To: first + int64(len(records))}}}
}

func (f *feed) records(records []store.Record) store.Applied {
	f.t.Helper()
	batch := f.batch(records)
	out, err := f.store.Apply(f.t.Context(), f.claim, batch)
	if err != nil {
		f.t.Fatal(err)
	}
	f.next = batch.Spans[0].To
	return out
}

func (f *feed) events(events ...*enginev1.Event) store.Applied {
	f.t.Helper()
	return f.records(records(f.t, 0, events...))
}

func keys(payments []*store.Payment) string {
	var out []string
	for _, p := range payments {
		out = append(out, fmt.Sprint(p.Key))
	}
	return strings.Join(out, " ")
}
