package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// writer is the one connection that writes, with its prepared statements. It is
// used by one goroutine at a time (Store.write guards it).
type writer struct {
	conn  *sql.Conn
	tx    *sql.Tx
	d     dialect
	stmts map[string]*sql.Stmt
}

// prepared answers the statement, prepared once for the connection. It runs in the
// transaction that is open on that connection; preparing it for each transaction
// (Tx.Stmt) would parse it anew every time.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, w.d.bind(query))
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", query, err)
	}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := w.prepared(ctx, query) //nolint:sqlclosecheck // it lives as long as the connection; close closes it
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (w *writer) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := w.prepared(ctx, query) //nolint:sqlclosecheck // it lives as long as the connection; close closes it
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// one scans a single column of a single row, or answers sql.ErrNoRows.
func (w *writer) one(ctx context.Context, dest any, query string, args ...any) error {
	rows, err := w.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), sql.ErrNoRows)
	}
	if err := rows.Scan(dest); err != nil {
		return err
	}
	return rows.Close()
}

// chunks are the row counts of multi-row statements: few, so that each is
// prepared once.
var chunks = [...]int{64, 16, 4, 1}

// insert runs "head VALUES (…),(…) tail" for all rows, several at a time. row
// appends the values of row i.
func (w *writer) insert(ctx context.Context, head, tail string, width, count int, row func(args []any, i int) []any) error {
	args := make([]any, 0, chunks[0]*width)
	for done := 0; done < count; {
		size := 1
		for _, c := range chunks {
			if c <= count-done {
				size = c
				break
			}
		}
		args = args[:0]
		for i := range size {
			args = row(args, done+i)
		}
		if _, err := w.exec(ctx, head+" VALUES "+tuples(size, width)+" "+tail, args...); err != nil {
			return err
		}
		done += size
	}
	return nil
}

func (w *writer) close() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	_ = w.conn.Close()
}

// write runs f in one transaction on the writing connection. After an error the
// connection is given up, since its state is not known.
func (s *Store) write(ctx context.Context, f func(*writer) error) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer == nil {
		conn, err := s.writeDB.Conn(ctx)
		if err != nil {
			return fmt.Errorf("store: connect: %w", err)
		}
		s.writer = &writer{conn: conn, d: s.dialect, stmts: map[string]*sql.Stmt{}}
	}
	w := s.writer
	defer func() {
		w.tx = nil
		if err != nil && !errors.Is(err, ErrFenced) {
			w.close()
			s.writer = nil
		}
	}()
	if w.tx, err = w.conn.BeginTx(ctx, nil); err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	if err := f(w); err != nil {
		_ = w.tx.Rollback()
		return err
	}
	if err := w.tx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}
