package bank

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver named pgx
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver named sqlite
)

//go:embed migrations
var migrations embed.FS

// Store is the database: SQLite in a file, or Postgres. Both run the same SQL
// text; what differs is held in dialect. It offers two verbs, update and view,
// and the suite in store_test.go runs the ledger over both.
type Store struct {
	dialect dialect
	write   *sql.DB
	read    *sql.DB // the same as write on Postgres
}

type dialect struct {
	name   string
	goose  goose.Dialect
	driver string
	// lock makes a SELECT hold its rows until the transaction ends. SQLite has
	// one writer at a time and needs none.
	lock string
	// again says that the database gave up this transaction in favour of another.
	again func(error) bool
}

var sqlite = dialect{
	name: "sqlite", goose: goose.DialectSQLite3, driver: "sqlite",
	again: func(error) bool { return false },
}

var postgres = dialect{
	name: "postgres", goose: goose.DialectPostgres, driver: "pgx", lock: " FOR UPDATE",
	again: func(err error) bool {
		var pg *pgconn.PgError
		return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001") // deadlock, serialisation
	},
}

// OpenStore opens the database and brings its tables up to date. A dsn that
// begins with postgres:// or postgresql:// is Postgres; anything else is the path
// of an SQLite file, created if it is not there.
func OpenStore(ctx context.Context, dsn string) (*Store, error) {
	s := &Store{dialect: sqlite}
	var err error
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		s.dialect = postgres
		if s.write, err = sql.Open("pgx", dsn); err != nil {
			return nil, fmt.Errorf("open postgres: %w", err)
		}
		s.write.SetMaxOpenConns(16)
		s.write.SetMaxIdleConns(16)
		s.read = s.write
	} else {
		if dsn == "" {
			return nil, errors.New("open sqlite: no path given")
		}
		// Writers queue for the one connection instead of meeting SQLITE_BUSY.
		if s.write, err = sql.Open("sqlite", sqliteDSN(dsn, "rwc", "immediate")); err != nil {
			return nil, fmt.Errorf("open sqlite: %w", err)
		}
		s.write.SetMaxOpenConns(1)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the tables of %s up to date: %w", s.dialect.name, err), s.Close())
	}
	if s.read == nil {
		if s.read, err = sql.Open("sqlite", sqliteDSN(dsn, "ro", "deferred")); err != nil {
			return nil, errors.Join(fmt.Errorf("open sqlite: %w", err), s.Close())
		}
		s.read.SetMaxOpenConns(4)
	}
	return s, nil
}

// sqliteDSN asks for write-ahead logging with a sync at every commit, so that an
// answer that was sent survives the loss of the process and of the machine.
func sqliteDSN(path, mode, lock string) string {
	q := url.Values{"mode": {mode}, "_txlock": {lock}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (s *Store) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(s.dialect.goose, s.write, dir)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Close releases the database. What was answered is on disk before.
func (s *Store) Close() error {
	err := s.write.Close()
	if s.read != nil && s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

// tx is one database transaction.
type tx struct {
	*sql.Tx
	ctx  context.Context
	lock string
	now  int64 // milliseconds
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	r, err := t.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) one(query string, args ...any) *sql.Row { return t.QueryRowContext(t.ctx, query, args...) }

// each runs the query and calls scan once per row.
func (t *tx) each(scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := t.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// update runs do in one transaction and commits it if do returns nil. Where the
// database gave way to another transaction, do runs again.
func (s *Store) update(ctx context.Context, do func(*tx) error) error {
	const triesMax = 8
	for try := 1; ; try++ {
		err := s.run(ctx, s.write, nil, do)
		if err == nil || try == triesMax || !s.dialect.again(err) {
			return err
		}
	}
}

// view runs do over one consistent state of the database.
func (s *Store) view(ctx context.Context, do func(*tx) error) error {
	return s.run(ctx, s.read, &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.snapshot()}, do)
}

func (d dialect) snapshot() sql.IsolationLevel {
	if d.name == postgres.name {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault // a read transaction of SQLite is a snapshot
}

func (s *Store) run(ctx context.Context, db *sql.DB, opts *sql.TxOptions, do func(*tx) error) error {
	t, err := db.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() // after Commit it has nothing to do, and before it the cause is already being returned
	if err := do(&tx{Tx: t, ctx: ctx, lock: s.dialect.lock, now: time.Now().UnixMilli()}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
