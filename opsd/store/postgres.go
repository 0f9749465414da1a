package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is for production: several opsd may serve from one database, one of
// them consumes.
type postgres struct{ leads *sql.DB }

// Advisory locks of this package. They are the database's; the consumer's carries
// the schema too, so that two hubs may share a database.
const (
	lockConsumer = 0x7261696c
	lockMigrate  = 0x7261696c_00000002
	lockSchema   = "hashtext(current_schema())"
)

// leadRetry is how often a waiting consumer asks for its turn.
const leadRetry = time.Second

func openPostgres(dsn string, readers int) (write, read, leads *sql.DB, err error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error of pgx hides the password.
		return nil, nil, nil, fmt.Errorf("store: %w", err)
	}
	if _, ok := cfg.RuntimeParams["application_name"]; !ok {
		cfg.RuntimeParams["application_name"] = "railhead opsd"
	}
	writeCfg := cfg.Copy()
	if _, ok := cfg.RuntimeParams["plan_cache_mode"]; !ok {
		// A plan made while a table was empty reads it whole ever after.
		writeCfg.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	}
	write, leads = stdlib.OpenDB(*writeCfg), stdlib.OpenDB(*cfg)
	write.SetMaxOpenConns(2)
	leads.SetMaxOpenConns(1)
	readCfg := cfg.Copy()
	readCfg.RuntimeParams["default_transaction_read_only"] = "on"
	read = stdlib.OpenDB(*readCfg)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, leads, nil
}

func (*postgres) name() string             { return "postgres" }
func (*postgres) bind(query string) string { return dollars(query) }
func (*postgres) mayWait() bool            { return true }
func (p *postgres) close() error           { return p.leads.Close() }

// lead waits for an advisory lock that lives as long as its connection.
func (p *postgres) lead(ctx context.Context) (func(), error) {
	for {
		conn, err := p.leads.Conn(ctx)
		if err != nil {
			return nil, fmt.Errorf("store: connect: %w", err)
		}
		var got bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1::int, "+lockSchema+")", lockConsumer).Scan(&got); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("store: consumer lock: %w", err)
		}
		if got {
			return func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadRetry)
				defer cancel()
				_, _ = conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1::int, "+lockSchema+")", lockConsumer)
				_ = conn.Close()
			}, nil
		}
		_ = conn.Close()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(leadRetry):
		}
	}
}

var eventColumns = []string{"payment", "seq", "cluster", "incarnation", "idx", "n", "kind", "time_ms", "raw"}

func (*postgres) insertEvents(ctx context.Context, w *writer, events []eventRow) error {
	return w.conn.Raw(func(driver any) error {
		conn := driver.(*stdlib.Conn).Conn()
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"event"}, eventColumns, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
			e := &events[i]
			return []any{int64(e.payment), int64(e.seq), int64(e.id.Cluster), int64(e.id.Incarnation),
				int64(e.id.Index), int64(e.id.N), int64(e.kind), e.timeMS, e.raw}, nil
		}))
		return err
	})
}

// from leaves the choice of the index to Postgres, which keeps statistics.
func (*postgres) from(context.Context, *sql.DB, *Filter) (string, error) { return "payment", nil }

func (*postgres) explain(ctx context.Context, db *sql.DB, query string, args []any) (string, bool, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return "", false, err
	}
	defer tx.Rollback()
	// On small tables Postgres prefers to read them whole; with this it does so
	// only when it has no other way.
	if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
		return "", false, err
	}
	rows, err := tx.QueryContext(ctx, "EXPLAIN "+dollars(query), args...)
	if err != nil {
		return "", false, err
	}
	defer rows.Close()
	var plan strings.Builder
	scans := false
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", false, err
		}
		scans = scans || strings.Contains(line, "Seq Scan")
		plan.WriteString(line + "\n")
	}
	return plan.String(), scans, rows.Err()
}
