package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Record is one event as the outbox holds it.
type Record struct {
	Index uint64 // log index of the entry that made the event
	N     uint32 // counts within the index, from 0
	Value []byte // an encoded engine.v1.Event
	// Ordinal counts the records of the cluster's life, from 0; it is equal on
	// every node.
	Ordinal uint64
}

// ErrDamaged reports a record whose checksum does not match, or files that do
// not hold what the checkpoint says they hold.
var ErrDamaged = errors.New("outbox: damaged segment")

// recordHead is the length of what precedes a value: the value's length, the
// CRC-32C of the rest, the log index and the number within it.
const recordHead = 4 + 4 + 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEvent appends the event as a record.
func appendEvent(dst []byte, index uint64, n uint32, event *enginev1.Event) []byte {
	size := event.SizeVT()
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, index)
	dst = binary.LittleEndian.AppendUint32(dst, n)
	dst = slices.Grow(dst, size)[:len(dst)+size]
	if _, err := event.MarshalToSizedBufferVTStrict(dst[at+recordHead:]); err != nil {
		panic(fmt.Sprintf("outbox: an event's size and bytes disagree: %v", err))
	}
	binary.LittleEndian.PutUint32(dst[at+4:], crc32.Checksum(dst[at+8:], castagnoli))
	return dst
}

// parseRecord reads the record at the start of src and the bytes it takes up;
// it reports 0 bytes when src ends before the record does.
func parseRecord(src []byte) (rec Record, size int, err error) {
	if len(src) < recordHead {
		return Record{}, 0, nil
	}
	size = recordHead + int(binary.LittleEndian.Uint32(src))
	if len(src) < size {
		return Record{}, 0, nil
	}
	rec = Record{
		Index: binary.LittleEndian.Uint64(src[8:]),
		N:     binary.LittleEndian.Uint32(src[16:]),
		Value: src[recordHead:size:size],
	}
	if crc32.Checksum(src[8:size], castagnoli) != binary.LittleEndian.Uint32(src[4:]) {
		return Record{}, 0, fmt.Errorf("%w: record %d-%d fails its checksum", ErrDamaged, rec.Index, rec.N)
	}
	return rec, size, nil
}

// recordSize is how many bytes the record takes whose first bytes are src; src
// holds at least four.
func recordSize(src []byte) int {
	return recordHead + int(binary.LittleEndian.Uint32(src))
}

// after reports whether (index, n) comes after the cursor.
func after(index uint64, n uint32, cursor Cursor) bool {
	return index > cursor.Index || index == cursor.Index && n > cursor.N
}
