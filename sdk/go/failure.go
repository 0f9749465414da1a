package connector

import (
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Codes of a Failure; sdk/abi documents each.
const (
	Conflict    = abi.FailureConflict
	TermsDiffer = abi.FailureTerms
	Endpoint    = abi.FailureEndpoint
	Forbidden   = abi.FailureForbidden
	Unreachable = abi.FailureUnreachable
	Timeout     = abi.FailureTimeout
	TooLarge    = abi.FailureTooLarge
	NotFound    = abi.FailureNotFound
	Busy        = abi.FailureBusy
	Unavailable = abi.FailureUnavailable
	Unsupported = abi.FailureUnsupported
	Invalid     = abi.FailureInvalid
)

// Failure says that the effect certainly did not happen, or that a query got no
// answer.
type Failure struct { //nolint:errname // the contract's word
	Code string // one of the codes above
	Text string
}

func (f *Failure) Error() string { return f.Code + ": " + f.Text }

// InDoubt says that the effect may or may not have happened, and that its
// endpoint must not simply be asked again. It is not a failure: enquire under
// IdempotencyKey, or return Doubtful.
type InDoubt struct { //nolint:errname // the contract's word
	IdempotencyKey string // the UUID that was on the wire
	Reason         string
}

func (d *InDoubt) Error() string { return "in doubt: " + d.Reason }

// answerError is the error that the answer stands for, if it does.
func answerError(answer *sdkv1.Answer) error {
	if f := answer.GetFailure(); f != nil {
		return &Failure{Code: f.Code, Text: f.Text}
	}
	if d := answer.GetInDoubt(); d != nil {
		return &InDoubt{IdempotencyKey: d.IdempotencyKey, Reason: d.Reason}
	}
	return nil
}

// wrongAnswer is a host's mistake; for the connector the effect got no answer.
func wrongAnswer() error {
	return &Failure{Code: Invalid, Text: "the host answered with something else"}
}
