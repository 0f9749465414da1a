// Package explore drives a flow through the engine to every end event it has, and
// says of each end it cannot reach why. It is for tests only.
//
// Explore deploys the flow in a cluster in memory, starts a payment, and then does
// whatever the outside world could do next: it completes a job or a user task, lets a
// job throw an error, publishes a message somebody waits for, lets time pass until
// the next timer is due. Each possibility is tried in a copy of the cluster, so that
// the search goes through every standing a payment can have, shortest way first.
// Nothing is scripted by hand: what a job answers is worked out from the conditions
// that read it (choice.go), with the values they compare with (value.go).
//
// What counts is what the engine does. Explore reads the model only to find answers
// worth trying and to name what was not reached (reason.go); whether an end is
// reached it takes from events. It drives the engine by commands alone and reads
// what a payment waits for from its rows, so that it needs to know little of how an
// element is executed.
//
// It is not a proof. A standing is told from another by where the tokens are, what
// they wait for and the variables that are read before the next answer (standing.go);
// an end that needs a value no condition hints at is not found, and is reported as
// not reached.
//
// Begin with Explore in explore.go.
package explore
