package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// readChunk is how much of a segment is read at once. A record may be longer.
const readChunk = 256 << 10

// Reader reads the records above a cursor, as far as they have been flushed. It
// belongs to one goroutine.
type Reader struct {
	log    *Log
	cursor Cursor // of the last record returned
	at     Position
	file   *os.File
	start  uint64 // offset at which the open file starts
	chunk  []byte // unread bytes at `at`
}

// Reader returns a reader of the records above the cursor.
func (l *Log) Reader(cursor Cursor) *Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Reader{log: l, cursor: cursor, at: l.end}
	for _, s := range slices.Backward(l.segments) {

		if s.first == (Cursor{}) {
			r.at = s.start
			continue
		}
		r.at = s.start
		if !after(s.first.Index, s.first.N, cursor) {
			break
		}
	}
	return r
}

// Next returns the next record; ok is false when there is none yet. The record's
// value stays valid.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	for {
		rec, size, err := parseRecord(r.chunk)
		if err != nil {
			return Record{}, false, err
		}
		if size == 0 {
			more, err := r.fill()
			if err != nil || !more {
				return Record{}, false, err
			}
			continue
		}
		rec.Ordinal = r.at.Count
		r.chunk = r.chunk[size:]
		r.at.Offset += uint64(size)
		r.at.Count++
		if after(rec.Index, rec.N, r.cursor) {
			r.cursor = Cursor{Index: rec.Index, N: rec.N}
			return rec, true, nil
		}
	}
}

// Position is the place after the last record read.
func (r *Reader) Position() Position { return r.at }

// fill reads on from the reader's place; it reports false when nothing beyond
// what the chunk holds has been flushed.
func (r *Reader) fill() (bool, error) {
	l := r.log
	l.mu.Lock()
	flushed := l.end.Offset - uint64(len(l.buf))
	var found *segment
	end := flushed
	for i, s := range l.segments {
		if s.start.Offset <= r.at.Offset {
			found, end = s, flushed
			if i+1 < len(l.segments) {
				end = min(flushed, l.segments[i+1].start.Offset)
			}
		}
	}
	l.mu.Unlock()
	if r.at.Offset+uint64(len(r.chunk)) >= end {
		if len(r.chunk) > 0 {
			return false, fmt.Errorf("%w: a record is cut off at offset %d", ErrDamaged, r.at.Offset)
		}
		return false, nil
	}
	if found == nil {
		return false, fmt.Errorf("%w: no segment holds offset %d", ErrDamaged, r.at.Offset)
	}
	if r.file == nil || r.start != found.start.Offset {
		r.Close()
		f, err := os.Open(l.path(found))
		if err != nil {
			return false, fmt.Errorf("outbox: open a segment: %w", err)
		}
		r.file, r.start = f, found.start.Offset
	}
	want := readChunk
	if len(r.chunk) >= 4 {
		want = max(want, recordSize(r.chunk))
	}
	want = int(min(uint64(want), end-r.at.Offset))
	if want <= len(r.chunk) {
		return false, fmt.Errorf("%w: a record at offset %d is longer than its segment", ErrDamaged, r.at.Offset)
	}
	chunk := make([]byte, want)
	n, err := r.file.ReadAt(chunk, int64(r.at.Offset-r.start))
	if err != nil && !(errors.Is(err, io.EOF) && n == len(chunk)) {
		return false, fmt.Errorf("outbox: read a segment: %w", err)
	}
	r.chunk = chunk
	return true, nil
}

// Close releases the reader's file.
func (r *Reader) Close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

func headCursor(head []byte) Cursor {
	return Cursor{Index: binary.LittleEndian.Uint64(head[8:]), N: binary.LittleEndian.Uint32(head[16:])}
}
