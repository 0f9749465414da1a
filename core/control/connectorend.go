package control

import (
	"context"
	"encoding/json"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// RollbackConnector ends a canary or goes back to the digest before.
func (s *Service) RollbackConnector(ctx context.Context, r *corev1.RollbackConnectorRequest) (*corev1.RollbackConnectorResponse, error) {
	// What is gone back to has served already; it may still be that a node which is new
	// does not hold it.
	if back := s.before(r.Tenant, r.Connector, r.Digest); back != (connector.Digest{}) {
		if err := s.ready(ctx, back, r.Tenant); err != nil {
			s.Logger.Warn("a rollback goes to a module that is not ready here", "digest", back.String(), "err", err)
		}
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_RollbackConnector{
		RollbackConnector: &enginev1.RollbackConnector{
			Tenant: r.Tenant, Connector: r.Connector, Digest: r.Digest, Actor: actor(r.Actor),
		},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	s.Connectors.Refresh()
	return &corev1.RollbackConnectorResponse{Digest: reply.Digest}, nil
}

// before is what a rollback would go back to; zero where it only ends a canary.
func (s *Service) before(tenant, name string, digest []byte) (before connector.Digest) {
	_ = s.Replica.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableActivation, S: tenant + "\x00" + name})
		if !found {
			return nil
		}
		if act := row.(*enginev1.Activation); len(act.Canary) == 0 && (len(digest) == 0 || string(digest) == string(act.Digest)) {
			before, _ = connector.ToDigest(act.Previous)
		}
		return nil
	})
	return before
}

// tellTimeout bounds the wait for the other nodes to hear of a revocation.
const tellTimeout = 5 * time.Second

// RevokeConnector takes a digest out of service for every tenant, for good. When it
// returns, every node that can be reached steps it no more.
func (s *Service) RevokeConnector(ctx context.Context, r *corev1.RevokeConnectorRequest) (*corev1.RevokeConnectorResponse, error) {
	if _, ok := connector.ToDigest(r.Digest); !ok {
		return nil, refuse(connect.CodeInvalidArgument, "DIGEST_MISSING", "A digest has 32 bytes.")
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_RevokeConnector{
		RevokeConnector: &enginev1.RevokeConnector{Connector: r.Connector, Digest: r.Digest, Actor: actor(r.Actor)},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	_ = s.Commands.CatchUp(ctx)
	s.Connectors.Refresh()
	// Nodes look once a second. One that is asked to make the module ready looks at
	// once, and refuses.
	for id, err := range s.askNodes(ctx, nil, &corev1.PrepareModuleRequest{Digest: r.Digest}) {
		if detailOf(err).GetReason() != upper(engine.CodeConnectorRevoked) {
			s.Logger.Warn("a node could not be told of a revocation; it hears of it with the log", "peer", id, "err", err)
		}
	}
	answer := &corev1.RevokeConnectorResponse{}
	for _, v := range reply.Variables {
		switch v.Name {
		case "rolledBack":
			err = json.Unmarshal(v.Json, &answer.RolledBack)
		case "without":
			err = json.Unmarshal(v.Json, &answer.Without)
		}
		if err != nil {
			return nil, connect.NewError(connect.CodeInternal, err)
		}
	}
	return answer, nil
}

func toGuard(g *corev1.Guard) *enginev1.Guard {
	if g == nil {
		return nil
	}
	return &enginev1.Guard{
		AttemptsMin: g.AttemptsMin, TrapsMax: g.TrapsMax, FailuresMax: g.FailuresMax, WatchMs: g.WatchMs, Off: g.Off,
	}
}

func fromGuard(g *enginev1.Guard) *corev1.Guard {
	if g == nil {
		return nil
	}
	return &corev1.Guard{
		AttemptsMin: g.AttemptsMin, TrapsMax: g.TrapsMax, FailuresMax: g.FailuresMax, WatchMs: g.WatchMs, Off: g.Off,
	}
}
