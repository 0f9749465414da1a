package connector

// answer is a decoded Answer: its kind, and what is in it.
type answer struct {
	kind    int
	message string // encoded
}

// Kinds of answers: their fields in Answer.
const (
	answerNone     = 0 // an Answer that holds nothing
	answerHTTP     = 1
	answerStart    = 2
	answerPublish  = 3
	answerQuery    = 4
	answerInDoubt  = 5
	answerFailure  = 6
	answerSequence = 7
	answerBytes    = 8
	answerBool     = 9
	answerDone     = 10
	answerText     = 11
)

// decodeAnswer finds the kind: the last field given counts. It panics with
// malformed.
func decodeAnswer(message string) (a answer) {
	f := fields{in: message}
	for f.next() {
		if f.number != a.kind {
			a = answer{kind: f.number}
		}
		a.message = f.message(a.message)
	}
	return a
}

// is returns nil if the answer is of that kind, and else the error that it stands
// for.
func (a answer) is(kind int) error {
	switch a.kind {
	case kind:
		return nil
	case answerFailure:
		code, text := pair(a.message)
		return &Failure{Code: code, Text: text}
	case answerInDoubt:
		key, reason := pair(a.message)
		return &InDoubt{IdempotencyKey: key, Reason: reason}
	}
	// A host's mistake; for the connector the effect got no answer.
	return &Failure{Code: Invalid, Text: "the host answered with something else"}
}
