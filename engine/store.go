package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Tx is the seam between the engine and whatever keeps its state: an ordered key
// space whose values are decoded rows. Two implementations exist, the maps of
// memtx and the working set over a bbolt checkpoint in core/replica;
// enginetest.TestTx is the suite both pass.
//
// Rows are immutable: whoever has Put a row, or got one from Get or Ascend, never
// changes it again. Undoing a command is therefore a list of old pointers, and a
// checkpoint can encode rows while the next command runs.
type Tx interface {
	// Get returns the row at the key. A key of a table with an index may also be
	// an index key (see Layout.Index); Get then returns the row it points at.
	Get(Key) (Row, bool)
	// Put and Delete return the row that was there; nil: there was none.
	Put(Key, Row) Row
	Delete(Key) Row
	// Ascend visits the rows of from.Table in key order, from the first key not
	// below from, until visit returns false. The visitor must not write.
	Ascend(from Key, visit func(Key, Row) bool)
}

// Row is a decoded, immutable row: one of the row messages of engine/v1.
type Row interface {
	SizeVT() int
	MarshalToSizedBufferVTStrict([]byte) (int, error)
	UnmarshalVT([]byte) error
}

// Key names a row. Keys are ordered by Table, then S bytewise, then A, then B.
type Key struct {
	Table Table
	S     string
	A, B  uint64
}

// Compare orders keys; Append's encoding has the same order.
func (k Key) Compare(o Key) int {
	if c := cmp.Compare(k.Table, o.Table); c != 0 {
		return c
	}
	if c := strings.Compare(k.S, o.S); c != 0 {
		return c
	}
	if c := cmp.Compare(k.A, o.A); c != 0 {
		return c
	}
	return cmp.Compare(k.B, o.B)
}

// Append encodes the key so that bytewise order is key order: the table, S with
// 00 escaped as 00 FF and ended by 00 01, then A and B big-endian.
func (k Key) Append(dst []byte) []byte {
	dst = append(dst, byte(k.Table))
	for i := 0; i < len(k.S); i++ {
		dst = append(dst, k.S[i])
		if k.S[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	dst = append(dst, 0, 1)
	dst = binary.BigEndian.AppendUint64(dst, k.A)
	return binary.BigEndian.AppendUint64(dst, k.B)
}

// ErrKey reports bytes that are not an encoded key.
var ErrKey = errors.New("engine: not an encoded key")

// ParseKey is the inverse of Append.
func ParseKey(src []byte) (Key, error) {
	if len(src) < 19 {
		return Key{}, ErrKey
	}
	k := Key{Table: Table(src[0])}
	s, tail := src[1:len(src)-16], src[len(src)-16:]
	if !bytes.HasSuffix(s, []byte{0, 1}) {
		return Key{}, ErrKey
	}
	s = s[:len(s)-2]
	for i := 0; i < len(s); i++ {
		if s[i] != 0 {
			continue
		}
		if i+1 == len(s) || s[i+1] != 0xff {
			return Key{}, ErrKey
		}
		i++
	}
	k.S = string(bytes.ReplaceAll(s, []byte{0, 0xff}, []byte{0}))
	k.A = binary.BigEndian.Uint64(tail)
	k.B = binary.BigEndian.Uint64(tail[8:])
	return k, nil
}

// Table is one kind of row.
type Table uint8

// The tables and the keys of their rows. The numbers are on disk: append only.
const (
	TableMeta          Table = 1  // the zero key → Meta
	TableTenant        Table = 2  // S tenant → Tenant
	TableAlias         Table = 3  // S kind 00 value → Tenant, id only
	TableFlow          Table = 4  // S tenant 00 flow, A version → Flow
	TableFlowLatest    Table = 5  // S tenant 00 flow → FlowLatest
	TableConnector     Table = 6  // S name 00 digest → Connector
	TableActivation    Table = 7  // S tenant 00 connector → Activation
	TableJobRoute      Table = 8  // S tenant 00 job type → JobRoute
	TableInstance      Table = 9  // A payment → Instance
	TableJob           Table = 10 // A payment, B n → Job
	TableEffect        Table = 11 // A payment, S effect key → Effect
	TableTimer         Table = 12 // A due (ms), B payment, 1<<63|message or 1<<63|1 → Timer
	TableCorrelation   Table = 13 // S tenant 00 name 00 key → Correlation
	TableIncident      Table = 14 // A payment, B n → Incident
	TableReceipt       Table = 15 // A payment → Receipt
	TableStartID       Table = 16 // A payment → StartID; index TableStartIndex
	TableMessageID     Table = 17 // A position in the log → MessageID; index TableMessageIndex
	TableCounter       Table = 18 // S tenant 00 name → Counter
	TableTenantVersion Table = 19 // S tenant, A version → TenantVersion
	TableMessageName   Table = 20 // S tenant 00 message name → MessageName
	TableRoute         Table = 21 // S tenant 00 HTTP route → Route
	TableUserTask      Table = 22 // A payment, B n → UserTask
	TableSignal        Table = 23 // S tenant 00 name, A payment, B wait → SignalWait
	TableDelivery      Table = 24 // A position in the log → SignalDelivery
	TableMessageStart  Table = 25 // S tenant 00 flow 00 correlation key → MessageStart
	TablePins          Table = 26 // S tenant 00 connector 00 digest → Pins
	TableForwardQueue  Table = 27 // S tenant 00 connector 00 link → ForwardQueue
	TableForward       Table = 28 // S tenant 00 connector 00 link, A n → ForwardedFrame

	// TableStartIndex and those below it hold no rows of their own; Get of such a
	// key returns the row of the indexed table.
	TableStartIndex   Table = 40 // A hash high, B hash low
	TableMessageIndex Table = 41 // A hash high, B hash low
)

// Layout tells a store how a table is used, so that it may choose how to keep it.
type Layout struct {
	Name string
	New  func() Row
	// Ordered tables are read by Ascend while commands run; the others only by
	// Get, and by Ascend when a leader takes over or a test looks.
	Ordered bool
	// Cold rows outlive payments and are rarely read: a store need not keep them
	// in memory once they are in the checkpoint.
	Cold bool
	// Index, where set, gives the second key under which Get finds a row. The
	// store keeps these keys in memory for every row.
	Index func(Row) Key
}

// Layouts describes every table that holds rows.
var Layouts = map[Table]Layout{
	TableMeta:        {Name: "meta", New: func() Row { return new(enginev1.Meta) }},
	TableTenant:      {Name: "tenant", New: func() Row { return new(enginev1.Tenant) }},
	TableAlias:       {Name: "alias", New: func() Row { return new(enginev1.Tenant) }},
	TableFlow:        {Name: "flow", New: func() Row { return new(enginev1.Flow) }},
	TableFlowLatest:  {Name: "flow_latest", New: func() Row { return new(enginev1.FlowLatest) }},
	TableConnector:   {Name: "connector", New: func() Row { return new(enginev1.Connector) }},
	TableActivation:  {Name: "activation", New: func() Row { return new(enginev1.Activation) }},
	TableJobRoute:    {Name: "job_route", New: func() Row { return new(enginev1.JobRoute) }},
	TableInstance:    {Name: "instance", New: func() Row { return new(enginev1.Instance) }},
	TableJob:         {Name: "job", New: func() Row { return new(enginev1.Job) }},
	TableEffect:      {Name: "effect", New: func() Row { return new(enginev1.Effect) }},
	TableTimer:       {Name: "timer", New: func() Row { return new(enginev1.Timer) }, Ordered: true},
	TableCorrelation: {Name: "correlation", New: func() Row { return new(enginev1.Correlation) }},
	TableIncident:    {Name: "incident", New: func() Row { return new(enginev1.Incident) }},
	TableReceipt:     {Name: "receipt", New: func() Row { return new(enginev1.Receipt) }, Ordered: true, Cold: true},
	TableStartID: {
		Name: "start_id", New: func() Row { return new(enginev1.StartID) }, Ordered: true, Cold: true,
		Index: func(r Row) Key {
			id := r.(*enginev1.StartID)
			return Key{Table: TableStartIndex, A: id.HashHigh, B: id.HashLow}
		},
	},
	TableMessageID: {
		Name: "message_id", New: func() Row { return new(enginev1.MessageID) }, Ordered: true, Cold: true,
		Index: func(r Row) Key {
			id := r.(*enginev1.MessageID)
			return Key{Table: TableMessageIndex, A: id.HashHigh, B: id.HashLow}
		},
	},
	TableCounter:       {Name: "counter", New: func() Row { return new(enginev1.Counter) }},
	TableTenantVersion: {Name: "tenant_version", New: func() Row { return new(enginev1.TenantVersion) }},
	TableMessageName:   {Name: "message_name", New: func() Row { return new(enginev1.MessageName) }},
	TableRoute:         {Name: "route", New: func() Row { return new(enginev1.Route) }},
	TableUserTask:      {Name: "user_task", New: func() Row { return new(enginev1.UserTask) }},
	TableSignal:        {Name: "signal", New: func() Row { return new(enginev1.SignalWait) }, Ordered: true},
	TableDelivery:      {Name: "delivery", New: func() Row { return new(enginev1.SignalDelivery) }},
	TableMessageStart:  {Name: "message_start", New: func() Row { return new(enginev1.MessageStart) }},
	TablePins:          {Name: "pins", New: func() Row { return new(enginev1.Pins) }},
	TableForwardQueue:  {Name: "forward_queue", New: func() Row { return new(enginev1.ForwardQueue) }},
	TableForward:       {Name: "forward", New: func() Row { return new(enginev1.ForwardedFrame) }, Ordered: true},
}

// Indexed maps an index table to the table whose rows it finds.
var Indexed = map[Table]Table{
	TableStartIndex:   TableStartID,
	TableMessageIndex: TableMessageID,
}
