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

// pageBytesMax bounds the bytes of a page of events: one event may hold megabytes
// of variables, and then a page holds fewer.
const pageBytesMax = 8 << 20

// Events answers up to limit events of a payment behind the place, in the order
// of their sequence numbers, and whether there are more.
func (s *Store) Events(ctx context.Context, payment uint64, after Place, limit int) (events []Event, more bool, err error) {
	if payment > math.MaxInt64 {
		return nil, false, nil
	}
	rows, err := s.query(ctx, `SELECT seq, cluster, incarnation, idx, n, raw FROM event
 WHERE payment = ? AND (seq, cluster, incarnation, idx, n) > (?, ?, ?, ?, ?)
 ORDER BY payment, seq, cluster, incarnation, idx, n LIMIT ?`,
		int64(payment), int64(after.Seq), int64(after.ID.Cluster), int64(after.ID.Incarnation), int64(after.ID.Index), int64(after.ID.N), limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("store: events: %w", err)
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		if len(events) == limit || size > pageBytesMax {
			return events, true, nil
		}
		var e Event
		var raw []byte
		if err := rows.Scan(&e.Seq, &e.ID.Cluster, &e.ID.Incarnation, &e.ID.Index, &e.ID.N, &raw); err != nil {
			return nil, false, fmt.Errorf("store: events: %w", err)
		}
		size += len(raw)
		decoded := new(enginev1.Event)
		if decoded.UnmarshalVT(raw) == nil {
			e.Decoded = decoded
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("store: events: %w", err)
	}
	return events, false, nil
}
