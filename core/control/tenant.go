package control

import (
	"context"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// PutTenant adds or replaces a tenant. Its configuration is checked as a whole:
// a misspelt endpoint is found now and not by a payment.
func (s *Service) PutTenant(ctx context.Context, r *corev1.PutTenantRequest) (*corev1.PutTenantResponse, error) {
	t := r.Tenant
	if err := connector.CheckTenant(t.Id, []byte(t.Config), s.Connectors.Egress); err != nil {
		return nil, refuse(connect.CodeInvalidArgument, "BAD_TENANT_CONFIG", "%v", err)
	}
	if err := connector.CheckKeys(t.Id, []byte(t.Config), s.Connectors.Keys); err != nil {
		return nil, refuse(connect.CodeInvalidArgument, "BAD_TENANT_CONFIG", "%v", err)
	}
	row := &enginev1.Tenant{
		Id: t.Id, Name: t.Name, Config: []byte(t.Config), RetentionMs: t.RetentionMs, BufferedMax: t.BufferedMax,
	}
	for _, a := range t.Aliases {
		row.Aliases = append(row.Aliases, &enginev1.Alias{Kind: a.Kind, Value: a.Value})
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_PutTenant{
		PutTenant: &enginev1.PutTenant{Tenant: row, Actor: actor(r.Actor)},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	s.Connectors.Refresh() // so that the caller finds its routes at once
	return &corev1.PutTenantResponse{}, nil
}

// ListTenants lists all tenants.
func (s *Service) ListTenants(context.Context, *corev1.ListTenantsRequest) (*corev1.ListTenantsResponse, error) {
	answer := &corev1.ListTenantsResponse{}
	err := s.Replica.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableTenant}, func(_ engine.Key, row engine.Row) bool {
			t := row.(*enginev1.Tenant)
			info := &corev1.Tenant{
				Id: t.Id, Name: t.Name, Config: string(t.Config), RetentionMs: t.RetentionMs,
				BufferedMax: t.BufferedMax, Version: t.Version,
			}
			for _, a := range t.Aliases {
				info.Aliases = append(info.Aliases, &corev1.Alias{Kind: a.Kind, Value: a.Value})
			}
			answer.Tenants = append(answer.Tenants, info)
			return true
		})
		return nil
	})
	return answer, err
}
