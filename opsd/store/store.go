package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// ErrNotFound: there is no such row.
var ErrNotFound = errors.New("store: not found")

// ErrFenced: another opsd has taken over consuming; nothing was written.
var ErrFenced = errors.New("store: another opsd has taken over consuming from this database")

// Config chooses the database.
type Config struct {
	// Driver is sqlite or postgres.
	Driver string
	// Path is the SQLite file.
	Path string
	// DSN is Postgres' connection string or URL.
	DSN string
	// Readers is how many connections read at once; 0: 8.
	Readers int
}

// Store keeps what opsd knows. It is safe for concurrent use; Apply and Replay
// are for the one holder of a Claim.
type Store struct {
	dialect dialect
	writeDB *sql.DB
	readDB  *sql.DB

	writing sync.Mutex
	writer  *writer // nil: to be opened

	// The consumer's own memory, valid while its claim is: guarded by writing.
	payments map[uint64]*Payment // running ones that were touched lately
	change   uint64
}

//go:embed migrations
var migrations embed.FS

const migrateTries = 5

// Open connects to the database and brings its schema up to date.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	readers := cfg.Readers
	if readers == 0 {
		readers = 8
	}
	s := &Store{payments: map[uint64]*Payment{}}
	var (
		dialect goose.Dialect
		options []goose.ProviderOption
		err     error
	)
	switch cfg.Driver {
	case "sqlite":
		dialect = goose.DialectSQLite3
		if s.writeDB, s.readDB, err = openSQLite(cfg.Path, readers); err != nil {
			return nil, err
		}
		s.dialect = sqlite{}
	case "postgres":
		dialect = goose.DialectPostgres
		var leads *sql.DB
		if s.writeDB, s.readDB, leads, err = openPostgres(cfg.DSN, readers); err != nil {
			return nil, err
		}
		s.dialect = &postgres{leads: leads}
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockMigrate), lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("store: %w", err), s.Close())
		}
		options = append(options, goose.WithSessionLocker(locker))
	default:
		return nil, fmt.Errorf("store: unknown driver %q: use sqlite or postgres", cfg.Driver)
	}
	files, err := fs.Sub(migrations, "migrations/"+s.dialect.name())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.Close())
	}
	provider, err := goose.NewProvider(dialect, s.writeDB, files, options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: migrations: %w", err), s.Close())
	}
	// Postgres has a lock for this. Of two processes that open a new SQLite file at
	// once one fails and finds the work done when it looks again.
	for tries := 1; ; tries++ {
		_, err := provider.Up(ctx)
		if err == nil {
			return s, nil
		}
		if tries == migrateTries || s.dialect.name() != "sqlite" || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("store: bring the schema up to date: %w", err), s.Close())
		}
	}
}

// Driver is sqlite or postgres.
func (s *Store) Driver() string { return s.dialect.name() }

// MayWait reports whether a consumer that was fenced may wait for its turn again.
// In SQLite it may not: the file belongs to one process.
func (s *Store) MayWait() bool { return s.dialect.mayWait() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.readDB.PingContext(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Close gives up the connections. A running batch ends first.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer != nil {
		s.writer.close()
		s.writer = nil
	}
	return errors.Join(s.dialect.close(), s.readDB.Close(), s.writeDB.Close())
}

func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.readDB.QueryContext(ctx, s.dialect.bind(query), args...)
}

func (s *Store) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.readDB.QueryRowContext(ctx, s.dialect.bind(query), args...)
}
