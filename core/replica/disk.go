package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/railhead-hub/railhead/engine"
)

// formatVersion is of the checkpoint file. A file of another version is refused.
const formatVersion = 1

// ErrFormat reports a checkpoint that this version of Railhead cannot read.
var ErrFormat = errors.New("replica: checkpoint of another format")

var (
	bucketMeta = []byte("meta")

	metaFormat             = []byte("format")
	metaIndex              = []byte("index")
	metaTerm               = []byte("term")
	metaTimeMS             = []byte("time_ms")
	metaOutboxOffset       = []byte("outbox_offset")
	metaOutboxCount        = []byte("outbox_count")
	metaHash               = []byte("hash")
	metaConfiguration      = []byte("raft_configuration")
	metaConfigurationIndex = []byte("raft_configuration_index")
	metaRows               = []byte("rows") // bytes: table, count
)

// disk is the checkpoint file: a bucket for each table, and one that says what
// the rows reflect. Both change in one transaction.
type disk struct {
	db    *bbolt.DB
	index uint64 // of the last entry the file reflects; under the store's mu
}

// diskState is what the file says about itself.
type diskState struct {
	at   mark
	hash uint64
	rows [64]uint64 // of each table
}

func openDisk(path string, mapBytes int) (*disk, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      time.Second,
		FreelistType: bbolt.FreelistMapType,
		// Growing the map waits for every reader, and the apply loop is one.
		InitialMmapSize: mapBytes,
		NoStatistics:    true,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("replica: open the checkpoint %s: another process is using it: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("replica: open the checkpoint %s: %w", path, err)
	}
	d := &disk{db: db}
	if err := db.Update(func(btx *bbolt.Tx) error {
		if btx.Bucket(bucketMeta) != nil {
			return nil
		}
		return writeState(btx, diskState{})
	}); err != nil {
		db.Close()
		return nil, fmt.Errorf("replica: begin a checkpoint file: %w", err)
	}
	return d, nil
}

func (d *disk) close() error { return d.db.Close() }

func (d *disk) state() (state diskState, err error) {
	err = d.db.View(func(btx *bbolt.Tx) error {
		state, err = readState(btx)
		return err
	})
	return state, err
}

func readState(btx *bbolt.Tx) (diskState, error) {
	b := btx.Bucket(bucketMeta)
	if b == nil {
		return diskState{}, fmt.Errorf("%w: it has no state", ErrFormat)
	}
	number := func(name []byte) uint64 {
		if v := b.Get(name); len(v) == 8 {
			return binary.BigEndian.Uint64(v)
		}
		return 0
	}
	if v := number(metaFormat); v != formatVersion {
		return diskState{}, fmt.Errorf("%w: version %d, this node reads %d", ErrFormat, v, formatVersion)
	}
	state := diskState{hash: number(metaHash)}
	state.at.index, state.at.term = number(metaIndex), number(metaTerm)
	state.at.timeMS = int64(number(metaTimeMS))
	state.at.outbox.Offset, state.at.outbox.Count = number(metaOutboxOffset), number(metaOutboxCount)
	state.at.configuration = append([]byte(nil), b.Get(metaConfiguration)...)
	state.at.configurationIndex = number(metaConfigurationIndex)
	rows := b.Get(metaRows)
	for ; len(rows) >= 9; rows = rows[9:] {
		if id := rows[0]; int(id) < len(state.rows) {
			state.rows[id] = binary.BigEndian.Uint64(rows[1:])
		}
	}
	return state, nil
}

func writeState(btx *bbolt.Tx, state diskState) error {
	b, err := btx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return err
	}
	var rows []byte
	for id, n := range state.rows {
		if n > 0 {
			rows = binary.BigEndian.AppendUint64(append(rows, byte(id)), n)
		}
	}
	for _, f := range []struct {
		name  []byte
		value uint64
	}{
		{metaFormat, formatVersion},
		{metaIndex, state.at.index},
		{metaTerm, state.at.term},
		{metaTimeMS, uint64(state.at.timeMS)},
		{metaOutboxOffset, state.at.outbox.Offset},
		{metaOutboxCount, state.at.outbox.Count},
		{metaHash, state.hash},
		{metaConfigurationIndex, state.at.configurationIndex},
	} {
		if err := b.Put(f.name, binary.BigEndian.AppendUint64(nil, f.value)); err != nil {
			return err
		}
	}
	if err := b.Put(metaConfiguration, state.at.configuration); err != nil {
		return err
	}
	return b.Put(metaRows, rows)
}

// encodeRow appends the row's canonical bytes.
func encodeRow(dst []byte, row engine.Row) []byte {
	at, size := len(dst), row.SizeVT()
	for cap(dst)-at < size {
		dst = append(dst[:cap(dst)], 0)
	}
	dst = dst[:at+size]
	if _, err := row.MarshalToSizedBufferVTStrict(dst[at:]); err != nil {
		panic(fmt.Sprintf("replica: a row's size and bytes disagree: %v", err))
	}
	return dst
}

// In the file a row is preceded by its digest, which is what the state hash
// counts for it and at the same time shows damage.
const rowHead = 8

// decodeRow reads a row of the checkpoint. Damage stops the node: going on would
// let it drift from the others.
func decodeRow(t *table, k, v []byte) (engine.Row, uint64) {
	if len(v) < rowHead {
		panic(fmt.Sprintf("replica: the checkpoint is damaged: a row of table %s is cut off; remove this node's data and let it join again", t.layout.Name))
	}
	sum := binary.BigEndian.Uint64(v)
	var d xxhash.Digest
	d.Reset()
	d.Write(k)
	d.Write(v[rowHead:])
	row := t.layout.New()
	if err := row.UnmarshalVT(v[rowHead:]); err != nil || d.Sum64() != sum {
		panic(fmt.Sprintf("replica: the checkpoint is damaged: a row of table %s is not what was written (%v); remove this node's data and let it join again", t.layout.Name, err))
	}
	return row, sum
}
