package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// A job's history is gone when its attempt ends. What its connector was answered is
// kept on the timeline: money effects and other calls have events of their own, and
// the event that ends the attempt, or a checkpoint, has the rest. So the history of an
// attempt can be put together again from a payment's events, to be run as a test.

// versionTold is the version from which on they are there.
const versionTold = versionPins

// told are a history's answers for the timeline, with those that came with the very
// command: repeatable effects, effects that are commands, sleeps, and as ordinal 0 the
// attempt's beginning. Digests stay behind: who has the connector can work them out,
// and who has not could guess from them what the requests were.
func (p *payment) told(history, since []*enginev1.HistoryEntry) []*enginev1.HistoryEntry {
	if len(history)+len(since) == 0 || p.a.meta.Version < versionTold {
		return nil
	}
	var out []*enginev1.HistoryEntry
	add := func(e *enginev1.HistoryEntry) {
		if !e.Answered || e.Mode != enginev1.Mode_MODE_UNSPECIFIED {
			return
		}
		if n := len(out); n > 0 && out[n-1].Ordinal >= e.Ordinal {
			return
		}
		out = append(out, &enginev1.HistoryEntry{
			Ordinal: e.Ordinal, TimeMs: e.TimeMs, Answered: true,
			Answer: e.Answer, Reply: e.Reply, Request: e.Request, Withheld: e.Withheld,
		})
	}
	for _, e := range history {
		add(e)
	}
	for _, e := range since {
		add(e)
	}
	return out
}
