package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// The codes of refusals (Event.code of a REJECTED reply). Callers switch on them;
// the event's text is for people.
const (
	CodeBadCommand       = "bad-command"       // the command lacks something or contradicts itself
	CodeBootstrapped     = "bootstrapped"      // the cluster already has its first command
	CodeNotBootstrapped  = "not-bootstrapped"  // nothing may happen before the first command
	CodeStale            = "stale"             // another attempt, epoch or state has overtaken this result
	CodeTenantUnknown    = "tenant-unknown"    //
	CodeAliasTaken       = "alias-taken"       // another tenant has this alias
	CodeFlowUnknown      = "flow-unknown"      //
	CodeFlowRefused      = "flow-refused"      // the file has faults, named in the text
	CodeJobTypeUnserved  = "job-type-unserved" // strict deployment: no active connector serves a job type
	CodeConnectorUnknown = "connector-unknown" // no such connector or digest is installed
	CodeJobTypeTaken     = "job-type-taken"    // another connector of the tenant serves the job type
	CodeRouteTaken       = "route-taken"       // another connector of the tenant serves the HTTP route
	CodeConnectorRevoked = "connector-revoked" // the digest has been revoked for good
	CodeCanaryRefused    = "canary-refused"    // the digest cannot be a canary for the tenant
	CodeRollbackRefused  = "rollback-refused"  // there is nothing to go back to, or a canary runs
	CodeConflict         = "conflict"          // the client key was used with another request
	CodePaymentUnknown   = "payment-unknown"   // never started, or past retention
	CodePaymentEnded     = "payment-ended"     //
	CodeIncidentUnknown  = "incident-unknown"  //
	CodeTokenUnknown     = "token-unknown"     // a repair names a token that is not there
	CodeElementUnknown   = "element-unknown"   // a repair names an element the flow does not have
	CodeJobUnknown       = "job-unknown"       //
	CodeTaskUnknown      = "task-unknown"      // no such open user task
	CodeTaskTaken        = "task-taken"        // somebody else has the user task
	CodeActorMissing     = "actor-missing"     // an act on a payment says who, a repair also why
	CodeJobBusy          = "job-busy"          // an attempt is under way and cannot be retried
	CodeInDoubt          = "in-doubt"          // the repair would leave a money effect in doubt behind
	CodeMoveRefused      = "move-refused"      // the token cannot leave, or cannot enter there
	CodeMigrationRefused = "migration-refused" // the faults of the mapping, named in the text
	CodeTermsDiffer      = "terms-differ"      // the effect key was used with other terms
	CodeEffectsHeld      = "effects-held"      // after a raise: an operator must release outside effects
	CodeMoneyMoved       = "money-moved"       // cancelling would leave a money effect behind
	CodeCancelling       = "cancelling"        // the payment is being cancelled already
	CodeQuarantined      = "quarantined"       // the payment waits for an operator
	CodeBufferFull       = "buffer-full"       // the tenant's message buffer is at its limit
	CodeQueueFull        = "queue-full"        // a link's queue of forwarded frames is at its limit
	CodeForwardUnknown   = "forward-unknown"   // the link's queue has no such frame
	CodeForwardWaiting   = "forward-waiting"   // the frame is not parked
	CodeTooLarge         = "too-large"         // a limit below
	CodeInternal         = "internal"          // a fault of the engine; the command was undone
)

// CodeAttemptRevoked is the code by which a leader fails an attempt whose digest has
// been revoked: the job goes on with another, and that costs no retry.
const CodeAttemptRevoked = "CONNECTOR_REVOKED"

// The codes of incidents (Event.code of INCIDENT_OPENED).
const (
	IncidentNoConnector   = "no-connector"      // no active connector serves the job type
	IncidentRevoked       = "connector-revoked" // the connector's version is revoked, and no other serves
	IncidentJobFailed     = "job-failed"        // no attempts are left, or the failure was final
	IncidentInDoubt       = "in-doubt"          // an outside effect of unknown outcome
	IncidentUncaughtError = "uncaught-error"    // a BPMN error nobody catches
	IncidentNoFlow        = "no-flow-matched"   // an exclusive gateway without a way out
	IncidentExpression    = "expression"        // a job type, key, timer or name did not evaluate
	IncidentCalledFlow    = "called-flow"       // a call activity names an unknown flow
	IncidentQuarantined   = "quarantined"       // the engine could not apply a command to the payment
	IncidentLoop          = "loop-without-wait"
	IncidentTooLarge      = "too-large"
)

// The codes of why a forwarded frame was parked (Event.code of FORWARD_PARKED).
const (
	ForwardExpired       = "expired"       // it was not acknowledged in time
	ForwardUndeliverable = "undeliverable" // the link cannot take it, or it was sent often enough
)

// The limits that keep a command and a payment bounded whatever a flow or a
// connector asks for.
const (
	limitSteps      = 10_000   // elements entered by one command
	limitWork       = 32 << 20 // work of expressions and bytes of variables they read and give, by one command
	limitTokens     = 1_000    // tokens of one payment
	limitDepth      = 32       // flows calling flows
	limitVariables  = 4 << 20  // bytes of variables of one payment
	limitHistory    = 64       // entries between checkpoints
	limitState      = 64 << 10 // bytes of a checkpoint's state
	limitWaiting    = 1_000    // subscriptions and messages under one correlation
	limitNames      = 2_000    // bytes of a message's name, key and id, or of a channel and client key
	limitDigest     = 64       // bytes of a request's digest
	limitTaskName   = 255      // bytes of a user's or a group's name
	limitCandidates = 100      // groups or users of a user task
	limitKey        = 4_000    // bytes of names in a row's key; a store takes no more
	limitEffectKey  = 200      // bytes of a money effect's key
	limitEffects    = 1_000    // money effects of one payment
	limitRounds     = 10_000   // items of a multi-instance activity
	limitDone       = 1_000    // completed activities of one payment that could be undone
	limitDelivered  = 200      // waits that take a signal in one command
	limitBroadcasts = 1_000    // broadcasts of one tenant on their way
	limitMissed     = 100      // signals kept for a wait of a payment in quarantine
	limitFrame      = 1 << 20  // bytes of a forwarded frame and of its acknowledgement
	limitForwards   = 10_000   // frames in a link's queue, parked ones included

	limitForwardBytes = 64 << 20 // of all frames in a link's queue

	// A compensation handler that has used up its retries goes on at this pace.
	compensationBackoffMS = 60_000

	limitSleepMS = 366 * 24 * 3600 * 1000
	forwardForMS = 3 * 24 * 3600 * 1000 // unless the connector says until when
)

// Audit reports whether events of the kind belong on the audit topic
// (railhead.audit.v1); the others belong on the payments' topic
// (railhead.events.v1).
func Audit(kind enginev1.EventKind) bool {
	switch kind {
	case enginev1.EventKind_EVENT_KIND_TENANT_PUT,
		enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED,
		enginev1.EventKind_EVENT_KIND_CONNECTOR_INSTALLED,
		enginev1.EventKind_EVENT_KIND_CONNECTOR_ACTIVATED,
		enginev1.EventKind_EVENT_KIND_CONNECTOR_ROLLED_BACK,
		enginev1.EventKind_EVENT_KIND_CONNECTOR_REVOKED,
		enginev1.EventKind_EVENT_KIND_LEADER_STARTED,
		enginev1.EventKind_EVENT_KIND_BOOTSTRAPPED,
		enginev1.EventKind_EVENT_KIND_VERSION_SET,
		enginev1.EventKind_EVENT_KIND_INCARNATION_RAISED,
		enginev1.EventKind_EVENT_KIND_EFFECTS_RELEASED,
		enginev1.EventKind_EVENT_KIND_ACTED:
		return true
	}
	return false
}
