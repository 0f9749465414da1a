package control

import (
	"context"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// named is who acts; an act that nobody answers for is refused before it costs a log
// entry. The engine holds whoever proposes to the same.
func named(a *corev1.Actor) (*enginev1.Actor, error) {
	if a.GetName() == "" {
		return nil, refuse(connect.CodeInvalidArgument, "ACTOR_MISSING", "An act on a payment says who acts.")
	}
	return actor(a), nil
}

// explained is who repairs, and why.
func explained(a *corev1.Actor) (*enginev1.Actor, error) {
	if a.GetName() == "" || a.GetReason() == "" {
		return nil, refuse(connect.CodeInvalidArgument, "ACTOR_MISSING", "A repair says who acts and why.")
	}
	return actor(a), nil
}

// repair proposes a repair of a payment.
func (s *Service) repair(
	ctx context.Context, uuid string, by *corev1.Actor, command func(payment uint64, by *enginev1.Actor) *enginev1.Command,
) (*enginev1.Event, error) {
	who, err := explained(by)
	if err != nil {
		return nil, err
	}
	payment, err := s.payment(uuid)
	if err != nil {
		return nil, err
	}
	reply, err := s.Commands.Propose(ctx, command(payment, who))
	return reply, s.fromPropose(reply, err)
}

// ResolveIncident lets a payment go on where it stands.
func (s *Service) ResolveIncident(ctx context.Context, r *corev1.ResolveIncidentRequest) (*corev1.ResolveIncidentResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	_, err = s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_ResolveIncident{ResolveIncident: &enginev1.ResolveIncident{
			Payment: payment, Incident: r.Incident, Variables: vars, Retries: r.Retries, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.ResolveIncidentResponse{}, nil
}

// RetryJob gives a job that waits a new attempt now.
func (s *Service) RetryJob(ctx context.Context, r *corev1.RetryJobRequest) (*corev1.RetryJobResponse, error) {
	reply, err := s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_RetryJob{RetryJob: &enginev1.RetryJob{
			Payment: payment, Job: r.Job, Retries: r.Retries, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.RetryJobResponse{Attempt: reply.Attempt}, nil
}

// SetVariables changes variables of a running payment.
func (s *Service) SetVariables(ctx context.Context, r *corev1.SetVariablesRequest) (*corev1.SetVariablesResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	_, err = s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_SetVariables{SetVariables: &enginev1.SetVariables{
			Payment: payment, Token: r.Token, Variables: vars, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.SetVariablesResponse{}, nil
}

// MoveToken sends a token to another element.
func (s *Service) MoveToken(ctx context.Context, r *corev1.MoveTokenRequest) (*corev1.MoveTokenResponse, error) {
	_, err := s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_MoveToken{MoveToken: &enginev1.MoveToken{
			Payment: payment, Token: r.Token, Element: r.Element, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.MoveTokenResponse{}, nil
}

// MigratePayment lets a payment go on in another version of its flow.
func (s *Service) MigratePayment(ctx context.Context, r *corev1.MigratePaymentRequest) (*corev1.MigratePaymentResponse, error) {
	mappings := make([]*enginev1.ElementMapping, 0, len(r.Mappings))
	for _, m := range r.Mappings {
		mappings = append(mappings, &enginev1.ElementMapping{From: m.From, To: m.To})
	}
	_, err := s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_MigratePayment{MigratePayment: &enginev1.MigratePayment{
			Payment: payment, FlowVersion: r.FlowVersion, Mappings: mappings, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.MigratePaymentResponse{}, nil
}

// CancelPayment ends a payment that has moved no money, or undoes first what it did.
func (s *Service) CancelPayment(ctx context.Context, r *corev1.CancelPaymentRequest) (*corev1.CancelPaymentResponse, error) {
	_, err := s.repair(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
			Payment: payment, Compensate: r.Compensate, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.CancelPaymentResponse{}, nil
}
