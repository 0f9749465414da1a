package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Position is how far one partition is consumed.
type Position struct {
	Topic     string
	Partition int32
	Next      int64 // offset of the next record to store
	UpdatedMS int64 // newest record timestamp of the last batch
}

// Claim is the right to consume into a database, until somebody else claims it.
type Claim struct {
	Positions []Position
	epoch     int64
	release   func()
}

// Release steps back. What was not applied stays in Kafka.
func (c *Claim) Release() { c.release() }

// Claim waits until this process may consume, raises the epoch so that batches of
// earlier claims are refused, and answers the positions to continue from.
func (s *Store) Claim(ctx context.Context) (*Claim, error) {
	release, err := s.dialect.lead(ctx)
	if err != nil {
		return nil, err
	}
	claim := &Claim{release: release}
	err = s.write(ctx, func(w *writer) error {
		if _, err := w.exec(ctx, "UPDATE consumer SET epoch = epoch + 1 WHERE one = 1"); err != nil {
			return fmt.Errorf("store: claim: %w", err)
		}
		if err := w.one(ctx, &claim.epoch, "SELECT epoch FROM consumer WHERE one = 1"); err != nil {
			return fmt.Errorf("store: claim: %w", err)
		}
		rows, err := w.query(ctx, "SELECT topic, partition, next_offset, updated_ms FROM position ORDER BY topic, partition")
		if err != nil {
			return fmt.Errorf("store: positions: %w", err)
		}
		if claim.Positions, err = scanPositions(rows); err != nil {
			return err
		}
		var change sql.NullInt64
		if err := w.one(ctx, &change, "SELECT MAX(change) FROM payment"); err != nil {
			return fmt.Errorf("store: newest change: %w", err)
		}
		s.change = uint64(change.Int64)
		s.payments = map[uint64]*Payment{}
		return nil
	})
	if err != nil {
		release()
		return nil, err
	}
	return claim, nil
}

func scanPositions(rows *sql.Rows) ([]Position, error) {
	defer rows.Close()
	var out []Position
	for rows.Next() {
		var p Position
		if err := rows.Scan(&p.Topic, &p.Partition, &p.Next, &p.UpdatedMS); err != nil {
			return nil, fmt.Errorf("store: positions: %w", err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: positions: %w", err)
	}
	return out, nil
}

// Positions answers how far each partition is consumed.
func (s *Store) Positions(ctx context.Context) ([]Position, error) {
	rows, err := s.query(ctx, "SELECT topic, partition, next_offset, updated_ms FROM position ORDER BY topic, partition")
	if err != nil {
		return nil, fmt.Errorf("store: positions: %w", err)
	}
	return scanPositions(rows)
}

// fence holds the claim for the rest of the transaction, or answers ErrFenced.
// The row stays locked until the commit, so that no other claim comes between.
func (w *writer) fence(ctx context.Context, claim *Claim) error {
	n, err := w.exec(ctx, "UPDATE consumer SET epoch = epoch WHERE one = 1 AND epoch = ?", claim.epoch)
	if err != nil {
		return fmt.Errorf("store: fence: %w", err)
	}
	if n != 1 {
		return ErrFenced
	}
	return nil
}

// move compares and sets the positions of a batch.
func (w *writer) move(ctx context.Context, spans []Span, nowMS int64) error {
	for _, span := range spans {
		query, args := "UPDATE position SET next_offset = ?, updated_ms = ? WHERE topic = ? AND partition = ? AND next_offset = ?",
			[]any{span.To, nowMS, span.Topic, span.Partition, span.From}
		if span.From == Beginning {
			query, args = "INSERT INTO position (next_offset, updated_ms, topic, partition) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", args[:4]
		}
		n, err := w.exec(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("store: position of %s/%d: %w", span.Topic, span.Partition, err)
		}
		if n != 1 {
			return ErrFenced
		}
	}
	return nil
}

// Holds reports whether the claim is still the newest.
func (s *Store) Holds(ctx context.Context, claim *Claim) (bool, error) {
	var epoch int64
	if err := s.queryRow(ctx, "SELECT epoch FROM consumer WHERE one = 1").Scan(&epoch); err != nil {
		return false, fmt.Errorf("store: claim: %w", err)
	}
	return epoch == claim.epoch, nil
}
