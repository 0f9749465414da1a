package store

import (
	"context"
	"fmt"
)

// Status counts what is stored.
type Status struct {
	Events      int64
	Payments    map[State]int64
	GapPayments int64 // payments with missing events
	GapEvents   int64 // missing events
	DeadLetters int64 // not yet replayed
}

// Status answers the counts; they are kept with every batch, not counted anew.
func (s *Store) Status(ctx context.Context) (Status, error) {
	out := Status{Payments: map[State]int64{}}
	rows, err := s.query(ctx, "SELECT name, count FROM tally")
	if err != nil {
		return out, fmt.Errorf("store: status: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return out, fmt.Errorf("store: status: %w", err)
		}
		switch name {
		case "events":
			out.Events = n
		case StateRunning.String():
			out.Payments[StateRunning] = n
		case StateIncident.String():
			out.Payments[StateIncident] = n
		case StateEnded.String():
			out.Payments[StateEnded] = n
		case "gap_payments":
			out.GapPayments = n
		case "gap_events":
			out.GapEvents = n
		case "dead_letters":
			out.DeadLetters = n
		}
	}
	if err := rows.Err(); err != nil {
		return out, fmt.Errorf("store: status: %w", err)
	}
	return out, nil
}
