package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

func receiptKey(payment uint64) Key { return Key{Table: TableReceipt, A: payment} }

// expire removes what is past its tenant's retention: receipts with their start
// ids, and message ids. It works from the oldest and stops at the first row that
// is still kept, so that a command is bounded however much there is.
func (a *application) expire(c *enginev1.Expire) *enginev1.Event {
	limit := int(min(max(c.Limit, 1), 10_000))
	var gone []Key
	a.tx.Ascend(Key{Table: TableReceipt}, func(k Key, r Row) bool {
		receipt := r.(*enginev1.Receipt)
		if len(gone) >= limit || receipt.EndedMs+a.retention(receipt.Tenant) > a.stamp.TimeMS {
			return false
		}
		gone = append(gone, k)
		return true
	})
	removed := len(gone)
	for _, k := range gone {
		a.delete(k)
		a.delete(Key{Table: TableStartID, A: k.A})
	}
	gone = gone[:0]
	a.tx.Ascend(Key{Table: TableMessageID}, func(k Key, r Row) bool {
		id := r.(*enginev1.MessageID)
		if len(gone) >= limit || id.PublishedMs+a.retention(id.Tenant) > a.stamp.TimeMS {
			return false
		}
		gone = append(gone, k)
		return true
	})
	for _, k := range gone {
		a.delete(k)
	}
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_EXPIRED, Value: uint64(removed + len(gone))})
}
