package lint

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Known is what is known of the place where a flow will run. What is nil is not
// known, and rules that need it are silent.
type Known struct {
	// Jobs are the job types that connectors serve.
	Jobs map[string]Job
	// Messages are the names of the messages that connectors, other flows and people
	// publish.
	Messages map[string]Message
	// Ends are the results that a sidecar gives to end events, by element id. An
	// end it does not name counts as marked in the flow itself.
	Ends map[string]enginev1.Result
	// Starts are the variables a payment may begin with. Nil: not known.
	Starts map[string]bool
}

// Job is what a connector's manifest says of a job type.
type Job struct {
	Money   bool     // it moves money
	Undoes  []string // the money jobs it takes back
	Settles []string // the money jobs after which it leaves nothing to take back
	// Sets are the variables it may set. Nil: not known.
	Sets []string
}

// Message is what is known of a message.
type Message struct {
	// ByHand: a person publishes it, so that waiting long for it is meant.
	ByHand bool
	// Sets are the variables it carries. Nil: not known.
	Sets []string
}
