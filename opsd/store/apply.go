package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// cachedMax is how many running payments the consumer keeps in memory.
const cachedMax = 100_000

// Apply stores a batch, what it adds up to and the positions behind it, in one
// transaction. ErrFenced means that the claim is lost; any other error leaves the
// database as it was, and the batch may be applied again.
func (s *Store) Apply(ctx context.Context, claim *Claim, batch *Batch) (Applied, error) {
	var out Applied
	err := s.write(ctx, func(w *writer) error {
		if err := w.fence(ctx, claim); err != nil {
			return err
		}
		nowMS := int64(0)
		for i := range batch.Records {
			nowMS = max(nowMS, batch.Records[i].TimeMS)
		}
		if err := w.move(ctx, batch.Spans, nowMS); err != nil {
			return err
		}
		var err error
		out, err = s.apply(ctx, w, batch.Records)
		return err
	})
	if err != nil {
		s.forget()
		return Applied{}, err
	}
	s.remember(out.Change)
	return out, nil
}

// forget drops the consumer's memory after a transaction that did not commit.
func (s *Store) forget() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.payments = map[uint64]*Payment{}
}

// remember keeps it within bounds after one that did.
func (s *Store) remember(change uint64) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.change = change
	if len(s.payments) > cachedMax {
		s.payments = map[uint64]*Payment{}
	}
}

// apply turns records into rows within the writer's transaction.
func (s *Store) apply(ctx context.Context, w *writer, records []Record) (Applied, error) {
	out := Applied{Change: s.change}
	var (
		events []*Record
		audits []*Record
		dead   []*Record
	)
	for i := range records {
		switch r := &records[i]; {
		case r.Event == nil:
			dead = append(dead, r)
		case r.Audit:
			audits = append(audits, r)
		default:
			events = append(events, r)
		}
	}
	if len(dead) > 0 {
		if err := w.bury(ctx, dead); err != nil {
			return out, err
		}
		out.DeadLetters = len(dead)
	}
	if len(audits) > 0 {
		added, err := w.chain(ctx, audits)
		if err != nil {
			return out, err
		}
		out.Audit, out.Duplicates = added, len(audits)-added
	}
	if len(events) > 0 {
		if err := s.applyEvents(ctx, w, events, &out); err != nil {
			return out, err
		}
	}
	return out, w.count(ctx, map[string]int64{"events": int64(out.Events), "dead_letters": int64(out.DeadLetters)})
}

func (s *Store) applyEvents(ctx context.Context, w *writer, records []*Record, out *Applied) error {
	if err := s.load(ctx, w, records); err != nil {
		return err
	}
	there, err := s.alreadyThere(ctx, w, records)
	if err != nil {
		return err
	}
	var (
		rows    = make([]eventRow, 0, len(records))
		touched []*Payment
		before  = map[*Payment]Payment{}
		found   []Correlation
		tallies = map[string]int64{}
		seen    = make(map[eventKey]struct{}, len(records))
	)
	for _, r := range records {
		e := r.Event
		key := keyOf(e)
		if _, twice := seen[key]; twice || there[key] {
			out.Duplicates++
			continue
		}
		seen[key] = struct{}{}
		rows = append(rows, eventRow{
			payment: e.Payment, seq: e.Seq, id: key.id, kind: int32(e.Kind), timeMS: e.TimeMs, raw: r.Value,
		})
		if e.Payment == 0 {
			continue
		}
		p := s.payments[e.Payment]
		if p == nil {
			p = newPayment(e)
			s.payments[e.Payment] = p
		}
		if _, ok := before[p]; !ok {
			before[p] = *p
			touched = append(touched, p)
		}
		missing := p.Missing
		p.fold(e)
		if p.Missing > missing {
			out.Missing += int(p.Missing - missing)
		} else if p.Missing < missing {
			out.Late++
		}
		found = append(found, Correlations(e)...)
	}
	for _, p := range touched {
		old := before[p]
		if old.Change > 0 {
			tallies[old.State.String()]--
		}
		tallies[p.State.String()]++
		tallies["gap_events"] += int64(p.Missing) - int64(old.Missing)
		if (p.Missing > 0) != (old.Missing > 0) {
			if p.Missing > 0 {
				tallies["gap_payments"]++
			} else {
				tallies["gap_payments"]--
			}
		}
		out.Change++
		p.Change = out.Change
		if p.State == StateEnded {
			delete(s.payments, p.Key)
		}
	}
	if len(rows) > 0 {
		if err := w.d.insertEvents(ctx, w, rows); err != nil {
			return fmt.Errorf("store: events: %w", err)
		}
	}
	if err := w.putPayments(ctx, touched); err != nil {
		return err
	}
	if err := w.putCorrelations(ctx, found); err != nil {
		return err
	}
	out.Events, out.Payments = len(rows), len(touched)
	return w.count(ctx, tallies)
}

// eventKey is the key of the table event: what makes an event the same event.
type eventKey struct {
	payment uint64
	seq     uint32
	id      ID
}

func keyOf(e *enginev1.Event) eventKey { return eventKey{e.Payment, e.Seq, EventID(e)} }

// load brings the payments of the records into memory.
func (s *Store) load(ctx context.Context, w *writer, records []*Record) error {
	var keys []uint64
	asked := map[uint64]bool{}
	for _, r := range records {
		k := r.Event.Payment
		if k == 0 || s.payments[k] != nil || asked[k] {
			continue
		}
		asked[k] = true
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return inChunks(keys, func(keys []uint64) error {
		args := make([]any, len(keys))
		for i, k := range keys {
			args[i] = int64(k)
		}
		rows, err := w.query(ctx, "SELECT "+paymentColumns+" FROM payment WHERE key IN "+tuples(1, len(keys)), args...)
		if err != nil {
			return fmt.Errorf("store: payments: %w", err)
		}
		payments, err := scanPayments(rows)
		if err != nil {
			return err
		}
		for _, p := range payments {
			s.payments[p.Key] = p
		}
		return nil
	})
}

// alreadyThere answers which of the records are stored. Only those whose id is
// not above their payment's last one can be, and those of no payment.
func (s *Store) alreadyThere(ctx context.Context, w *writer, records []*Record) (map[eventKey]bool, error) {
	var doubtful []eventKey
	for _, r := range records {
		key := keyOf(r.Event)
		p := s.payments[key.payment]
		if key.payment == 0 || p != nil && (p.Last.Cluster != key.id.Cluster || key.id.Compare(p.Last) <= 0) {
			doubtful = append(doubtful, key)
		}
	}
	there := map[eventKey]bool{}
	err := inChunks(doubtful, func(keys []eventKey) error {
		args := make([]any, 0, 6*len(keys))
		for _, k := range keys {
			args = append(args, int64(k.payment), int64(k.seq), int64(k.id.Cluster), int64(k.id.Incarnation), int64(k.id.Index), int64(k.id.N))
		}
		rows, err := w.query(ctx, alreadyThereQuery(len(keys)), args...)
		if err != nil {
			return fmt.Errorf("store: look up ids: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var k eventKey
			if err := rows.Scan(&k.payment, &k.seq, &k.id.Cluster, &k.id.Incarnation, &k.id.Index, &k.id.N); err != nil {
				return fmt.Errorf("store: look up ids: %w", err)
			}
			there[k] = true
		}
		return rows.Err()
	})
	return there, err
}

// alreadyThereQuery seeks each id once; without the cross join SQLite might read
// the events and seek among the ids.
func alreadyThereQuery(count int) string {
	const one = "SELECT CAST(? AS BIGINT) AS payment, CAST(? AS BIGINT) AS seq, CAST(? AS BIGINT) AS cluster, CAST(? AS BIGINT) AS incarnation, CAST(? AS BIGINT) AS idx, CAST(? AS BIGINT) AS n"
	return "SELECT e.payment, e.seq, e.cluster, e.incarnation, e.idx, e.n FROM (" + one + strings.Repeat(" UNION ALL "+one, count-1) + `) k CROSS JOIN event e
 WHERE e.payment = k.payment AND e.seq = k.seq AND e.cluster = k.cluster AND e.incarnation = k.incarnation AND e.idx = k.idx AND e.n = k.n`
}

func inChunks[T any](all []T, f func([]T) error) error {
	for len(all) > 0 {
		n := 1
		for _, c := range [...]int{128, 32, 8} {
			if c <= len(all) {
				n = c
				break
			}
		}
		if err := f(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

const paymentColumns = "key, uuid, cluster, tenant, channel, flow, flow_version, client_key, state, result, code, amount, currency, " +
	"started_ms, ended_ms, updated_ms, last_seq, incarnation, idx, n, missing, incidents, change"

const paymentUpsert = `ON CONFLICT (key) DO UPDATE SET uuid = excluded.uuid, cluster = excluded.cluster, tenant = excluded.tenant,
 channel = excluded.channel, flow = excluded.flow, flow_version = excluded.flow_version, client_key = excluded.client_key,
 state = excluded.state, result = excluded.result, code = excluded.code, amount = excluded.amount, currency = excluded.currency,
 started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, updated_ms = excluded.updated_ms, last_seq = excluded.last_seq,
 incarnation = excluded.incarnation, idx = excluded.idx, n = excluded.n, missing = excluded.missing,
 incidents = excluded.incidents, change = excluded.change`

func (w *writer) putPayments(ctx context.Context, payments []*Payment) error {
	var fault error
	err := w.insert(ctx, "INSERT INTO payment ("+paymentColumns+")", paymentUpsert, 23, len(payments), func(args []any, i int) []any {
		p := payments[i]
		incidents := ""
		if len(p.Incidents) > 0 {
			text, err := json.Marshal(p.Incidents)
			fault = cmp.Or(fault, err)
			incidents = string(text)
		}
		var amount any
		if p.Amount != nil {
			amount = *p.Amount
		}
		return append(args, int64(p.Key), p.UUID, int64(p.Last.Cluster), p.Tenant, p.Channel, p.Flow, int64(p.FlowVersion), p.ClientKey,
			int64(p.State), int64(p.Result), p.Code, amount, p.Currency, p.StartedMS, p.EndedMS, p.UpdatedMS, int64(p.LastSeq),
			int64(p.Last.Incarnation), int64(p.Last.Index), int64(p.Last.N), int64(p.Missing), incidents, int64(p.Change))
	})
	if err := cmp.Or(fault, err); err != nil {
		return fmt.Errorf("store: payments: %w", err)
	}
	return nil
}

func scanPayments(rows *sql.Rows) ([]*Payment, error) {
	defer rows.Close()
	var out []*Payment
	for rows.Next() {
		p, err := scanPayment(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: payments: %w", err)
	}
	return out, nil
}

// scanPayment reads paymentColumns, and more columns behind them.
func scanPayment(rows *sql.Rows, more ...any) (*Payment, error) {
	p := new(Payment)
	var incidents string
	dest := []any{&p.Key, &p.UUID, &p.Last.Cluster, &p.Tenant, &p.Channel, &p.Flow, &p.FlowVersion, &p.ClientKey, &p.State, &p.Result,
		&p.Code, &p.Amount, &p.Currency, &p.StartedMS, &p.EndedMS, &p.UpdatedMS, &p.LastSeq,
		&p.Last.Incarnation, &p.Last.Index, &p.Last.N, &p.Missing, &incidents, &p.Change}
	if err := rows.Scan(append(dest, more...)...); err != nil {
		return nil, fmt.Errorf("store: payment: %w", err)
	}
	if incidents != "" {
		if err := json.Unmarshal([]byte(incidents), &p.Incidents); err != nil {
			return nil, fmt.Errorf("store: incidents of payment %d: %w", p.Key, err)
		}
	}
	return p, nil
}

func (w *writer) putCorrelations(ctx context.Context, found []Correlation) error {
	err := w.insert(ctx, "INSERT INTO correlation (value, kind, payment)", "ON CONFLICT DO NOTHING", 3, len(found),
		func(args []any, i int) []any {
			return append(args, found[i].Value, found[i].Kind, int64(found[i].Payment))
		})
	if err != nil {
		return fmt.Errorf("store: correlations: %w", err)
	}
	return nil
}

// count adds to the tallies, in the order of their names so that two
// transactions never wait for each other crosswise.
func (w *writer) count(ctx context.Context, tallies map[string]int64) error {
	names := make([]string, 0, len(tallies))
	for name, n := range tallies {
		if n != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if _, err := w.exec(ctx, "INSERT INTO tally (name, count) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET count = tally.count + excluded.count",
			name, tallies[name]); err != nil {
			return fmt.Errorf("store: tally %s: %w", name, err)
		}
	}
	return nil
}
