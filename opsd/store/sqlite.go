package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // registers the driver
)

// sqlite is the embedded default: one file, one process, one writer. WAL lets
// readers go on while a batch is written; synchronous=FULL makes every commit
// durable.
type sqlite struct{}

func openSQLite(path string, readers int) (write, read *sql.DB, err error) {
	if path == "" {
		return nil, nil, fmt.Errorf("store: the path of the SQLite file is empty")
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("store: %w", err)
		}
	}
	dsn := func(extra ...string) string {
		q := url.Values{"_pragma": append([]string{
			"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"temp_store(MEMORY)", "cache_size(-65536)",
		}, extra...)}
		q.Set("_txlock", "immediate")
		return (&url.URL{Scheme: "file", Opaque: escapePath(path), RawQuery: q.Encode()}).String()
	}
	if write, err = sql.Open("sqlite", dsn()); err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	write.SetMaxOpenConns(1)
	if read, err = sql.Open("sqlite", dsn("query_only(1)")); err != nil {
		_ = write.Close()
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// escapePath keeps ? and # of a path from ending it in a file: URI.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func (sqlite) name() string             { return "sqlite" }
func (sqlite) bind(query string) string { return query }
func (sqlite) mayWait() bool            { return false }
func (sqlite) close() error             { return nil }

func (sqlite) lead(context.Context) (func(), error) { return func() {}, nil }

func (sqlite) insertEvents(ctx context.Context, w *writer, events []eventRow) error {
	return w.insert(ctx, "INSERT INTO event (payment, seq, cluster, incarnation, idx, n, kind, time_ms, raw)", "", 9,
		len(events), func(args []any, i int) []any {
			e := &events[i]
			return append(args, int64(e.payment), int64(e.seq), int64(e.id.Cluster), int64(e.id.Incarnation),
				int64(e.id.Index), int64(e.id.N), int64(e.kind), e.timeMS, e.raw)
		})
}

// fewMax is how many payments are looked at one by one rather than in the order
// of the list.
const fewMax = 10_000

// from names the index to use. SQLite keeps no statistics of its own accord, and
// guessing wrong means walking all payments of a tenant to find one; so each way
// is followed for a few thousand entries, and the one that leads to the fewest
// payments is taken.
func (sqlite) from(ctx context.Context, db *sql.DB, f *Filter) (string, error) {
	ways := f.accesses()
	if len(ways) == 0 || len(ways) == 1 && ways[0].ordered {
		return sqliteFrom(append(ways, access{index: "payment_started"})[0].index), nil
	}
	best, fewest := access{index: "payment_started"}, fewMax+2
	for _, way := range ways {
		var n int
		err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+sqliteFrom(way.index)+" WHERE "+
			strings.Join(way.where, " AND ")+" LIMIT ?)", append(way.args, fewMax+1)...).Scan(&n)
		if err != nil {
			return "", err
		}
		switch {
		case way.index == "":
			// An identifier is never the worse way, but for one shared by many.
			if n <= fewMax {
				return sqliteFrom(""), nil
			}
			best, fewest = way, n
		case n < fewest && (way.ordered || n <= fewMax):
			best, fewest = way, n
		}
	}
	return sqliteFrom(best.index), nil
}

func sqliteFrom(index string) string {
	if index == "" {
		return "payment NOT INDEXED" // the primary key is no index
	}
	return "payment INDEXED BY " + index
}

func (sqlite) explain(ctx context.Context, db *sql.DB, query string, args []any) (string, bool, error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return "", false, err
	}
	defer rows.Close()
	var plan strings.Builder
	scans := false
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", false, err
		}
		// SCAN reads a table or an index from end to end; SEARCH seeks in it.
		scans = scans || strings.HasPrefix(detail, "SCAN payment") || strings.HasPrefix(detail, "SCAN correlation")
		plan.WriteString(detail + "\n")
	}
	return plan.String(), scans, rows.Err()
}
