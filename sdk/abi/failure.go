package abi

// Codes of a Failure answer. A Failure says that the effect certainly did not
// happen, or that a query got no answer; an effect whose fate is unknown is
// answered InDoubt instead. Connectors may switch on these codes; new ones may
// be added, so a default case is needed.
const (
	// FailureConflict: the same client key was used with another request digest.
	FailureConflict = "CONFLICT"
	// FailureTerms: the money effect's key is known with other terms.
	FailureTerms = "TERMS"
	// FailureEndpoint: the manifest does not declare the endpoint, or the tenant
	// has not bound it to an address.
	FailureEndpoint = "ENDPOINT"
	// FailureForbidden: policy refused it, for example an address outside the
	// allowed range or a secret that is not bound to the endpoint.
	FailureForbidden = "FORBIDDEN"
	// FailureUnreachable: no connection; the request never left.
	FailureUnreachable = "UNREACHABLE"
	// FailureTimeout: a repeatable effect got no answer in time.
	FailureTimeout = "TIMEOUT"
	// FailureTooLarge: a request, answer or state is over its limit.
	FailureTooLarge = "TOO_LARGE"
	// FailureNotFound: the named flow, payment, link or key does not exist.
	FailureNotFound = "NOT_FOUND"
	// FailureBusy: a rate limit, an open circuit breaker or a full queue; later
	// may do.
	FailureBusy = "BUSY"
	// FailureUnavailable: the cluster cannot take commands now.
	FailureUnavailable = "UNAVAILABLE"
	// FailureUnsupported: this trigger may not use this effect, or the host does
	// not perform it.
	FailureUnsupported = "UNSUPPORTED"
	// FailureInvalid: the effect itself is malformed.
	FailureInvalid = "INVALID"
)
