package connector

import "time"

// Outcome is how a job's attempt ends. Build it with Complete, Fail, BpmnError
// or Doubtful.
type Outcome struct {
	kind int
	// What the kinds have: code is also Doubt's key, text a reason or message.
	code, text string
	retryable  bool
	backoffMs  uint64
	variables  writer // encoded; of frames and a match key, all of them
	reply      Reply
}

// Kinds of outcomes, and the other field: their fields in Outcome.
const (
	outcomeComplete    = 1
	outcomeFail        = 2
	outcomeBpmnError   = 3
	outcomeDoubt       = 4
	outcomeReply       = 5
	outcomeFrames      = 6
	outcomeMatchKey    = 7
	outcomeSettlements = 8
)

// The fields that hold variables in Complete and in BpmnError.
const (
	completeVariables  = 1
	bpmnErrorVariables = 3
)

// Complete ends the job; the variables go to the flow.
func Complete(variables Vars) Outcome {
	return Outcome{kind: outcomeComplete, variables: variables.encoded(completeVariables)}
}

// Fail ends the attempt and opens an incident, unless Retry follows. The code is
// the connector's own, in capitals; the reason is for people.
func Fail(code, reason string) Outcome {
	return Outcome{kind: outcomeFail, code: code, text: reason}
}

// Retry makes a Fail retryable, not before the backoff has passed (zero: the
// flow's own). Other outcomes are left as they are.
func (o Outcome) Retry(backoff time.Duration) Outcome {
	if o.kind == outcomeFail {
		o.retryable, o.backoffMs = true, millis(backoff)
	}
	return o
}

// BpmnError ends the job with an error that the flow may catch by its code.
func BpmnError(code, message string) Outcome {
	return Outcome{kind: outcomeBpmnError, code: code, text: message}
}

// With adds variables to a BpmnError. Other outcomes are left as they are.
func (o Outcome) With(variables Vars) Outcome {
	if o.kind == outcomeBpmnError {
		o.variables = variables.encoded(bpmnErrorVariables)
	}
	return o
}

// Doubtful leaves the money effect of that key to a person: an incident opens
// and nothing is repeated.
func Doubtful(key, reason string) Outcome {
	return Outcome{kind: outcomeDoubt, code: key, text: reason}
}

func (o *Outcome) encode(w *writer) {
	if o.kind == 0 {
		*o = Fail("NO_OUTCOME", "the connector returned the zero Outcome")
	}
	at := w.begin(o.kind)
	switch o.kind {
	case outcomeComplete, outcomeFrames, outcomeMatchKey:
		*w = append(*w, o.variables...)
	case outcomeFail:
		w.bool(1, o.retryable)
		w.uint(2, o.backoffMs)
		w.text(3, o.text)
		w.text(4, o.code)
	case outcomeBpmnError:
		w.text(1, o.code)
		w.text(2, o.text)
		*w = append(*w, o.variables...)
	case outcomeDoubt:
		w.text(1, o.code)
		w.text(2, o.text)
	case outcomeReply:
		w.uint(1, uint64(uint32(o.reply.Status)))
		encodeHeaders(w, 2, o.reply.Headers)
		w.bytes(3, o.reply.Body)
	}
	w.end(at)
}

// Reply answers an HTTP request. A Status of zero means 200.
type Reply struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

func (r Reply) outcome() Outcome {
	if r.Status == 0 {
		r.Status = 200
	}
	return Outcome{kind: outcomeReply, reply: r}
}
