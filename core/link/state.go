package link

import (
	"cmp"
	"slices"
)

// The states of a link.
const (
	StateOpen       = "open"
	StateConnecting = "connecting"
	StateListening  = "listening" // for a counterparty that has not come
	StateClosed     = "closed"    // it cannot be opened
)

// State is how a link stands.
type State struct {
	Place
	Address             string
	Listens             bool
	State               string
	Reason              string // why it is not open
	SinceMS             int64
	FramesIn, FramesOut uint64
	Outstanding         int // round trips and forwarded frames that wait for answers
}

// States are those of all links that are configured, in order of their places. leading
// is false where this node does not lead and knows none.
func (l *Links) States() (states []State, leading bool) {
	if l == nil {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.open {
		states = append(states, k.status())
	}
	for at, fault := range l.faults {
		states = append(states, State{Place: at, State: StateClosed, Reason: fault.Error()})
	}
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Link, b.Link))
	})
	return states, l.leading
}

// set notes how the link stands now.
func (k *link) set(state, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state != state || k.reason != reason {
		k.state, k.reason, k.sinceMS = state, reason, k.Now()
	}
}

func (k *link) status() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return State{
		Place: k.place, Address: k.config.Peer.Address(), Listens: k.config.Peer.Listens,
		State: k.state, Reason: k.reason, SinceMS: k.sinceMS,
		FramesIn: k.framesIn.Load(), FramesOut: k.framesOut.Load(), Outstanding: len(k.waiting),
	}
}
