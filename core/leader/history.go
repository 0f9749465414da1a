package leader

import (
	"fmt"

	"github.com/railhead-hub/railhead/core/connector"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// history is what an attempt's connector is shown: the entries in its job's row,
// then the answers that are still only in this leader's memory.
type history struct {
	// begunMS is when the attempt was first taken up. The guest's clock begins
	// there, so a later leader must begin there too: the first command carries it
	// as an entry of ordinal 0, which the guest is not shown. It has not done so yet
	// while fresh.
	begunMS int64
	fresh   bool
	entries []*sdkv1.Entry
	state   []byte // of the last checkpoint
	// since are answers of repeatable effects that no command has carried yet.
	since []*enginev1.HistoryEntry
	// last is the answer of an intended effect that no command has carried yet.
	last *enginev1.Answer
	// doubt is an intended effect that has no answer: it was begun by an earlier
	// leader, or by this one before it lost sight of its own proposal.
	doubt *enginev1.HistoryEntry
}

// load makes the history of a job's row; a job without one begins now.
func load(job *enginev1.Job, nowMS int64) (history, error) {
	h := history{begunMS: nowMS, fresh: len(job.History) == 0}
	for _, e := range job.History {
		if e.Ordinal == 0 {
			h.begunMS = e.TimeMs
			continue
		}
		if !e.Answered {
			if e.Request == nil {
				return h, fmt.Errorf("the job sleeps at ordinal %d and is not ready", e.Ordinal)
			}
			h.doubt = e
			continue
		}
		answer := connector.Done()
		switch {
		case e.Reply != nil:
			reply := new(enginev1.Event)
			if err := reply.UnmarshalVT(e.Reply); err != nil {
				return h, fmt.Errorf("the reply at ordinal %d: %w", e.Ordinal, err)
			}
			answer = connector.ReplyAnswer(reply)
		case e.Answer != nil:
			answer = new(sdkv1.Answer)
			if err := answer.UnmarshalVT(e.Answer); err != nil {
				return h, fmt.Errorf("the answer at ordinal %d: %w", e.Ordinal, err)
			}
		case e.State != nil:
			h.state = e.State
		}
		h.entries = append(h.entries, &sdkv1.Entry{Ordinal: e.Ordinal, Digest: e.Digest, TimeMs: e.TimeMs, Answer: answer})
	}
	return h, nil
}

// add shows the connector one more answer.
func (h *history) add(ordinal uint32, digest uint64, timeMS int64, answer *sdkv1.Answer) {
	h.entries = append(h.entries, &sdkv1.Entry{Ordinal: ordinal, Digest: digest, TimeMs: timeMS, Answer: answer})
}

// addSince is add for an answer that the next command has to carry into the log, as
// the entry that it returns.
func (h *history) addSince(ordinal uint32, digest uint64, timeMS int64, answer *sdkv1.Answer) *enginev1.HistoryEntry {
	h.add(ordinal, digest, timeMS, answer)
	e := &enginev1.HistoryEntry{
		Ordinal: ordinal, Digest: digest, TimeMs: timeMS, Answered: true, Answer: encode(answer),
	}
	h.since = append(h.since, e)
	return e
}

// carry is what the next command has to carry.
func (h *history) carry() []*enginev1.HistoryEntry {
	if !h.fresh {
		return h.since
	}
	return append([]*enginev1.HistoryEntry{{TimeMs: h.begunMS, Answered: true}}, h.since...)
}

// tailMax bounds, in bytes, what an outcome carries for the timeline alone.
const tailMax = 32 << 10

// tail is what an outcome carries. Nobody continues this history, so it is for those
// who read the payment's events later, and left out where it is large.
func (h *history) tail() []*enginev1.HistoryEntry {
	if len(h.since) == 0 {
		return nil
	}
	size := 0
	for _, e := range h.since {
		size += e.SizeVT()
	}
	if size > tailMax {
		return nil
	}
	return h.carry()
}

// committed notes that a command has carried everything so far.
func (h *history) committed() {
	h.fresh, h.since, h.last = false, nil, nil
}

func (h *history) restart(ordinal uint32, digest uint64, timeMS int64, state []byte) {
	h.entries = nil
	h.state = state
	h.add(ordinal, digest, timeMS, connector.Done())
}

type strictMessage interface {
	MarshalVTStrict() ([]byte, error)
}

// encode is the canonical encoding; the generated encoders fail for no value of
// these types.
func encode(m strictMessage) []byte {
	b, err := m.MarshalVTStrict()
	if err != nil {
		panic("leader: a message does not encode: " + err.Error())
	}
	return b
}
