package replay

import (
	"fmt"
	"slices"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Step is one event of both lives; where one has none, that one is nil.
type Step struct {
	Was, Is *enginev1.Event
}

// Mark is "=" with the recorded event where both lives have it, "-" where only the
// recorded life has, and "+" with the new event where only the new one has.
func (s Step) Mark() (string, *enginev1.Event) {
	switch {
	case s.Is == nil:
		return "-", s.Was
	case s.Was == nil:
		return "+", s.Is
	}
	return "=", s.Was
}

// beside tells whether an event is about something else than where the payment goes:
// what went on inside a job, what became of its forwarded frames, who has a user task,
// a message that nobody took.
func beside(kind enginev1.EventKind) bool {
	switch kind {
	case enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED, enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED,
		enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT, enginev1.EventKind_EVENT_KIND_EFFECT_SETTLED,
		enginev1.EventKind_EVENT_KIND_EMITTED, enginev1.EventKind_EVENT_KIND_SEQUENCE_TAKEN,
		enginev1.EventKind_EVENT_KIND_SLEPT, enginev1.EventKind_EVENT_KIND_CHECKPOINTED,
		enginev1.EventKind_EVENT_KIND_FORWARD_QUEUED, enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED,
		enginev1.EventKind_EVENT_KIND_FORWARD_PARKED, enginev1.EventKind_EVENT_KIND_FORWARD_RELEASED,
		enginev1.EventKind_EVENT_KIND_USER_TASK_CHANGED, enginev1.EventKind_EVENT_KIND_MESSAGE_EXPIRED:
		return true
	}
	return false
}

// line is what an event says, without numbers that only count and with what a flow
// decides.
func line(ev *enginev1.Event) string {
	var b strings.Builder
	key, due := ev.Key, ev.DueMs
	switch ev.Kind {
	case enginev1.EventKind_EVENT_KIND_USER_TASK_COMPLETED, enginev1.EventKind_EVENT_KIND_USER_TASK_CANCELLED:
		key, due = "", 0 // who had the task by then, and until when: claims are not run again
	}
	fmt.Fprintf(&b, "%v %s %s %s %s %s %v %d %d", ev.Kind, ev.Element, ev.Name, ev.Type, key, ev.Code, ev.Result, ev.Attempt, due)
	for _, v := range ev.Variables {
		fmt.Fprintf(&b, " %s=%s", v.Name, v.Json)
	}
	return b.String()
}

// mostCompared bounds the table of the comparison; what lies beyond it is compared
// event by event.
const mostCompared = 4000

// compare lays two lives side by side: the longest sequence of events they share, and
// between them what only one of them has.
func compare(was, is []*enginev1.Event) []Step {
	was, is = ofFlow(was), ofFlow(is)
	a, b := lines(was), lines(is)
	var steps []Step
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		steps = append(steps, Step{was[same], is[same]})
		same++
	}
	was, is, a, b = was[same:], is[same:], a[same:], b[same:]
	if len(a) > mostCompared || len(b) > mostCompared {
		for i := range was {
			steps = append(steps, Step{Was: was[i]})
		}
		for i := range is {
			steps = append(steps, Step{Is: is[i]})
		}
		return steps
	}
	// longest[i][j] is how many events a[i:] and b[j:] share in order.
	longest := make([][]int16, len(a)+1)
	for i := range longest {
		longest[i] = make([]int16, len(b)+1)
	}
	for i, left := range slices.Backward(a) {
		for j, right := range slices.Backward(b) {
			if left == right {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			steps = append(steps, Step{was[i], is[j]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			steps = append(steps, Step{Was: was[i]})
			i++
		default:
			steps = append(steps, Step{Is: is[j]})
			j++
		}
	}
	return steps
}

func ofFlow(events []*enginev1.Event) []*enginev1.Event {
	var out []*enginev1.Event
	for _, ev := range events {
		if !beside(ev.Kind) {
			out = append(out, ev)
		}
	}
	return out
}

func lines(events []*enginev1.Event) []string {
	out := make([]string, len(events))
	for i, ev := range events {
		out[i] = line(ev)
	}
	return out
}
