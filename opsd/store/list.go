package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Filter says which payments are asked for: every field that is set must match.
type Filter struct {
	Tenant        string
	State         State
	Result        enginev1.Result
	Flow          string
	ClientKey     string
	TransactionID string
	Currency      string
	AmountMin     *int64 // minor units of Currency, inclusive
	AmountMax     *int64 // inclusive
	StartedFromMS int64  // inclusive; 0: open
	StartedToMS   int64  // exclusive; 0: open
	Text          string // any one identifier, exactly
}

// Cursor is the last payment of a page.
type Cursor struct {
	StartedMS int64
	Key       uint64
}

// query is SQL under construction. The words are constants of this file; what
// people ask for travels as arguments.
type query struct {
	where []string
	args  []any
}

func (q *query) and(condition string, args ...any) {
	q.where = append(q.where, condition)
	q.args = append(q.args, args...)
}

// settled adds the conditions that cannot change while a payment lives.
func (f *Filter) settled(q *query) {
	if f.Tenant != "" {
		q.and("tenant = ?", f.Tenant)
	}
	if f.Flow != "" {
		q.and("flow = ?", f.Flow)
	}
	f.priced(q)
	if f.StartedFromMS != 0 {
		q.and("started_ms >= ?", f.StartedFromMS)
	}
	if f.StartedToMS != 0 {
		q.and("started_ms < ?", f.StartedToMS)
	}
	f.identified(q)
}

func (f *Filter) priced(q *query) {
	if f.Currency != "" {
		q.and("currency = ?", f.Currency)
	}
	if f.AmountMin != nil {
		q.and("amount >= ?", *f.AmountMin)
	}
	if f.AmountMax != nil {
		q.and("amount <= ?", *f.AmountMax)
	}
}

// identified looks identifiers up in one index.
func (f *Filter) identified(q *query) {
	if f.ClientKey != "" {
		q.and("key IN (SELECT payment FROM correlation WHERE value = ? AND kind = ?)", f.ClientKey, KindClientKey)
	}
	if f.TransactionID != "" {
		q.and("key IN (SELECT payment FROM correlation WHERE value = ? AND kind = ?)", f.TransactionID, KindTransactionID)
	}
	if f.Text != "" {
		if key, err := strconv.ParseUint(f.Text, 10, 63); err == nil {
			q.and("key IN (SELECT payment FROM correlation WHERE value = ? UNION SELECT CAST(? AS BIGINT))", f.Text, int64(key))
		} else {
			q.and("key IN (SELECT payment FROM correlation WHERE value = ?)", f.Text)
		}
	}
}

// passing adds the conditions a payment comes under and leaves.
func (f *Filter) passing(q *query) {
	if f.State != 0 {
		q.and("state = ?", int64(f.State))
	}
	if f.Result != 0 {
		q.and("result = ?", int64(f.Result))
	}
}

// access is one way to the payments of a filter: an index and the conditions it
// answers by seeking.
type access struct {
	index   string // empty: the primary key, by way of the identifiers
	ordered bool   // found in the order of the list; otherwise what is found is sorted
	query
}

// accesses are the ways the filter allows; none: the newest first, as they come.
func (f *Filter) accesses() []access {
	var out []access
	add := func(index string, ordered bool, conditions func(*query)) {
		a := access{index: index, ordered: ordered}
		conditions(&a.query)
		out = append(out, a)
	}
	if f.ClientKey != "" || f.TransactionID != "" || f.Text != "" {
		add("", false, f.identified)
	}
	if f.Currency != "" {
		add("payment_amount", false, f.priced)
	}
	if f.Result != 0 {
		add("payment_result", true, func(q *query) { q.and("result = ?", int64(f.Result)) })
	}
	if f.State != 0 {
		add("payment_state", true, func(q *query) { q.and("state = ?", int64(f.State)) })
	}
	if f.Flow != "" {
		add("payment_flow", true, func(q *query) { q.and("flow = ?", f.Flow) })
	}
	if f.Tenant != "" {
		add("payment_tenant", true, func(q *query) { q.and("tenant = ?", f.Tenant) })
	}
	return out
}

// listQuery walks an index that ends in (started_ms, key) backwards from the
// cursor, so that no page costs more for being far down, or sorts the few
// payments an identifier or an amount leads to.
func listQuery(from string, f *Filter, after *Cursor, limit int) (string, []any) {
	cursor := Cursor{StartedMS: math.MaxInt64, Key: math.MaxInt64}
	if after != nil {
		cursor = *after
	}
	var q query
	f.settled(&q)
	f.passing(&q)
	q.and("(started_ms, key) < (?, ?)", cursor.StartedMS, int64(cursor.Key))
	return "SELECT " + paymentColumns + " FROM " + from + " WHERE " + strings.Join(q.where, " AND ") +
		" ORDER BY started_ms DESC, key DESC LIMIT ?", append(q.args, limit)
}

// Payments answers up to limit payments that match, the newest first, behind the
// cursor.
func (s *Store) Payments(ctx context.Context, f *Filter, after *Cursor, limit int) ([]*Payment, error) {
	from, err := s.dialect.from(ctx, s.readDB, f)
	if err != nil {
		return nil, fmt.Errorf("store: payments: %w", err)
	}
	text, args := listQuery(from, f, after, limit)
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("store: payments: %w", err)
	}
	return scanPayments(rows)
}

// ExplainPayments answers the database's plan for a page, and whether it would
// read a whole table.
func (s *Store) ExplainPayments(ctx context.Context, f *Filter, after *Cursor, limit int) (plan string, scans bool, err error) {
	from, err := s.dialect.from(ctx, s.readDB, f)
	if err != nil {
		return "", false, fmt.Errorf("store: payments: %w", err)
	}
	text, args := listQuery(from, f, after, limit)
	return s.dialect.explain(ctx, s.readDB, text, args)
}

// Payment answers one payment by its key, or ErrNotFound.
func (s *Store) Payment(ctx context.Context, key uint64) (*Payment, error) {
	return s.onePayment(ctx, "key = ?", int64(key))
}

// PaymentByUUID answers one payment by its UUID, or ErrNotFound.
func (s *Store) PaymentByUUID(ctx context.Context, uuid string) (*Payment, error) {
	return s.onePayment(ctx, "key IN (SELECT payment FROM correlation WHERE value = ? AND kind = ?) AND uuid = ?", uuid, KindTransactionID, uuid)
}

func (s *Store) onePayment(ctx context.Context, where string, args ...any) (*Payment, error) {
	rows, err := s.query(ctx, "SELECT "+paymentColumns+" FROM payment WHERE "+where+" LIMIT 1", args...)
	if err != nil {
		return nil, fmt.Errorf("store: payment: %w", err)
	}
	payments, err := scanPayments(rows)
	if err != nil {
		return nil, err
	}
	if len(payments) == 0 {
		return nil, ErrNotFound
	}
	return payments[0], nil
}

// Change is a payment that changed, as it now is.
type Change struct {
	*Payment
	// Matches: the filter's state and result hold too. Without, the payment may
	// have just left the filter.
	Matches bool
}

// Newest answers the newest change number.
func (s *Store) Newest(ctx context.Context) (uint64, error) {
	var newest uint64
	if err := s.queryRow(ctx, "SELECT COALESCE(MAX(change), 0) FROM payment").Scan(&newest); err != nil {
		return 0, fmt.Errorf("store: newest change: %w", err)
	}
	return newest, nil
}

// Changes answers up to limit payments that changed behind after and up to upto,
// in the order of their changes, and match the filter but for state and result. A
// payment that changed again since is found behind upto.
func (s *Store) Changes(ctx context.Context, f *Filter, after, upto uint64, limit int) ([]Change, error) {
	var passing, q query
	f.passing(&passing)
	matches := "1 = 1"
	if len(passing.where) > 0 {
		matches = strings.Join(passing.where, " AND ")
	}
	f.settled(&q)
	q.and("change > ? AND change <= ?", int64(after), int64(upto))
	args := append(append(passing.args, q.args...), limit)
	rows, err := s.query(ctx, "SELECT "+paymentColumns+", CASE WHEN "+matches+" THEN 1 ELSE 0 END FROM payment WHERE "+
		strings.Join(q.where, " AND ")+" ORDER BY change LIMIT ?", args...)
	if err != nil {
		return nil, fmt.Errorf("store: changes: %w", err)
	}
	defer rows.Close()
	var out []Change
	for rows.Next() {
		var matches int64
		p, err := scanPayment(rows, &matches)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{p, matches == 1})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: changes: %w", err)
	}
	return out, nil
}
