package consume_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/railhead-hub/railhead/opsd/consume"
	"github.com/railhead-hub/railhead/opsd/store"
)

// Of two opsd on one Postgres one consumes and the other waits; when the first
// stops the other goes on where it was.
func TestTakeoverOnPostgres(t *testing.T) {
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
	t.Cleanup(func() {
		if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatalf("RAILHEAD_POSTGRES: %v", err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	openPostgres := func() *store.Store {
		s, err := store.Open(t.Context(), store.Config{Driver: "postgres", DSN: u.String()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}

	const payments, steps = 50, 6
	cluster, client := broker(t)
	lives := life(payments, steps)
	export(t, client, lives[:len(lives)/2])
	s := openPostgres()
	first, second := newConsumer(cluster.ListenAddrs(), openPostgres()), newConsumer(cluster.ListenAddrs(), s)
	stop := run(t, first)
	count := func() int64 {
		status, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status.Events
	}
	until(t, "the first half", func() bool { return count() == int64(len(lives)/2) })
	run(t, second)
	if second.State() != consume.Waiting {
		t.Errorf("the second is %s while the first consumes", second.State())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	export(t, client, lives[len(lives)/4:])
	until(t, "the rest", func() bool { return count() == int64(len(lives)) })
	complete(t, s, payments, steps)
}
