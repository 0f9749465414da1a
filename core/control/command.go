package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

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
}

// View reads this node's rows.
func (c *Commands) View(read func(engine.Tx) error) error { return c.Replica.View(read) }

// CatchUp returns when this node's rows show everything that was acknowledged
// before the call. A node asks this before it says that there is no such thing:
// a follower is always a little behind, and after a start may be far behind. The
// error is replica.ErrNotLeader when there is no leader to ask.
func (c *Commands) CatchUp(ctx context.Context) error {
	if c.Replica.IsLeader() {
		return nil
	}
	leader, _ := c.Replica.Leader()
	peer, ok := c.Peers[leader]
	if !ok {
		return replica.ErrNotLeader
	}
	answer, err := peer.Client.ReadIndex(ctx, &corev1.ReadIndexRequest{})
	if err != nil {
		return fmt.Errorf("%w: %w", replica.ErrNotLeader, err)
	}
	for {
		status, err := c.Replica.Status()
		if err != nil {
			return err
		}
		if status.Index >= answer.Index {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
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
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := c.Replica.Propose(ctx, cmd)
	if !errors.Is(err, replica.ErrNotLeader) {
		return reply, err
	}
	leader, _ := c.Replica.Leader()
	peer, ok := c.Peers[leader]
	if !ok {
		return nil, err
	}
	encoded, err := cmd.MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("encode a command: %w", err)
	}
	answer, err := peer.Client.Propose(ctx, &corev1.ProposeRequest{Commands: [][]byte{encoded}})
	if err != nil {
		if code := connect.CodeOf(err); code == connect.CodeInvalidArgument || code == connect.CodePermissionDenied {
			return nil, fmt.Errorf("the leader does not take the command: %w", err)
		}
		return nil, fmt.Errorf("%w: %w", replica.ErrUnknown, err)
	}
	if len(answer.Results) != 1 {
		return nil, fmt.Errorf("%w: the leader answered %d commands instead of one", replica.ErrUnknown, len(answer.Results))
	}
	result := answer.Results[0]
	if err, known := reasons[result.Reason]; known {
		return nil, err
	}
	if result.Reason != "" {
		return nil, fmt.Errorf("%w: %s", replica.ErrUnknown, result.Reason)
	}
	reply = new(enginev1.Event)
	if err := reply.UnmarshalVT(result.Reply); err != nil {
		return nil, fmt.Errorf("%w: the leader's reply: %w", replica.ErrUnknown, err)
	}
	return reply, nil
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
		*enginev1.Command_InstallConnector, *enginev1.Command_ActivateConnector:
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
