package store

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Record is one record of Kafka, decoded or not.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	TimeMS    int64  // the record's timestamp
	ID        string // the id header, as it came
	Key       []byte
	Value     []byte
	Audit     bool // belongs to the audit chain, not to a payment's timeline
	// Event is the decoded value. When it is nil the record goes to the dead
	// letters with Cause.
	Event *enginev1.Event
	Cause string
}

// Span is how far a batch moves one partition: from the position it was read at
// to the one behind its last record.
type Span struct {
	Topic     string
	Partition int32
	From      int64 // Beginning: nothing was stored yet
	To        int64
}

// Beginning is the position of a partition of which nothing was stored.
const Beginning = -1

// Batch is what one transaction takes.
type Batch struct {
	Records []Record
	Spans   []Span
}

// Applied says what a batch came to.
type Applied struct {
	Events      int // stored
	Duplicates  int // dropped: already there
	Late        int // filled a hole that had been counted as missing
	Missing     int // newly missing
	DeadLetters int
	Audit       int
	Payments    int    // touched
	Change      uint64 // the newest change number
}

// Decoder turns a stored dead letter back into a record; consume's is the one in
// use. It sets Event or Cause.
type Decoder func(*Record)
