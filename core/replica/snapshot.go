package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A snapshot is not a file of its own: the checkpoint is one at any time. Raft's
// request to take a snapshot makes the checkpoint reach the index Raft will cut
// the log at; its request to send one streams the checkpoint as it then is,
// labelled with the index in it, and the outbox segments that Kafka does not
// have yet.
//
// On the wire: the magic, then for each file its name's length (2 bytes), its
// size (8), the name and the bytes; an empty name ends the list and the XXH64 of
// everything before it follows. Numbers are big-endian.

const snapshotMagic = "railhead-snapshot-1\n"

const (
	stateName      = "state"      // the folder a snapshot replaces as a whole
	checkpointName = "checkpoint" // in it: the bbolt file
	outboxName     = "outbox"     // in it: the segments
	incomingName   = "incoming"   // a snapshot being received
	liveID         = "live"       // the id of the one snapshot there is
)

// errSnapshot reports a stream that is not a whole snapshot.
var errSnapshot = errors.New("replica: damaged snapshot stream")

// Snapshot implements raft.FSM. It runs on the apply loop and only freezes.
func (a *applier) Snapshot() (raft.FSMSnapshot, error) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	a.store.freeze()
	return &frozenState{applier: a}, nil
}

// frozenState is a snapshot being taken.
type frozenState struct{ applier *applier }

// Persist implements raft.FSMSnapshot: it returns once the checkpoint is on the
// disk, and with the label that Raft gave the snapshot, because Raft then cuts
// the log there. The label may lie above the last entry of ours, when entries
// follow that Raft keeps to itself.
func (f *frozenState) Persist(sink raft.SnapshotSink) error {
	if err := f.applier.checkpoint(); err != nil {
		return err
	}
	label, ok := sink.(*incoming)
	if !ok {
		return errors.New("replica: a snapshot was taken into a foreign store")
	}
	return f.applier.failure.note(f.applier.store.relabel(label.meta.Index, label.meta.Term))
}

// Release implements raft.FSMSnapshot.
func (f *frozenState) Release() {}

// relabel raises the index of the checkpoint over entries that change nothing.
func (s *store) relabel(index, term uint64) error {
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	state, err := s.disk.state()
	if err != nil {
		return err
	}
	if state.at.index >= index {
		return nil
	}
	state.at.index, state.at.term = index, term
	if err := s.disk.db.Update(func(btx *bbolt.Tx) error { return writeState(btx, state) }); err != nil {
		return fmt.Errorf("replica: label the checkpoint: %w", err)
	}
	return nil
}

// snapshots implements raft.SnapshotStore over the checkpoint.
type snapshots struct {
	dir     string // the replica's
	applier *applier
}

// List implements raft.SnapshotStore: there is one snapshot once anything was
// checkpointed.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	state, err := s.applier.store.file().state()
	if err != nil {
		return nil, err
	}
	if state.at.index == 0 || state.at.configurationIndex == 0 {
		return nil, nil
	}
	return []*raft.SnapshotMeta{metaOf(state.at)}, nil
}

func metaOf(at mark) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: liveID, Index: at.index, Term: at.term,
		Configuration:      raft.DecodeConfiguration(at.configuration),
		ConfigurationIndex: at.configurationIndex,
	}
}

// Create implements raft.SnapshotStore. The sink is either the label of a
// snapshot being taken, and nothing is written to it, or it receives one.
func (s *snapshots) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport,
) (raft.SnapshotSink, error) {
	return &incoming{
		path: filepath.Join(s.dir, incomingName),
		meta: raft.SnapshotMeta{
			Version: raft.SnapshotVersionMax, Index: index, Term: term,
			ID:            fmt.Sprintf("%s-%d-%d", incomingName, term, index),
			Configuration: configuration, ConfigurationIndex: configurationIndex,
		},
	}, nil
}

// Open implements raft.SnapshotStore.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if strings.HasPrefix(id, incomingName) {
		f, err := os.Open(filepath.Join(s.dir, incomingName))
		if err != nil {
			return nil, nil, fmt.Errorf("replica: open the received snapshot: %w", err)
		}
		return &raft.SnapshotMeta{ID: id}, f, nil
	}
	return s.applier.stream()
}

// incoming is a raft.SnapshotSink.
type incoming struct {
	path string
	meta raft.SnapshotMeta
	file *os.File
}

func (s *incoming) ID() string { return s.meta.ID }

func (s *incoming) Write(p []byte) (int, error) {
	if s.file == nil {
		f, err := os.OpenFile(s.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, fmt.Errorf("replica: receive a snapshot: %w", err)
		}
		s.file = f
	}
	return s.file.Write(p)
}

func (s *incoming) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

func (s *incoming) Cancel() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.path))
}

// stream opens the checkpoint and the outbox above its cursor as one stream. The
// reader must be closed: it holds pages of the checkpoint.
func (a *applier) stream() (*raft.SnapshotMeta, io.ReadCloser, error) {
	btx, err := a.store.file().db.Begin(false)
	if err != nil {
		return nil, nil, fmt.Errorf("replica: read the checkpoint: %w", err)
	}
	state, err := readState(btx)
	if err != nil {
		btx.Rollback()
		return nil, nil, err
	}
	parts, err := a.outbox.Parts(storedCursor(btx), state.at.outbox)
	if err != nil {
		btx.Rollback()
		return nil, nil, err
	}
	meta := metaOf(state.at)
	meta.Size = int64(len(snapshotMagic)) + fileHead(checkpointName) + btx.Size() + fileHead("") + 8
	for _, p := range parts {
		meta.Size += fileHead(p.Name) + p.Size
	}
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer btx.Rollback()
		sum := xxhash.New()
		w := io.MultiWriter(writer, sum)
		err := writeSnapshot(w, btx, parts)
		if err == nil {
			_, err = writer.Write(binary.BigEndian.AppendUint64(nil, sum.Sum64()))
		}
		for _, p := range parts {
			p.Close()
		}
		writer.CloseWithError(err)
	}()
	return meta, &streamReader{reader, done}, nil
}

type streamReader struct {
	*io.PipeReader
	done chan struct{}
}

// Close waits until the pages are given back.
func (r *streamReader) Close() error {
	err := r.PipeReader.Close()
	<-r.done
	return err
}

// storedCursor reads how far Kafka has come from the checkpoint.
func storedCursor(btx *bbolt.Tx) outbox.Cursor {
	b := btx.Bucket([]byte{byte(engine.TableMeta)})
	if b == nil {
		return outbox.Cursor{}
	}
	key := engine.Key{Table: engine.TableMeta}.Append(nil)
	v := b.Get(key)
	if v == nil {
		return outbox.Cursor{}
	}
	row, _ := decodeRow(&table{layout: engine.Layouts[engine.TableMeta]}, key, v)
	return outbox.CursorOf(row.(*enginev1.Meta))
}

func fileHead(name string) int64 { return 2 + 8 + int64(len(name)) }

func writeFileHead(w io.Writer, name string, size int64) error {
	head := binary.BigEndian.AppendUint16(nil, uint16(len(name)))
	head = binary.BigEndian.AppendUint64(head, uint64(size))
	_, err := w.Write(append(head, name...))
	return err
}

func writeSnapshot(w io.Writer, btx *bbolt.Tx, parts []outbox.Part) error {
	if _, err := io.WriteString(w, snapshotMagic); err != nil {
		return err
	}
	if err := writeFileHead(w, checkpointName, btx.Size()); err != nil {
		return err
	}
	if _, err := btx.WriteTo(w); err != nil {
		return err
	}
	for _, p := range parts {
		if err := writeFileHead(w, p.Name, p.Size); err != nil {
			return err
		}
		if n, err := io.Copy(w, p); err != nil || n != p.Size {
			return fmt.Errorf("replica: stream segment %s: %d of %d bytes: %w", p.Name, n, p.Size, errors.Join(err, io.ErrUnexpectedEOF))
		}
	}
	return writeFileHead(w, "", 0)
}

// unpack writes a streamed snapshot's files into the folder, synced.
func unpack(r io.Reader, folder string) error {
	if err := os.MkdirAll(filepath.Join(folder, outboxName), 0o700); err != nil {
		return err
	}
	sum := xxhash.New()
	in := io.TeeReader(r, sum)
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if string(magic) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin as one", errSnapshot)
	}
	for {
		var head [10]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, err)
		}
		name := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(in, name); err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, err)
		}
		if len(name) == 0 {
			break
		}
		path := filepath.Join(folder, string(name))
		if string(name) != checkpointName {
			if filepath.Base(string(name)) != string(name) || !strings.HasSuffix(string(name), ".seg") {
				return fmt.Errorf("%w: it holds a file %q", errSnapshot, name)
			}
			path = filepath.Join(folder, outboxName, string(name))
		}
		if err := unpackFile(in, path, int64(binary.BigEndian.Uint64(head[2:]))); err != nil {
			return err
		}
	}
	if err := checkSum(r, sum); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Join(folder, outboxName)), syncDir(folder))
}

func unpackFile(in io.Reader, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := io.CopyN(f, in, size); err != nil {
		return fmt.Errorf("%w: %d of %d bytes: %w", errSnapshot, n, size, err)
	}
	return f.Sync()
}

func checkSum(r io.Reader, sum hash.Hash64) error {
	var tail [8]byte
	if _, err := io.ReadFull(r, tail[:]); err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if binary.BigEndian.Uint64(tail[:]) != sum.Sum64() {
		return fmt.Errorf("%w: its checksum does not match", errSnapshot)
	}
	return nil
}

// Restore implements raft.FSM: it replaces the state by a received snapshot. The
// new folder is complete and synced before it takes the old one's place.
func (a *applier) Restore(r io.ReadCloser) error {
	defer r.Close()
	fresh := filepath.Join(a.dir, stateName+".tmp")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("replica: make room for a snapshot: %w", err)
	}
	if err := unpack(r, fresh); err != nil {
		return fmt.Errorf("replica: install a snapshot: %w", err)
	}
	s := a.store
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer.end()
	// From here on the node has neither the old state nor the new one.
	return a.failure.note(a.replace(fresh))
}

// replace puts a complete state folder in the place of the present one. The
// caller holds mu and checkpointing.
func (a *applier) replace(fresh string) error {
	if err := a.store.disk.close(); err != nil {
		return fmt.Errorf("replica: close the checkpoint: %w", err)
	}
	if err := errors.Join(
		os.Rename(fresh, filepath.Join(a.dir, stateName+".new")),
		syncDir(a.dir),
		adoptState(a.dir),
	); err != nil {
		return fmt.Errorf("replica: install a snapshot: %w", err)
	}
	_ = os.Remove(filepath.Join(a.dir, incomingName)) // the next one replaces it
	if err := a.reset(); err != nil {
		return err
	}
	// Payments that ended in the part of the log that was passed over.
	x := tx{store: a.store}
	defer x.end()
	a.ended.tellWhere(func(payment uint64) bool {
		_, ended := x.Get(engine.Key{Table: engine.TableReceipt, A: payment})
		return ended
	})
	return nil
}

// adoptState finishes the replacement of the state folder, which a crash may
// have cut short: state.new exists only when it is complete.
func adoptState(dir string) error {
	old, fresh := filepath.Join(dir, stateName), filepath.Join(dir, stateName+".new")
	if _, err := os.Stat(fresh); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(old), os.Rename(fresh, old), syncDir(dir))
}

// reset loads what the state folder now holds. The caller holds mu and
// checkpointing.
func (a *applier) reset() error {
	s := a.store
	d, err := openDisk(filepath.Join(a.dir, stateName, checkpointName), s.mapBytes)
	if err != nil {
		return err
	}
	s.hasher.stop()
	s.disk = d
	for _, t := range s.tables {
		if t != nil {
			t.clear()
		}
	}
	s.frozen, s.touched, s.delta, s.resting = nil, nil, 0, resting{}
	s.generation++
	if err := s.load(); err != nil {
		return err
	}
	return a.outbox.Reopen(s.at.outbox)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
