package bpmn

import (
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Process is one executable process. It is immutable.
type Process struct {
	ID       string
	Name     string
	Elements []Element      // in document order
	Flows    []SequenceFlow // in document order

	// The start events of the process itself, not of the sub-processes in it.
	Start        []int // none start events: at most one
	MessageStart []int // message start events
	TimerStart   []int // timer start events
	SignalStart  []int // signal start events

	EventSubs []int // event sub-processes of the process itself

	// Published are the names of the messages that its message throw and end events
	// are about, for the linter.
	Published []string

	elements map[string]int
	flows    map[string]int
}

// Element is the element of an id.
func (p *Process) Element(id string) (*Element, bool) {
	i, ok := p.elements[id]
	if !ok {
		return nil, false
	}
	return &p.Elements[i], true
}

// Flow is the sequence flow of an id.
func (p *Process) Flow(id string) (*SequenceFlow, bool) {
	i, ok := p.flows[id]
	if !ok {
		return nil, false
	}
	return &p.Flows[i], true
}

// Kind says how an element is executed. What waits and for what is in the element's
// Message and Timer.
type Kind uint8

// The kinds an engine executes.
const (
	KindStart       Kind = iota + 1 // start event: none, or with what it waits for
	KindJob                         // service, send, business rule or script task with a job, or a message throw event
	KindReceive                     // receive task: waits for Message
	KindPass                        // undefined or manual task: done at once
	KindExclusive                   // exclusive gateway
	KindParallel                    // parallel gateway
	KindEventBased                  // event-based gateway: its successors are KindCatch
	KindCatch                       // intermediate catch event: waits for Message, Timer or Signal
	KindThrow                       // intermediate throw event: none, Escalation, Signal or Compensate
	KindLinkThrow                   // goes on at the link catch event LinkTo
	KindLinkCatch                   // where link throw events go on
	KindBoundary                    // boundary event on AttachedTo
	KindCall                        // call activity: a flow of CalledElement
	KindEnd                         // end event: none, Terminate, or what it throws; a message end event has a JobType
	KindInclusive                   // inclusive gateway
	KindScript                      // script task with a FEEL Script
	KindUser                        // user task: UserTask
	KindSub                         // embedded sub-process: begins at SubStart
	KindEventSub                    // event sub-process: begins at SubStart, which waits for an event
	kindUnsupported                 // exists only until Parse refuses it
)

var kindNames = [...]string{
	"", "start event", "job", "receive task", "task", "exclusive gateway", "parallel gateway",
	"event-based gateway", "catch event", "throw event", "link throw event", "link catch event",
	"boundary event", "call activity", "end event", "inclusive gateway", "script task", "user task",
	"sub-process", "event sub-process", "unsupported element",
}

// String is the kind in words.
func (k Kind) String() string { return kindNames[k] }

// Element is one flow node. Fields that a kind does not use are zero.
type Element struct {
	Index int // in Process.Elements
	ID    string
	Name  string
	Kind  Kind

	// Parent is the sub-process (KindSub or KindEventSub) this element lies in, or -1.
	// Elements of all levels stand in one list; no sequence flow crosses a border.
	Parent int

	Incoming []int // indexes of Process.Flows, in document order
	Outgoing []int // likewise; none: the token ends here
	Default  int   // KindExclusive, KindInclusive: the flow taken if no condition holds, or -1

	// Upstream tells for every way in, as Incoming has them, and by element index, from
	// where the gateway can be reached that way without passing it (KindInclusive with
	// several ways in; nil elsewhere). A way leads over sequence flows, links, and from
	// an activity to its boundary events.
	Upstream [][]bool

	// JobType is the type of the job and Retries the retries it begins with (KindJob,
	// and KindEnd with a message). Retries is not set where the model says nothing.
	JobType Text
	Retries Text
	Headers []Header

	Inputs  []Mapping
	Outputs []Mapping

	// What an event waits for or throws; at most one is set.
	Message    *Message    // waits
	Timer      *Timer      // waits
	Signal     *Signal     // waits or throws
	Error      *Code       // waits (boundary, start of an event sub-process) or throws (end)
	Escalation *Code       // waits (likewise) or throws (intermediate, end)
	Compensate *Compensate // waits (boundary) or throws (intermediate, end)

	Boundary   []int // boundary events attached to this element, in document order
	AttachedTo int   // KindBoundary: the element it is attached to, else -1
	// Interrupting: KindBoundary, and the start event of a KindEventSub.
	Interrupting bool

	SubStart  int   // KindSub, KindEventSub: the start event inside, else -1
	EventSubs []int // KindSub, KindEventSub: the event sub-processes directly inside

	Loop   *Loop   // any activity: runs once for every item
	Script *Script // KindScript
	User   *User   // KindUser

	// ForCompensation: a compensation handler, which no token enters by a flow.
	ForCompensation bool
	// CompensatedBy is the handler that undoes this activity, or -1.
	CompensatedBy int

	CalledElement Text // KindCall: the id of the process
	// PropagateParent and PropagateChild say whether all variables go into and come
	// out of the called payment, besides what the mappings say (KindCall).
	PropagateParent bool
	PropagateChild  bool

	LinkName string // KindLinkThrow, KindLinkCatch
	LinkTo   int    // KindLinkThrow: the catch event of that name, else -1

	Terminate bool // KindEnd: ends all other tokens too
	// Result and Code are the business result this end stands for (KindEnd), from
	// the properties railhead:result and railhead:code. An end event without the
	// mark is RESULT_UNSPECIFIED.
	Result enginev1.Result
	Code   string
}

// SequenceFlow leads from one element to another.
type SequenceFlow struct {
	Index     int // in Process.Flows
	ID        string
	Name      string
	Source    int        // index of Process.Elements
	Target    int        // index of Process.Elements
	Condition *feel.Expr // nil: none
}

// Text is static text or an expression that gives it.
type Text struct {
	Static string
	Expr   *feel.Expr // nil: static
}

// IsSet tells whether the model says anything.
func (t Text) IsSet() bool { return t.Expr != nil || t.Static != "" }

// String is the text as the model has it.
func (t Text) String() string {
	if t.Expr != nil {
		return "=" + t.Expr.String()
	}
	return t.Static
}

// Value is the static text, or what the expression gives.
func (t Text) Value(scope feel.Scope) feel.Value {
	if t.Expr != nil {
		return t.Expr.Eval(scope)
	}
	return feel.String(t.Static)
}

// Eval is the text; ok is false if the expression gives no string, or an empty one.
func (t Text) Eval(scope feel.Scope) (s string, ok bool) {
	s, ok = t.Value(scope).Text()
	return s, ok && s != ""
}

// Message is what a start event, receive task, catch or boundary event waits for.
type Message struct {
	Name Text
	// CorrelationKey is nil only at a message start event without a key. Its value
	// is a string, or a number, which counts as its digits.
	CorrelationKey *feel.Expr
	// ByHand: a person publishes it (property railhead:published-by = operator), for
	// the linter.
	ByHand bool
}

// Key is the correlation key as text; ok is false if the expression gives neither a
// string nor a number, or nothing at all.
func (m *Message) Key(scope feel.Scope) (key string, ok bool) {
	if m.CorrelationKey == nil {
		return "", false
	}
	v := m.CorrelationKey.Eval(scope)
	if v.Kind() != feel.KindString && v.Kind() != feel.KindNumber {
		return "", false
	}
	key = v.String()
	return key, key != ""
}

// Signal is what a signal event waits for or broadcasts. The name of a signal that
// starts a process is plain text.
type Signal struct{ Name Text }

// Code is the code of an error or an escalation. An event that waits and has no
// code (IsSet is false) takes any; the code of one that waits is plain text.
type Code struct{ Text }

// Compensate is what a compensation event throws: Activity is the element it undoes,
// or -1 for everything completed in its scope.
type Compensate struct{ Activity int }

// Loop is a multi-instance marker.
type Loop struct {
	Sequential          bool
	InputCollection     *feel.Expr // gives a list
	InputElement        string     // the variable that holds the item; empty: none
	OutputCollection    string     // the variable that collects; empty: none
	OutputElement       *feel.Expr // what each instance adds to it
	CompletionCondition *feel.Expr // nil: none; true ends the loop early
}

// Script is a FEEL expression and the variable its value goes to; it is local to the
// task unless output mappings take it further, as with Zeebe: without mappings it
// goes up like a job's result.
type Script struct {
	Expression     *feel.Expr
	ResultVariable string
}

// User says who may do a user task and by when. Lists are FEEL lists of strings, or
// static text with commas; dates are RFC 3339 or FEEL.
type User struct {
	Assignee        Text
	CandidateGroups Text
	CandidateUsers  Text
	FormKey         Text
	DueDate         Text
	FollowUpDate    Text
	Priority        Text // 0 to 100; not set: 50
}

// Header is a static name and value handed to the job.
type Header struct{ Key, Value string }

// Mapping sets the variable at a path from a source.
type Mapping struct {
	Source Text
	Target []string // a variable and the path into it; at least one
}

// Severity says whether a problem refuses the file.
type Severity uint8

// The severities.
const (
	Error   Severity = iota + 1 // refuses the file
	Warning                     // does not
	Note                        // only the linter: worth a look
)

// String is the severity in a word.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "note"
}

// Problem is one thing wrong with a file. Code is stable, for programs; Text is for
// people and says what to do where that is not plain.
type Problem struct {
	Severity Severity
	Element  string // id of the element, flow or process; empty: the file as a whole
	Code     string
	Text     string
}

func (p Problem) String() string {
	if p.Element == "" {
		return p.Severity.String() + " " + p.Code + ": " + p.Text
	}
	return p.Severity.String() + " " + p.Code + " at " + p.Element + ": " + p.Text
}

// Refused tells whether any of the problems is an error.
func Refused(problems []Problem) bool {
	for i := range problems {
		if problems[i].Severity == Error {
			return true
		}
	}
	return false
}

// JobTypes are the static job types of the process, each once, in document order.
// Types given by an expression appear as "=" and the expression.
func (p *Process) JobTypes() []string {
	var types []string
	seen := map[string]bool{}
	for i := range p.Elements {
		if e := &p.Elements[i]; e.JobType.IsSet() && !seen[e.JobType.String()] {
			seen[e.JobType.String()] = true
			types = append(types, e.JobType.String())
		}
	}
	return types
}
