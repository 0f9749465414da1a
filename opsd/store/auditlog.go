package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/audit"
)

const auditColumns = "seq, time_ms, actor, reason, method, target, tenant, result, event_id, detail, prev_hash, hash"

// chain appends the records that are not in the audit chain yet, and answers how
// many.
func (w *writer) chain(ctx context.Context, records []*Record) (added int, err error) {
	var head audit.Head
	rows, err := w.query(ctx, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return 0, fmt.Errorf("store: audit head: %w", err)
	}
	if head, err = scanHead(rows); err != nil {
		return 0, err
	}
	for _, r := range records {
		entry := auditEntry(r)
		var seq uint64
		switch err := w.one(ctx, &seq, "SELECT seq FROM audit WHERE event_id = ? AND event_id <> ''", entry.EventID); {
		case err == nil:
			continue
		case !errors.Is(err, sql.ErrNoRows):
			return added, fmt.Errorf("store: audit: %w", err)
		}
		head = head.Append(&entry)
		if err := w.appendAct(ctx, &entry, r.Value); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}

// actTries is how often an act is written when another process appends to the chain at
// the same moment.
const actTries = 5

// Act appends an act of opsd itself to the audit chain and answers it with its place
// there. What was asked, byte for byte, is raw; the time, the chain's fields and the
// detail are filled in.
func (s *Store) Act(ctx context.Context, entry audit.Entry, nowMS int64, raw []byte) (audit.Entry, error) {
	if raw == nil {
		raw = []byte{}
	}
	entry.TimeMS, entry.EventID, entry.Detail = nowMS, "", sha256.Sum256(raw)
	entry.Actor, entry.Method, entry.Target = clean(entry.Actor, wordMax), clean(entry.Method, wordMax), clean(entry.Target, wordMax)
	entry.Reason, entry.Tenant, entry.Result = clean(entry.Reason, textMax), clean(entry.Tenant, tenantMax), clean(entry.Result, wordMax)
	var err error
	for range actTries {
		if err = s.write(ctx, func(w *writer) error {
			rows, err := w.query(ctx, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
			if err != nil {
				return fmt.Errorf("store: audit head: %w", err)
			}
			head, err := scanHead(rows)
			if err != nil {
				return err
			}
			head.Append(&entry)
			return w.appendAct(ctx, &entry, raw)
		}); err == nil || ctx.Err() != nil {
			break
		}
	}
	return entry, err
}

func (w *writer) appendAct(ctx context.Context, entry *audit.Entry, raw []byte) error {
	if _, err := w.exec(ctx, "INSERT INTO audit ("+auditColumns+", raw) VALUES "+tuples(1, 13),
		int64(entry.Seq), entry.TimeMS, entry.Actor, entry.Reason, entry.Method, entry.Target, entry.Tenant, entry.Result,
		entry.EventID, entry.Detail[:], entry.Prev[:], entry.Hash[:], raw); err != nil {
		return fmt.Errorf("store: audit: %w", err)
	}
	return nil
}

// auditEntry reads an administrative act of the core.
func auditEntry(r *Record) audit.Entry {
	e := r.Event
	entry := audit.Entry{
		TimeMS: e.TimeMs, Method: KindName(e.Kind), Tenant: clean(e.Tenant, tenantMax),
		Result: "ok", EventID: EventID(e).String(), Detail: sha256.Sum256(r.Value),
	}
	if e.Actor != nil {
		entry.Actor, entry.Reason = clean(e.Actor.Name, wordMax), clean(e.Actor.Reason, textMax)
	}
	if e.Code != "" {
		entry.Result = clean(e.Code, wordMax)
	}
	if e.Kind == enginev1.EventKind_EVENT_KIND_ACTED {
		// An act on a payment: the type says which.
		entry.Method = clean(e.Type, wordMax)
		entry.Target = clean(actTarget(e), wordMax)
		return entry
	}
	for _, target := range []string{e.Type, e.Name, e.Uuid, e.Tenant} {
		if target != "" {
			entry.Target = clean(target, wordMax)
			break
		}
	}
	return entry
}

// actTarget says on what somebody acted, and what it became. Values of variables are
// in the record, not here: they may be personal.
func actTarget(e *enginev1.Event) string {
	var target []string
	add := func(format string, args ...any) { target = append(target, fmt.Sprintf(format, args...)) }
	if e.Payment != 0 {
		add("payment %d", e.Payment)
	}
	switch e.Type {
	case "resolve-incident":
		add("incident %d", e.Number)
	case "retry-job":
		add("job %d at %s, attempt %d", e.Job, e.Element, e.Attempt)
	case "set-variables":
		if e.Token != 0 {
			add("token %d at %s", e.Token, e.Element)
		}
	case "move-token":
		add("token %d from %s to %s", e.Token, e.Name, e.Element)
	case "migrate-payment":
		add("flow %s to version %d", e.Name, e.Number)
	case "claim-user-task", "unclaim-user-task", "update-user-task", "complete-user-task":
		add("user task %d at %s", e.Number, e.Element)
	case "publish-message":
		add("message %s to %s", e.Name, e.Key)
	case "broadcast-signal":
		add("signal %s", e.Name)
	}
	if e.Text != "" {
		add("%s", e.Text)
	}
	if len(e.Variables) > 0 {
		add("sets")
	}
	for _, v := range e.Variables {
		add("%s", v.Name)
	}
	return strings.Join(target, " ")
}

// KindName is the name of an event kind for people and interfaces: job_created
// for EVENT_KIND_JOB_CREATED.
func KindName(kind enginev1.EventKind) string {
	name, known := strings.CutPrefix(kind.String(), "EVENT_KIND_")
	if !known {
		return fmt.Sprintf("kind_%d", int32(kind))
	}
	return strings.ToLower(name)
}

func scanHead(rows *sql.Rows) (audit.Head, error) {
	defer rows.Close()
	var head audit.Head
	var hash []byte
	if rows.Next() {
		if err := rows.Scan(&head.Seq, &hash); err != nil {
			return head, fmt.Errorf("store: audit head: %w", err)
		}
		copy(head.Hash[:], hash)
	}
	if err := rows.Err(); err != nil {
		return head, fmt.Errorf("store: audit head: %w", err)
	}
	return head, nil
}

// AuditHead answers the end of the chain; the zero Head when it is empty.
func (s *Store) AuditHead(ctx context.Context) (audit.Head, error) {
	rows, err := s.query(ctx, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return audit.Head{}, fmt.Errorf("store: audit head: %w", err)
	}
	return scanHead(rows)
}

// AuditEntries answers up to limit entries below seq, newest first, of one tenant
// or of all; 0 is above all.
func (s *Store) AuditEntries(ctx context.Context, tenant string, below uint64, limit int) ([]audit.Entry, error) {
	if below == 0 {
		below = 1<<63 - 1
	}
	query, args := "SELECT "+auditColumns+" FROM audit WHERE seq < ?", []any{int64(below)}
	if tenant != "" {
		query, args = query+" AND tenant = ?", append(args, tenant)
	}
	rows, err := s.query(ctx, query+" ORDER BY seq DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	return scanAudit(rows)
}

// auditFrom answers up to limit entries from seq on, in the order of the chain,
// and the SHA-256 of each act as it is stored.
func (s *Store) auditFrom(ctx context.Context, seq uint64, limit int) ([]audit.Entry, []audit.Hash, error) {
	rows, err := s.query(ctx, "SELECT "+auditColumns+", raw FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?", int64(seq), limit)
	if err != nil {
		return nil, nil, fmt.Errorf("store: audit: %w", err)
	}
	defer rows.Close()
	var entries []audit.Entry
	var details []audit.Hash
	for rows.Next() {
		var raw sql.RawBytes
		e, err := scanEntry(rows, &raw)
		if err != nil {
			return nil, nil, err
		}
		entries, details = append(entries, e), append(details, sha256.Sum256(raw))
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("store: audit: %w", err)
	}
	return entries, details, nil
}

func scanAudit(rows *sql.Rows) ([]audit.Entry, error) {
	defer rows.Close()
	var out []audit.Entry
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	return out, nil
}

// scanEntry reads auditColumns, and more columns behind them.
func scanEntry(rows *sql.Rows, more ...any) (audit.Entry, error) {
	var e audit.Entry
	var detail, prev, hash []byte
	dest := []any{&e.Seq, &e.TimeMS, &e.Actor, &e.Reason, &e.Method, &e.Target, &e.Tenant, &e.Result, &e.EventID, &detail, &prev, &hash}
	if err := rows.Scan(append(dest, more...)...); err != nil {
		return e, fmt.Errorf("store: audit: %w", err)
	}
	copy(e.Detail[:], detail)
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, nil
}

// VerifyAudit recomputes up to limit entries behind the entry after, which is
// trusted when it is not 0. A fault is an *audit.Fault; any other error means
// that the chain could not be read.
func (s *Store) VerifyAudit(ctx context.Context, after uint64, limit uint64, expect *audit.Hash) (audit.Head, uint64, error) {
	var v audit.Verifier
	next := uint64(1)
	if after > 0 {
		trusted, _, err := s.auditFrom(ctx, after, 1)
		if err != nil {
			return audit.Head{}, 0, err
		}
		if len(trusted) == 0 || trusted[0].Seq != after {
			return audit.Head{}, 0, &audit.Fault{Seq: after, Text: "missing"}
		}
		v.After(audit.Head{Seq: after, Hash: trusted[0].Hash})
		next = after + 1
	}
	if expect != nil {
		v.Expect(*expect)
	}
	const page = 1000
	for limit > 0 {
		entries, details, err := s.auditFrom(ctx, next, int(min(limit, page)))
		if err != nil {
			return audit.Head{}, 0, err
		}
		for i := range entries {
			err := v.Check(&entries[i])
			if err == nil && details[i] != entries[i].Detail {
				err = &audit.Fault{Seq: entries[i].Seq, Text: "its record was changed: the recorded act is another"}
			}
			if err != nil {
				head, checked, _ := v.Finish()
				return head, checked, err
			}
		}
		if len(entries) == 0 {
			break
		}
		limit -= uint64(len(entries))
		next = entries[len(entries)-1].Seq + 1
	}
	return v.Finish()
}
