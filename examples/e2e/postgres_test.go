//go:build postgres

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestPostgres runs transfers with bank and opsd on PostgreSQL, through a crash of
// each.
func TestPostgres(t *testing.T) {
	base := os.Getenv("RAILHEAD_POSTGRES")
	if base == "" {
		t.Fatal("RAILHEAD_POSTGRES names no server: run \"make test-postgres\"")
	}
	h := startHub(t, options{database: func(name string) string { return database(t, base, name) }})
	first := h.transfer(unique(t, 1))
	h.completed(first)
	h.shown(first)

	h.bank.kill()
	h.opsd.kill()
	second := h.transfer(unique(t, 2))
	for _, p := range []*process{h.bank.process, h.opsd} {
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	h.awaitHTTP(h.bank.process, h.bank.url+"/livez")
	h.completed(second)
	h.shown(second)
	h.shown(first)
	h.balanced()
}

// database creates a database of the test's own and returns its URL.
func database(t *testing.T, base, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	name = fmt.Sprintf("e2e_%s_%d", name, time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(base, "/postgres?")
	return before + "/" + name + "?" + after
}
