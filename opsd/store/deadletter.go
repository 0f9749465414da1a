package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// DeadLetter is a record that could not be read. It keeps its bytes.
type DeadLetter struct {
	Number     int64
	Record     Record
	ReplayedMS int64 // 0: not yet
}

const deadColumns = "number, topic, partition, record_offset, id, record_key, value, cause, time_ms, replayed_ms"

func (w *writer) bury(ctx context.Context, dead []*Record) error {
	err := w.insert(ctx, "INSERT INTO dead_letter (topic, partition, record_offset, id, record_key, value, cause, time_ms, replayed_ms)", "", 9, len(dead),
		func(args []any, i int) []any {
			r := dead[i]
			return append(args, clean(r.Topic, wordMax), r.Partition, r.Offset, clean(r.ID, wordMax), r.Key, r.Value, clean(r.Cause, textMax), r.TimeMS, int64(0))
		})
	if err != nil {
		return fmt.Errorf("store: dead letters: %w", err)
	}
	return nil
}

// DeadLetters answers up to limit dead letters below the number, newest first; 0
// is above all.
func (s *Store) DeadLetters(ctx context.Context, below int64, limit int) ([]DeadLetter, error) {
	if below == 0 {
		below = 1<<63 - 1
	}
	rows, err := s.query(ctx, "SELECT "+deadColumns+" FROM dead_letter WHERE number < ? ORDER BY number DESC LIMIT ?", below, limit)
	if err != nil {
		return nil, fmt.Errorf("store: dead letters: %w", err)
	}
	return scanDeadLetters(rows)
}

func scanDeadLetters(rows *sql.Rows) ([]DeadLetter, error) {
	defer rows.Close()
	var out []DeadLetter
	for rows.Next() {
		var d DeadLetter
		r := &d.Record
		if err := rows.Scan(&d.Number, &r.Topic, &r.Partition, &r.Offset, &r.ID, &r.Key, &r.Value, &r.Cause, &r.TimeMS, &d.ReplayedMS); err != nil {
			return nil, fmt.Errorf("store: dead letters: %w", err)
		}
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: dead letters: %w", err)
	}
	return out, nil
}

// replayBatch is how many dead letters one transaction replays.
const replayBatch = 500

// Replay reads the dead letters again and applies those that can be read now: a
// newer version may know what an older one did not. What a payment already has is
// dropped, so that replaying twice changes nothing.
func (s *Store) Replay(ctx context.Context, claim *Claim, decode Decoder) (Applied, error) {
	var total Applied
	for after := int64(0); ; {
		var found []DeadLetter
		var out Applied
		err := s.write(ctx, func(w *writer) error {
			if err := w.fence(ctx, claim); err != nil {
				return err
			}
			rows, err := w.query(ctx, "SELECT "+deadColumns+" FROM dead_letter WHERE number > ? AND replayed_ms = 0 ORDER BY number LIMIT ?", after, replayBatch)
			if err != nil {
				return fmt.Errorf("store: dead letters: %w", err)
			}
			if found, err = scanDeadLetters(rows); err != nil {
				return err
			}
			var readable []Record
			for _, d := range found {
				r := d.Record
				r.Cause = ""
				if decode(&r); r.Event == nil {
					continue
				}
				readable = append(readable, r)
				if _, err := w.exec(ctx, "UPDATE dead_letter SET replayed_ms = ? WHERE number = ?", time.Now().UnixMilli(), d.Number); err != nil {
					return fmt.Errorf("store: dead letter %d: %w", d.Number, err)
				}
			}
			if out, err = s.apply(ctx, w, readable); err != nil {
				return err
			}
			return w.count(ctx, map[string]int64{"dead_letters": -int64(len(readable))})
		})
		if err != nil {
			s.forget()
			return total, err
		}
		s.remember(out.Change)
		total.Events += out.Events
		total.Duplicates += out.Duplicates
		total.Late += out.Late
		total.Missing += out.Missing
		total.Audit += out.Audit
		total.Payments += out.Payments
		total.Change = out.Change
		if len(found) < replayBatch {
			return total, nil
		}
		after = found[len(found)-1].Number
	}
}
