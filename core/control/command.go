package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Peer is another node of the cluster as this one reaches it.
type Peer struct {
	ID      string
	Control string // address
	Client  corev1connect.NodeServiceClient
}

// Commands proposes commands wherever the leader is.
type Commands struct {
	Replica *replica.Replica
	Peers   map[string]Peer // by node id, without this node
	// Patience is how long a command waits for a leader to be found; 0: 3 s.
	Patience time.Duration
	// Timeout bounds one try, after which the command's fate is unknown; 0: 10 s.
	Timeout time.Duration

	mu       sync.Mutex
	couriers map[string]*courier // by node id
	round    *round
}

// View reads this node's rows.
func (c *Commands) View(read func(engine.Tx) error) error { return c.Replica.View(read) }

// CatchUp returns when this node's rows show everything that was acknowledged
// before the call. A node asks this before it says that there is no such thing:
// a follower is always a little behind, and after a start may be far behind; a
// leader may have a successor and not know it. The error is replica.ErrNotLeader
// when there is no leader to ask.
func (c *Commands) CatchUp(ctx context.Context) error {
	index, err := c.leaderIndex().index(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", replica.ErrNotLeader, err)
	}
	for c.Replica.Index() < index {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leaderIndex asks the leader, which may be this node, how far it is.
func (c *Commands) leaderIndex() *round {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.round == nil {
		c.round = &round{ask: func(ctx context.Context) (uint64, error) {
			if c.Replica.IsLeader() {
				return c.Replica.ReadIndex(ctx)
			}
			leader, _ := c.Replica.Leader()
			peer, ok := c.Peers[leader]
			if !ok {
				return 0, errors.New("no other node is known to lead")
			}
			answer, err := peer.Client.ReadIndex(ctx, &corev1.ReadIndexRequest{})
			return answer.GetIndex(), err
		}}
	}
	return c.round
}

// courier is the one to a peer.
func (c *Commands) courier(peer Peer) *courier {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.couriers[peer.ID]
	if to == nil {
		if c.couriers == nil {
			c.couriers = make(map[string]*courier)
		}
		to = &courier{peer: peer}
		c.couriers[peer.ID] = to
	}
	return to
}

// Await is replica.Await.
func (c *Commands) Await(payment uint64) (<-chan struct{}, func()) { return c.Replica.Await(payment) }

// Propose proposes the command here if this node leads, and else at the leader.
// While there is no leader it waits a little. A command that carries its own key
// is proposed again when its fate is unknown, since the engine answers the second
// as it did the first: once at least, since a leader that hangs is found out only
// after more than that little. The errors are replica's.
func (c *Commands) Propose(ctx context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	patience := c.Patience
	if patience == 0 {
		patience = 3 * time.Second
	}
	deadline := time.Now().Add(patience)
	repeated := false
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		reply, err := c.once(ctx, cmd)
		unknown := errors.Is(err, replica.ErrUnknown) && keyed(cmd)
		again := errors.Is(err, replica.ErrNotLeader) || unknown
		late := time.Now().After(deadline) && (repeated || !unknown)
		if !again || ctx.Err() != nil || late {
			if repeated && (errors.Is(err, replica.ErrNotLeader) || errors.Is(err, replica.ErrOverloaded)) {
				// This time nothing was proposed; the time before it may have been.
				err = fmt.Errorf("%w: then %s", replica.ErrUnknown, err.Error())
			}
			return reply, err
		}
		repeated = repeated || unknown
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (c *Commands) once(ctx context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	done := make(chan delivered, 1)
	err := c.Replica.Enqueue(cmd, func(reply *enginev1.Event, err error) { done <- delivered{reply, err} })
	if err == nil {
		var reply *enginev1.Event
		if reply, err = await(ctx, done, timeout); !errors.Is(err, replica.ErrNotLeader) {
			return reply, err
		}
	}
	leader, _ := c.Replica.Leader()
	peer, ok := c.Peers[leader]
	if !ok || !errors.Is(err, replica.ErrNotLeader) {
		return nil, err
	}
	encoded, err := cmd.MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("encode a command: %w", err)
	}
	return c.courier(peer).carry(ctx, encoded, timeout)
}

// keyed reports whether proposing the command twice does no more than once.
func keyed(cmd *enginev1.Command) bool {
	switch v := cmd.Verb.(type) {
	case *enginev1.Command_StartPayment:
		return v.StartPayment.ClientKey != ""
	case *enginev1.Command_Publish:
		return v.Publish.MessageId != ""
	case *enginev1.Command_ClaimUserTask:
		return v.ClaimUserTask.OnlyFree
	case *enginev1.Command_PutTenant, *enginev1.Command_Deploy,
		*enginev1.Command_InstallConnector, *enginev1.Command_ActivateConnector, *enginev1.Command_RevokeConnector:
		return true
	}
	return false
}

// The reasons of errors that are not the engine's refusals.
const (
	reasonNotLeader  = "NOT_LEADER"
	reasonOverloaded = "OVERLOADED"
	reasonTooLarge   = "TOO_LARGE"
	reasonUnknown    = "UNKNOWN_RESULT"
)

var reasons = map[string]error{
	reasonNotLeader:  replica.ErrNotLeader,
	reasonOverloaded: replica.ErrOverloaded,
	reasonTooLarge:   replica.ErrTooLarge,
	reasonUnknown:    replica.ErrUnknown,
}

// reason names a replica's error for a caller.
func reason(err error) string {
	for name, known := range reasons {
		if errors.Is(err, known) {
			return name
		}
	}
	return reasonUnknown
}
