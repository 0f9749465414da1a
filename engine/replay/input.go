package replay

import (
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// input is something that came to the payment from outside.
type input struct {
	event *enginev1.Event // that tells of it
	// early: a message that was there before the payment asked for it.
	early bool
	job   nth // of a job's outcome: which job of its element
	// final: a failure after which a person had to look.
	final bool
	// with are the variables that an operator set with a resolution.
	with []*enginev1.Variable
	// revoked: the connector's version was revoked then and no other served, so that
	// what followed from the input stood still.
	revoked bool
}

// nth counts what an element makes, from 1, the same way in both lives: numbers of
// tokens and jobs may differ.
type nth struct {
	element string
	n       int
}

func count(seen map[string]int, element string) nth {
	seen[element]++
	return nth{element, seen[element]}
}

// inputsOf finds the inputs among a payment's events, in the order they came; an
// early message stands before the input that led to where it was taken. The start is
// an input of its own.
func inputsOf(events []*enginev1.Event, processes []*bpmn.Process) (start *input, inputs []*input) {
	type waiting struct {
		element string
		token   uint32
	}
	open := make(map[waiting]bool)
	jobs := make(map[uint32]nth)
	seen := make(map[string]int)
	before := 0                       // where early messages are put in
	backing := make(map[uint32]bool)  // jobs that put off their next attempt
	first := &input{event: events[0]} // the start
	last := first
	add := func(in *input) {
		before = len(inputs)
		inputs = append(inputs, in)
		last = in
	}
	for i, ev := range events {
		next := &enginev1.Event{}
		if i+1 < len(events) {
			next = events[i+1]
		}
		in := &input{event: ev, job: jobs[ev.Job]}
		switch ev.Kind {
		case enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED:
			if ev.Code != engine.IncidentRevoked {
				continue
			}
			if ev.Job != 0 && backing[ev.Job] {
				add(in) // the end of a back-off, which no event tells of
			}
			last.revoked = true
			delete(backing, ev.Job)
		case enginev1.EventKind_EVENT_KIND_JOB_CREATED:
			jobs[ev.Job] = count(seen, ev.Element)
		case enginev1.EventKind_EVENT_KIND_SUBSCRIBED:
			open[waiting{ev.Element, ev.Token}] = true
		case enginev1.EventKind_EVENT_KIND_MESSAGE_CORRELATED:
			w := waiting{ev.Element, ev.Token}
			if !open[w] {
				in.early = true
				inputs = append(inputs[:before:before], append([]*input{in}, inputs[before:]...)...)
				before++
				continue
			}
			if !goesOn(processes, ev.Element) {
				delete(open, w)
			}
			add(in)
		case enginev1.EventKind_EVENT_KIND_JOB_FAILED:
			in.final = next.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && next.Job == ev.Job && next.Code != engine.IncidentRevoked
			add(in)
			backing[ev.Job] = ev.DueMs != 0
		case enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT:
			// Others are told of effects that nobody has given up yet.
			if next.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && next.Code == engine.IncidentInDoubt && next.Job == ev.Job {
				add(in)
			}
		case enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED:
			if next.Kind == enginev1.EventKind_EVENT_KIND_JOB_RETRIED && next.Index == ev.Index && next.N == ev.N+1 {
				continue // the retry resolves it
			}
			if next.Kind == enginev1.EventKind_EVENT_KIND_VARIABLES_SET && next.Index == ev.Index && next.N == ev.N+1 {
				in.with = next.Variables
			}
			add(in)
		case enginev1.EventKind_EVENT_KIND_VARIABLES_SET:
			if i == 0 || events[i-1].Kind != enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED || events[i-1].Index != ev.Index {
				add(in)
			}
		case enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED:
			if ev.Result == enginev1.Result_RESULT_CANCELLED && !cancelled(events) {
				add(in)
			}
		case enginev1.EventKind_EVENT_KIND_JOB_COMPLETED, enginev1.EventKind_EVENT_KIND_JOB_ERROR,
			enginev1.EventKind_EVENT_KIND_TIMER_FIRED, enginev1.EventKind_EVENT_KIND_SIGNAL_CAUGHT,
			enginev1.EventKind_EVENT_KIND_USER_TASK_COMPLETED, enginev1.EventKind_EVENT_KIND_TOKEN_MOVED,
			enginev1.EventKind_EVENT_KIND_JOB_RETRIED,
			enginev1.EventKind_EVENT_KIND_PAYMENT_CANCELLING:
			add(in)
			delete(backing, ev.Job)
		}
	}
	return first, inputs
}

// goesOn tells whether an event goes on waiting when its message has come.
func goesOn(processes []*bpmn.Process, element string) bool {
	for _, p := range processes {
		if el, known := p.Element(element); known {
			return (el.Kind == bpmn.KindBoundary || el.Kind == bpmn.KindStart) && !el.Interrupting
		}
	}
	return false
}

// cancelled tells whether the payment's handlers ran before it was cancelled.
func cancelled(events []*enginev1.Event) bool {
	for _, ev := range events {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_CANCELLING {
			return true
		}
	}
	return false
}
