package outbox

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// The topics. Events of payments and administrative acts are kept apart, because
// they are kept for different times and read by different people.
const (
	TopicEvents = "railhead.events.v1"
	TopicAudit  = "railhead.audit.v1"
)

// The headers of every record, decimal numbers in text.
const (
	// HeaderID is cluster-incarnation-index-n. Within a partition it ascends, but
	// for repetitions: a consumer drops what is not above the last it has stored.
	HeaderID = "id"
	// HeaderSeq counts within the payment, without gaps.
	HeaderSeq = "seq"
)

// eventHead is what the export needs of an event: the first fields of the
// message.
type eventHead struct {
	cluster, incarnation uint64
	kind                 enginev1.EventKind
	tenant               []byte // of the encoded event
	payment, seq         uint64
}

// peek reads the head of an encoded event. Fields are encoded ascending, so the
// rest, which may be long, is not looked at.
func peek(event []byte) (h eventHead, err error) {
	for rest := event; len(rest) > 0; {
		tag, n := binary.Uvarint(rest)
		if n <= 0 {
			return h, fmt.Errorf("%w: an event cannot be decoded", ErrDamaged)
		}
		field, wire := tag>>3, tag&7
		if field > 9 {
			break
		}
		rest = rest[n:]
		value, n := binary.Uvarint(rest)
		if n <= 0 || wire != 0 && wire != 2 || wire == 2 && value > uint64(len(rest)-n) {
			return h, fmt.Errorf("%w: an event cannot be decoded", ErrDamaged)
		}
		rest = rest[n:]
		switch field {
		case 1:
			h.cluster = value
		case 2:
			h.incarnation = value
		case 6:
			h.kind = enginev1.EventKind(value)
		case 7:
			h.tenant = rest[:value]
		case 8:
			h.payment = value
		case 9:
			h.seq = value
		}
		if wire == 2 {
			rest = rest[value:]
		}
	}
	return h, nil
}

// outgoing is a Kafka record and what it points at, in one piece of memory: the
// export makes several for each payment.
type outgoing struct {
	record  kgo.Record
	headers [2]kgo.RecordHeader
	text    [4*maxDigits + 3 + 2*maxDigits]byte // the id, the sequence, the key
}

const maxDigits = 20 // of a uint64

// kafka makes a Kafka record of an event. Its key keeps what belongs together in
// one partition and so in order: a payment's events, a tenant's acts.
func (h eventHead) kafka(rec Record) *kgo.Record {
	o := new(outgoing)
	text := o.text[:0]
	// since cuts what was appended off, so that appending to it would copy it.
	since := func(at int) []byte { return text[at:len(text):len(text)] }
	for i, n := range [...]uint64{h.cluster, h.incarnation, rec.Index, uint64(rec.N)} {
		if i > 0 {
			text = append(text, '-')
		}
		text = strconv.AppendUint(text, n, 10)
	}
	o.headers[0] = kgo.RecordHeader{Key: HeaderID, Value: since(0)}
	at := len(text)
	text = strconv.AppendUint(text, h.seq, 10)
	o.headers[1] = kgo.RecordHeader{Key: HeaderSeq, Value: since(at)}
	o.record.Value, o.record.Headers = rec.Value, o.headers[:]
	if engine.Audit(h.kind) {
		o.record.Topic, o.record.Key = TopicAudit, append([]byte{}, h.tenant...)
	} else {
		at := len(text)
		text = strconv.AppendUint(text, h.payment, 10)
		o.record.Topic, o.record.Key = TopicEvents, since(at)
	}
	return &o.record
}
