package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Stamp is where and when a command is applied: the same on every replica.
type Stamp struct {
	Index  uint64 // Raft log index
	TimeMS int64  // never below the previous stamp's
	N      uint32 // events already made under this index, by earlier commands of the entry
}

// Result is what Apply made of one command.
type Result struct {
	// Reply says what became of the command; what it says may be in one of Events as
	// well. A refusal is a Reply of kind REJECTED with a code.
	Reply *enginev1.Event
	// Events go to the outbox, in order. Each is numbered: Stamp.N, Stamp.N+1, …
	// They are the engine's and change with its next Apply; see Keep.
	Events []*enginev1.Event
	// Hints tell the leader that there is work. Followers drop them.
	Hints []Hint
}

// Keep returns the result with events that outlive the next Apply.
func (r Result) Keep() Result {
	r.Events = cloneAll(r.Events)
	return r
}

// Hint tells the leader that there is work. Losing one is harmless: a new leader
// finds all pending work in the rows.
type Hint struct {
	Kind    HintKind
	Payment uint64
	N       uint32 // HintJob: the job
	DueMS   int64  // HintTimer: when the earliest timer this command set is due
	Subject string // HintForward: tenant 00 connector 00 link
}

type HintKind uint8

const (
	// HintJob: the job (Payment, N) is ready to be stepped.
	HintJob HintKind = iota + 1
	// HintTimer: a timer was set that is due at DueMS.
	HintTimer
	// HintEnded: the payment has ended and left a receipt.
	HintEnded
	// HintConfig: a tenant, a flow or a connector changed; caches are stale.
	HintConfig
	// HintForward: the queue of the link Subject has changed.
	HintForward
)
