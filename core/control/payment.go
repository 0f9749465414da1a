package control

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// StartPayment starts a payment, once for each (tenant, channel, client key).
func (s *Service) StartPayment(ctx context.Context, r *corev1.StartPaymentRequest) (*corev1.StartPaymentResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_StartPayment{
		StartPayment: &enginev1.StartPayment{
			Tenant: r.Tenant, Flow: r.Flow, Version: r.FlowVersion, Channel: r.Channel, ClientKey: r.ClientKey,
			RequestDigest: r.RequestDigest, Variables: vars, UuidVariable: r.UuidVariable,
		},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.StartPaymentResponse{
		Payment: reply.Uuid, Key: reply.Payment,
		RepeatedStart: reply.Kind == enginev1.EventKind_EVENT_KIND_START_REPEATED,
	}, nil
}

// PublishMessage publishes a message.
func (s *Service) PublishMessage(ctx context.Context, r *corev1.PublishMessageRequest) (*corev1.PublishMessageResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	by := actor(r.Actor)
	if by == nil {
		by = &enginev1.Actor{} // an act all the same
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
		Tenant: r.Tenant, Name: r.Name, Key: r.Key, MessageId: r.MessageId, TtlMs: r.TtlMs, Variables: vars, Actor: by,
	}}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.PublishMessageResponse{Duplicate: connector.ReplyAnswer(reply).GetPublish().GetDuplicate()}, nil
}

// BroadcastSignal gives a signal to everything of the tenant that waits for it now.
func (s *Service) BroadcastSignal(ctx context.Context, r *corev1.BroadcastSignalRequest) (*corev1.BroadcastSignalResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	by, err := named(r.Actor)
	if err != nil {
		return nil, err
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
		Tenant: r.Tenant, Name: r.Name, Variables: vars, Actor: by,
	}}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.BroadcastSignalResponse{}, nil
}

// payment is the key of a payment's UUID.
func (s *Service) payment(uuid string) (payment uint64, err error) {
	var known bool
	err = s.Replica.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
			var u engine.UUID
			u, known = engine.ParseUUID(row.(*enginev1.Meta), strings.ToLower(uuid))
			known = known && u.Kind == engine.UUIDPayment
			payment = u.Payment
		}
		return nil
	})
	if err == nil && !known {
		err = refuse(connect.CodeNotFound, "PAYMENT_UNKNOWN", "%s names no payment of this cluster.", uuid)
	}
	return payment, err
}

func variables(vars []*corev1.Variable) ([]*enginev1.Variable, error) {
	out := make([]*enginev1.Variable, 0, len(vars))
	for _, v := range vars {
		checked, err := connector.CheckVariable(v.Name, []byte(v.Json))
		if err != nil {
			return nil, refuse(connect.CodeInvalidArgument, "BAD_VARIABLE", "%v", err)
		}
		out = append(out, checked)
	}
	return out, nil
}
