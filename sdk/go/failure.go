package connector

import "github.com/railhead-hub/railhead/sdk/abi"

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
//
// It is also what Context.HTTP returns for a money effect that is done but whose
// answer nobody has, since it was found out by enquiry: then the reason says so.
type InDoubt struct { //nolint:errname // the contract's word
	IdempotencyKey string // the UUID that was on the wire; empty if it is not known
	Reason         string
}

func (d *InDoubt) Error() string { return "in doubt: " + d.Reason }
