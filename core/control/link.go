package control

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/link"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// ListLinks lists the links that are configured: how they stand, which the leader
// knows, and their queues, which every node has.
func (s *Service) ListLinks(ctx context.Context, r *corev1.ListLinksRequest) (*corev1.ListLinksResponse, error) {
	states, err := s.linkStates(ctx)
	if err != nil {
		return nil, err
	}
	answer := &corev1.ListLinksResponse{}
	err = s.Replica.View(func(tx engine.Tx) error {
		for _, l := range states.GetLinks() {
			if r.Tenant != "" && l.GetTenant() != r.Tenant {
				continue
			}
			if row, found := tx.Get(engine.ForwardQueueKey(l.GetTenant(), l.GetConnector(), l.GetLink())); found {
				q := row.(*enginev1.ForwardQueue)
				l.Waiting, l.Parked = q.Waiting, q.Parked
			}
			answer.Links = append(answer.Links, l)
		}
		return nil
	})
	return answer, err
}

// linkStates asks whoever leads.
func (s *Service) linkStates(ctx context.Context) (*corev1.LinkStatesResponse, error) {
	if states, leading := s.Links.States(); leading {
		return linkStates(states, leading), nil
	}
	leader, _ := s.Replica.Leader()
	if peer, known := s.Commands.Peers[leader]; known {
		answer, err := peer.Client.LinkStates(ctx, &corev1.LinkStatesRequest{})
		if err == nil && answer.GetLeading() {
			return answer, nil
		}
	}
	return nil, refuse(connect.CodeUnavailable, reasonNotLeader, "The cluster has no leader now, and only a leader has links; try again shortly.")
}

// LinkStates is how links stand on this node.
func (n *node) LinkStates(context.Context, *corev1.LinkStatesRequest) (*corev1.LinkStatesResponse, error) {
	return linkStates(n.Links.States()), nil
}

func linkStates(states []link.State, leading bool) *corev1.LinkStatesResponse {
	answer := &corev1.LinkStatesResponse{Leading: leading}
	for _, s := range states {
		answer.Links = append(answer.Links, &corev1.LinkInfo{
			Tenant: s.Tenant, Connector: s.Connector, Link: s.Link, Address: s.Address, Listens: s.Listens,
			State: s.State, Reason: s.Reason, SinceMs: s.SinceMS, FramesIn: s.FramesIn, FramesOut: s.FramesOut,
			Outstanding: uint32(s.Outstanding),
		})
	}
	return answer
}

const forwardsDefault = 100

// ListForwards lists the frames in a link's queue, without what they say.
func (s *Service) ListForwards(_ context.Context, r *corev1.ListForwardsRequest) (*corev1.ListForwardsResponse, error) {
	size := int(r.PageSize)
	if size == 0 {
		size = forwardsDefault
	}
	answer := &corev1.ListForwardsResponse{}
	err := s.Replica.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return nil
		}
		meta := row.(*enginev1.Meta)
		from := engine.ForwardKey(r.Tenant, r.Connector, r.Link, r.After+1)
		tx.Ascend(from, func(k engine.Key, row engine.Row) bool {
			if k.S != from.S {
				return false
			}
			f := row.(*enginev1.ForwardedFrame)
			if r.Parked && f.State != enginev1.ForwardState_FORWARD_STATE_PARKED {
				return true
			}
			if len(answer.Frames) == size {
				answer.More = true
				return false
			}
			info := &corev1.ForwardInfo{
				N: f.N, Key: f.Key, SizeBytes: uint32(len(f.Data)), QueuedMs: f.QueuedMs, UntilMs: f.UntilMs,
				State:  strings.ToLower(strings.TrimPrefix(f.State.String(), "FORWARD_STATE_")),
				Reason: f.Reason,
			}
			if f.Payment != 0 {
				info.Payment = engine.PaymentUUID(meta, f.Payment)
			}
			answer.Frames = append(answer.Frames, info)
			return true
		})
		return nil
	})
	return answer, err
}

// ReleaseForward lines a parked frame up again, or drops it.
func (s *Service) ReleaseForward(ctx context.Context, r *corev1.ReleaseForwardRequest) (*corev1.ReleaseForwardResponse, error) {
	who, err := explained(r.Actor)
	if err != nil {
		return nil, err
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_ReleaseForward{
		ReleaseForward: &enginev1.ReleaseForward{
			Tenant: r.Tenant, Connector: r.Connector, Link: r.Link, N: r.N, Drop: r.Drop, UntilMs: r.UntilMs, Actor: who,
		},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.ReleaseForwardResponse{N: reply.Value}, nil
}
