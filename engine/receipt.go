package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

func receiptKey(payment uint64) Key { return Key{Table: TableReceipt, A: payment} }

// expire removes what is past its tenant's retention: receipts with their start
// ids, and message ids. A command looks at a bounded number of rows and the next
// one goes on behind them, so that rows which are kept for long hold up no others.
func (a *application) expire(c *enginev1.Expire) *enginev1.Event {
	limit := int(min(max(c.Limit, 1), 10_000))
	receipts, nextReceipt := a.past(Key{Table: TableReceipt, A: a.meta.ExpireReceipt}, limit, func(r Row) age {
		receipt := r.(*enginev1.Receipt)
		return age{receipt.Tenant, receipt.StartedMs, receipt.EndedMs}
	})
	for _, k := range receipts {
		a.delete(k)
		a.delete(Key{Table: TableStartID, A: k.A})
	}
	messages, nextMessage := a.past(Key{Table: TableMessageID, A: a.meta.ExpireMessage}, limit, func(r Row) age {
		id := r.(*enginev1.MessageID)
		return age{id.Tenant, id.PublishedMs, id.PublishedMs}
	})
	for _, k := range messages {
		a.delete(k)
	}
	if nextReceipt != a.meta.ExpireReceipt || nextMessage != a.meta.ExpireMessage {
		a.setMeta(func(m *enginev1.Meta) { m.ExpireReceipt, m.ExpireMessage = nextReceipt, nextMessage })
	}
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_EXPIRED, Value: uint64(len(receipts) + len(messages))})
}

// age is what decides whether a row is past: made rises with the table's keys, and
// retention counts from since.
type age struct {
	tenant      string
	made, since int64
}

// past lists up to limit rows that are past, from a key on, and where the next
// look begins: at the oldest again once only young rows are left.
func (a *application) past(from Key, limit int, ageOf func(Row) age) (gone []Key, next uint64) {
	youngest := a.stamp.TimeMS - a.minRetention()
	seen := 0
	a.tx.Ascend(from, func(k Key, r Row) bool {
		if len(gone) == limit || seen == 10*limit {
			next = k.A
			return false
		}
		seen++
		row := ageOf(r)
		if row.since+a.retention(row.tenant) <= a.stamp.TimeMS {
			gone = append(gone, k)
		}
		return row.made <= youngest
	})
	return gone, next
}
