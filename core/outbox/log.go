package outbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Position is a place between two records, counted from the beginning of the
// cluster's life and not of the files that are left. It is equal on every node
// that has applied the same log.
type Position struct {
	Offset uint64 // in bytes
	Count  uint64 // in records
}

// Cursor names the last record that Kafka has acknowledged. The zero cursor
// comes before the first record.
type Cursor struct {
	Index uint64
	N     uint32
}

// CursorOf reads the cursor from the cluster's row.
func CursorOf(meta *enginev1.Meta) Cursor {
	return Cursor{Index: meta.ExportedIndex, N: meta.ExportedN}
}

// DefaultSegmentBytes is where a segment ends and the next begins.
const DefaultSegmentBytes = 64 << 20

// Log is the segment files of one node. One goroutine appends; the others'
// methods may be called at any time.
type Log struct {
	dir          string
	segmentBytes int64

	mu       sync.Mutex
	segments []*segment // ascending, without gaps; the last is appended to
	end      Position   // after the last appended record
	buf      []byte     // appended, not yet written: the bytes before end
	dirDirty bool       // a segment was created or removed since the last Sync
	grown    chan struct{}
}

// segment is one file. Its name tells where it starts.
type segment struct {
	start Position
	first Cursor   // of its first record; unknown (zero) while it is empty
	file  *os.File // open while it is written to or not yet synced
	dirty bool
}

func (s *segment) name() string {
	return fmt.Sprintf("%016x-%016x.seg", s.start.Offset, s.start.Count)
}

// Open returns the log in the directory, cut back to the position: what lies
// above it was written by entries that will be applied again.
func Open(dir string, at Position, segmentBytes int64) (*Log, error) {
	if segmentBytes <= 0 {
		segmentBytes = DefaultSegmentBytes
	}
	l := &Log{dir: dir, segmentBytes: segmentBytes, grown: make(chan struct{}, 1)}
	if err := l.Reopen(at); err != nil {
		return nil, err
	}
	return l, nil
}

// Reopen forgets what is in memory and reads the directory again, after a
// snapshot has replaced it.
func (l *Log) Reopen(at Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFiles()
	l.segments, l.buf, l.end, l.dirDirty = nil, nil, at, true
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("outbox: create the directory: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(l.dir, "*.seg"))
	if err != nil {
		return fmt.Errorf("outbox: list segments: %w", err)
	}
	for _, name := range names {
		s := new(segment)
		if _, err := fmt.Sscanf(filepath.Base(name), "%16x-%16x.seg", &s.start.Offset, &s.start.Count); err != nil {
			return fmt.Errorf("%w: %s is not a segment's name", ErrDamaged, name)
		}
		l.segments = append(l.segments, s)
	}
	sort.Slice(l.segments, func(i, j int) bool { return l.segments[i].start.Offset < l.segments[j].start.Offset })
	for len(l.segments) > 0 {
		last := l.segments[len(l.segments)-1]
		if last.start.Offset < at.Offset {
			break
		}
		if err := os.Remove(l.path(last)); err != nil {
			return fmt.Errorf("outbox: remove a segment above the checkpoint: %w", err)
		}
		l.segments = l.segments[:len(l.segments)-1]
	}
	for i, s := range l.segments {
		end := at.Offset
		if i+1 < len(l.segments) {
			end = l.segments[i+1].start.Offset
		}
		if err := l.check(s, int64(end-s.start.Offset)); err != nil {
			return err
		}
	}
	return nil
}

// check verifies that the segment holds the bytes it should and reads where its
// records begin. Bytes beyond are the torn tail of a stopped node and are cut.
func (l *Log) check(s *segment, size int64) error {
	f, err := os.OpenFile(l.path(s), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("outbox: open a segment: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("outbox: inspect a segment: %w", err)
	}
	if info.Size() < size {
		return fmt.Errorf("%w: %s holds %d bytes and the checkpoint counts on %d", ErrDamaged, s.name(), info.Size(), size)
	}
	if info.Size() > size {
		if err := f.Truncate(size); err != nil {
			return fmt.Errorf("outbox: cut a segment back: %w", err)
		}
	}
	var head [recordHead]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("%w: %s has no first record", ErrDamaged, s.name())
	}
	s.first = headCursor(head[:])
	return nil
}

func (l *Log) path(s *segment) string { return filepath.Join(l.dir, s.name()) }

// Append adds events of one log index, numbered from n on. It only fills a buffer;
// Flush hands it to the file. The events are encoded here and not kept.
func (l *Log) Append(index uint64, n uint32, events ...*enginev1.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, event := range events {
		l.append(index, n+uint32(i), event)
	}
}

func (l *Log) append(index uint64, n uint32, event *enginev1.Event) {
	if len(l.segments) == 0 || l.end.Offset-l.current().start.Offset >= uint64(l.segmentBytes) {
		l.roll()
	}
	s := l.current()
	if s.first == (Cursor{}) {
		s.first = Cursor{Index: index, N: n}
	}
	before := len(l.buf)
	l.buf = appendEvent(l.buf, index, n, event)
	l.end.Offset += uint64(len(l.buf) - before)
	l.end.Count++
}

func (l *Log) current() *segment { return l.segments[len(l.segments)-1] }

// roll begins the next segment. While the current one cannot be written, it
// grows instead, and the failing checkpoint tells the node.
func (l *Log) roll() {
	if l.flush() != nil {
		return
	}
	l.segments = append(l.segments, &segment{start: l.end})
}

// Flush writes what was appended to the files, without syncing them. What could
// not be written is kept and tried again.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

func (l *Log) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	s := l.current()
	if s.file == nil {
		f, err := os.OpenFile(l.path(s), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("outbox: open a segment: %w", err)
		}
		s.file, l.dirDirty = f, true
	}
	at := l.end.Offset - uint64(len(l.buf)) - s.start.Offset
	if _, err := s.file.WriteAt(l.buf, int64(at)); err != nil {
		return fmt.Errorf("outbox: write a segment: %w", err)
	}
	s.dirty = true
	if cap(l.buf) > 4<<20 {
		l.buf = nil
	}
	l.buf = l.buf[:0]
	select {
	case l.grown <- struct{}{}:
	default:
	}
	return nil
}

// Sync makes everything appended so far survive a power cut. It does not hold
// up Append while the disk works.
func (l *Log) Sync() error {
	l.mu.Lock()
	if err := l.flush(); err != nil {
		l.mu.Unlock()
		return err
	}
	var dirty []*segment
	for _, s := range l.segments {
		if s.dirty {
			dirty = append(dirty, s)
			s.dirty = false
		}
	}
	dirDirty := l.dirDirty
	l.dirDirty = false
	l.mu.Unlock()

	var err error
	for _, s := range dirty {
		err = errors.Join(err, s.file.Sync())
	}
	if dirDirty {
		err = errors.Join(err, syncDir(l.dir))
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		for _, s := range dirty {
			s.dirty = true
		}
		l.dirDirty = l.dirDirty || dirDirty
		return fmt.Errorf("outbox: sync: %w", err)
	}
	for _, s := range dirty {
		if s != l.current() && !s.dirty && s.file != nil {
			s.file.Close()
			s.file = nil
		}
	}
	return nil
}

// Position is the place after the last appended record.
func (l *Log) Position() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Grown yields after records were flushed. It serves one reader, and one
// element may stand for many records.
func (l *Log) Grown() <-chan struct{} { return l.grown }

// Trim deletes the segments whose records are all exported and all below a
// position that a checkpoint has recorded.
func (l *Log) Trim(exported Cursor, recorded Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.segments) > 1 {
		s, next := l.segments[0], l.segments[1]
		if next.first == (Cursor{}) || after(next.first.Index, next.first.N, exported) || next.start.Offset > recorded.Offset {
			return nil
		}
		if err := os.Remove(l.path(s)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("outbox: remove an exported segment: %w", err)
		}
		if s.file != nil {
			s.file.Close()
		}
		l.segments, l.dirDirty = l.segments[1:], true
	}
	return nil
}

// Part is one segment as a snapshot carries it.
type Part struct {
	Name string
	Size int64
	io.ReadCloser
}

// Parts opens what a snapshot taken at the position must carry: the segments
// that hold records above the cursor. The caller closes them.
func (l *Log) Parts(exported Cursor, at Position) (parts []Part, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if err != nil {
			for _, p := range parts {
				p.Close()
			}
			parts = nil
		}
	}()
	if err := l.flush(); err != nil {
		return nil, err
	}
	for i, s := range l.segments {
		if s.start.Offset >= at.Offset {
			break
		}
		end := at.Offset
		if i+1 < len(l.segments) {
			next := l.segments[i+1]
			if next.first != (Cursor{}) && !after(next.first.Index, next.first.N, exported) && next.start.Offset < at.Offset {
				continue
			}
			end = min(end, next.start.Offset)
		}
		f, err := os.Open(l.path(s))
		if err != nil {
			return parts, fmt.Errorf("outbox: open a segment: %w", err)
		}
		size := int64(end - s.start.Offset)
		parts = append(parts, Part{Name: s.name(), Size: size, ReadCloser: struct {
			io.Reader
			io.Closer
		}{io.LimitReader(f, size), f}})
	}
	return parts, nil
}

// Close flushes and closes the files. It does not sync them: what the last
// checkpoint does not record is written again by replay.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.flush()
	l.closeFiles()
	return err
}

func (l *Log) closeFiles() {
	for _, s := range l.segments {
		if s.file != nil {
			s.file.Close()
			s.file = nil
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
