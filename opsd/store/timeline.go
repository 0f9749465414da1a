package store

import (
	"context"
	"fmt"
	"math"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Place is where a page of a timeline ends: the last event's sequence number and
// id. The zero Place is before the first.
type Place struct {
	Seq uint32
	ID  ID
}

// Event is a stored event. Decoded is nil when the bytes cannot be read.
type Event struct {
	Seq     uint32
	ID      ID
	Decoded *enginev1.Event
}

// Events answers up to limit events of a payment behind the place, in the order
// of their sequence numbers.
func (s *Store) Events(ctx context.Context, payment uint64, after Place, limit int) ([]Event, error) {
	if payment > math.MaxInt64 {
		return nil, nil
	}
	rows, err := s.query(ctx, `SELECT seq, cluster, incarnation, idx, n, raw FROM event
 WHERE payment = ? AND (seq, cluster, incarnation, idx, n) > (?, ?, ?, ?, ?)
 ORDER BY payment, seq, cluster, incarnation, idx, n LIMIT ?`,
		int64(payment), int64(after.Seq), int64(after.ID.Cluster), int64(after.ID.Incarnation), int64(after.ID.Index), int64(after.ID.N), limit)
	if err != nil {
		return nil, fmt.Errorf("store: events: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var e Event
		var raw []byte
		if err := rows.Scan(&e.Seq, &e.ID.Cluster, &e.ID.Incarnation, &e.ID.Index, &e.ID.N, &raw); err != nil {
			return nil, fmt.Errorf("store: events: %w", err)
		}
		decoded := new(enginev1.Event)
		if decoded.UnmarshalVT(raw) == nil {
			e.Decoded = decoded
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: events: %w", err)
	}
	return out, nil
}
