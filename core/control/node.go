package control

import (
	"context"
	"errors"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// node serves NodeService. It is a type of its own because both services have
// methods of one name.
type node struct {
	*Service
}

// Propose takes commands from a follower. Only those that a follower has reason
// to forward pass: nobody leads, exports or answers for a job from afar.
func (n *node) Propose(ctx context.Context, r *corev1.ProposeRequest) (*corev1.ProposeResponse, error) {
	commands := make([]*enginev1.Command, len(r.Commands))
	for i, encoded := range r.Commands {
		cmd := new(enginev1.Command)
		if err := cmd.UnmarshalVT(encoded); err != nil {
			return nil, refuse(connect.CodeInvalidArgument, "BAD_COMMAND", "Command %d does not decode: %v", i, err)
		}
		if !forwardable(cmd) {
			return nil, refuse(connect.CodeInvalidArgument, "BAD_COMMAND", "Command %d is not one that is forwarded.", i)
		}
		commands[i] = cmd
	}
	answer := &corev1.ProposeResponse{Results: make([]*corev1.Proposed, len(commands))}
	done := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(len(commands)))
	for i, cmd := range commands {
		take := func(reply *enginev1.Event, err error) {
			answer.Results[i] = proposed(reply, err)
			if left.Add(-1) == 0 {
				close(done)
			}
		}
		if err := n.Replica.Enqueue(cmd, take); err != nil {
			take(nil, err)
		}
	}
	select {
	case <-done:
		return answer, nil
	case <-ctx.Done():
		return nil, refuse(connect.CodeDeadlineExceeded, reasonUnknown, "The commands are still on their way.")
	}
}

func proposed(reply *enginev1.Event, err error) *corev1.Proposed {
	if err != nil {
		return &corev1.Proposed{Reason: reason(err)}
	}
	encoded, err := reply.MarshalVTStrict()
	if err != nil {
		return &corev1.Proposed{Reason: reasonUnknown}
	}
	return &corev1.Proposed{Reply: encoded}
}

func forwardable(cmd *enginev1.Command) bool {
	switch v := cmd.Verb.(type) {
	case *enginev1.Command_StartPayment:
		return v.StartPayment.Origin == nil
	case *enginev1.Command_Publish:
		return v.Publish.Origin == nil
	case *enginev1.Command_Sequence:
		return v.Sequence.Origin == nil
	case *enginev1.Command_Emit:
		return v.Emit.Origin == nil
	case *enginev1.Command_PutTenant, *enginev1.Command_Deploy, *enginev1.Command_InstallConnector,
		*enginev1.Command_ActivateConnector, *enginev1.Command_RollbackConnector, *enginev1.Command_RevokeConnector,
		*enginev1.Command_ReleaseForward, *enginev1.Command_ResolveIncident, *enginev1.Command_CancelPayment,
		*enginev1.Command_ReleaseEffects,
		*enginev1.Command_Broadcast, *enginev1.Command_SetVariables, *enginev1.Command_RetryJob,
		*enginev1.Command_MoveToken, *enginev1.Command_MigratePayment,
		*enginev1.Command_ClaimUserTask, *enginev1.Command_UpdateUserTask, *enginev1.Command_CompleteUserTask:
		return true
	case *enginev1.Command_SetVersion:
		// What this program does not know must not get into the log.
		return v.SetVersion.Version <= engine.Version
	}
	return false
}

// ReadIndex says how far this node is, if it still leads.
func (n *node) ReadIndex(ctx context.Context, _ *corev1.ReadIndexRequest) (*corev1.ReadIndexResponse, error) {
	index, err := n.Replica.ReadIndex(ctx)
	if err != nil {
		return nil, n.fromPropose(nil, err)
	}
	return &corev1.ReadIndexResponse{Index: index}, nil
}

// blobPart is the size of one message of a module, in bytes.
const blobPart = 512 << 10

// FetchBlob sends a module that this node holds.
func (n *node) FetchBlob(_ context.Context, r *corev1.FetchBlobRequest, stream *connect.ServerStream[corev1.FetchBlobResponse]) error {
	digest, _ := connector.ToDigest(r.Digest)
	module, err := n.Connectors.Blob(digest)
	if errors.Is(err, connector.ErrNoBlob) {
		return refuse(connect.CodeNotFound, "NO_BLOB", "This node does not hold module %s.", digest)
	}
	if err != nil {
		return connect.NewError(connect.CodeInternal, err)
	}
	for len(module) > 0 {
		part := module[:min(blobPart, len(module))]
		if err := stream.Send(&corev1.FetchBlobResponse{Part: part}); err != nil {
			return err
		}
		module = module[len(part):]
	}
	return nil
}

// PrepareModule makes a module ready on this node.
func (n *node) PrepareModule(ctx context.Context, r *corev1.PrepareModuleRequest) (*corev1.PrepareModuleResponse, error) {
	digest, _ := connector.ToDigest(r.Digest)
	if err := n.ready(ctx, digest, r.Tenant); err != nil {
		return nil, err
	}
	return &corev1.PrepareModuleResponse{}, nil
}

// Fetch asks the other nodes for a module, one after the other.
func (c *Commands) Fetch(ctx context.Context, digest connector.Digest) ([]byte, error) {
	err := connector.ErrNoBlob
	for _, peer := range c.Peers {
		module, failed := peer.fetch(ctx, digest)
		if failed == nil {
			return module, nil
		}
		err = errors.Join(err, failed)
	}
	return nil, err
}

func (p Peer) fetch(ctx context.Context, digest connector.Digest) ([]byte, error) {
	stream, err := p.Client.FetchBlob(ctx, &corev1.FetchBlobRequest{Digest: digest[:]})
	if err != nil {
		return nil, err
	}
	var module []byte
	for stream.Receive() {
		part := stream.Msg().Part
		if len(module)+len(part) > connector.ModuleMax {
			return nil, errors.Join(errors.New("node "+p.ID+" sends more than a module may be"), stream.Close())
		}
		module = append(module, part...)
	}
	return module, errors.Join(stream.Err(), stream.Close())
}
