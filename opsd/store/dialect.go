package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// dialect is what SQLite and Postgres do differently; everything else is SQL that
// both understand.
type dialect interface {
	name() string
	// bind turns ? placeholders into the database's own.
	bind(query string) string
	// insertEvents stores events that are known not to be there.
	insertEvents(ctx context.Context, w *writer, events []eventRow) error
	// lead returns when this process may consume, and the way to step back. Only
	// the epoch protects; this only avoids quarrels.
	lead(ctx context.Context) (release func(), err error)
	// mayWait reports whether a consumer that was fenced may wait for its turn.
	mayWait() bool
	// from is the FROM of a list: the table, and how to get at it where the
	// database does not know best.
	from(ctx context.Context, db *sql.DB, f *Filter) (string, error)
	// explain answers the plan of a query, and whether it reads a whole table.
	explain(ctx context.Context, db *sql.DB, query string, args []any) (plan string, scans bool, err error)
	close() error
}

// eventRow is a row of the table event.
type eventRow struct {
	payment uint64
	seq     uint32
	id      ID
	kind    int32
	timeMS  int64
	raw     []byte
}

// dollars turns ? into $1, $2, …; no query here has a ? of its own.
func dollars(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 64)
	n := 0
	for {
		i := strings.IndexByte(query, '?')
		if i < 0 {
			b.WriteString(query)
			return b.String()
		}
		n++
		b.WriteString(query[:i])
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = query[i+1:]
	}
}

// tuples is count times (?,?,…) of the given width.
func tuples(count, width int) string {
	one := "(" + strings.Repeat("?,", width-1) + "?)"
	return strings.Repeat(one+",", count-1) + one
}
