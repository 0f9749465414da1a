package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/host"
)

// InstallConnector takes a module in parts, verifies it, keeps it and registers
// it.
func (s *Service) InstallConnector(ctx context.Context, stream *connect.ClientStream[corev1.InstallConnectorRequest]) (*corev1.InstallConnectorResponse, error) {
	var module []byte
	var digest connector.Digest
	var by *corev1.Actor
	for first := true; stream.Receive(); first = false {
		part := stream.Msg()
		if first {
			var ok bool
			if digest, ok = connector.ToDigest(part.Digest); !ok {
				return nil, refuse(connect.CodeInvalidArgument, "DIGEST_MISSING", "The first message carries the module's SHA-256.")
			}
			by = part.Actor
		}
		if len(module)+len(part.Part) > connector.ModuleMax {
			return nil, refuse(connect.CodeInvalidArgument, "TOO_LARGE", "A module has at most %d bytes.", connector.ModuleMax)
		}
		module = append(module, part.Part...)
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	row, err := s.Connectors.Install(ctx, module, digest)
	if err != nil {
		return nil, moduleRefused(err)
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_InstallConnector{
		InstallConnector: &enginev1.InstallConnector{Connector: row, Actor: actor(by)},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.InstallConnectorResponse{
		Name: row.Name, Version: row.Version, Kind: row.Kind, Digest: row.Digest, JobTypes: row.JobTypes,
	}, nil
}

// moduleRefused passes on why the sandbox refuses a module, by its code.
func moduleRefused(err error) error {
	if errors.Is(err, connector.ErrDigest) {
		return refuse(connect.CodeInvalidArgument, "DIGEST_MISMATCH", "%v", err)
	}
	code := host.CodeOf(err)
	if code == "" {
		return connect.NewError(connect.CodeInternal, err)
	}
	return refuse(connect.CodeInvalidArgument, "MODULE_"+strings.ToUpper(strings.ReplaceAll(string(code), "-", "_")), "%v", err)
}

// prepareTimeout bounds the wait for one node to fetch and compile a module.
const prepareTimeout = time.Minute

// ActivateConnector makes the module ready on every node and then proposes the
// activation, so that no payment ever waits for a compiler.
func (s *Service) ActivateConnector(ctx context.Context, r *corev1.ActivateConnectorRequest) (*corev1.ActivateConnectorResponse, error) {
	digest, ok := connector.ToDigest(r.Digest)
	if !ok {
		return nil, refuse(connect.CodeInvalidArgument, "DIGEST_MISSING", "A digest has 32 bytes.")
	}
	if err := s.prepare(ctx, digest, r.ExcusedNodes); err != nil {
		return nil, err
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_ActivateConnector{
		ActivateConnector: &enginev1.ActivateConnector{
			Tenant: r.Tenant, Connector: r.Connector, Digest: r.Digest, Actor: actor(r.Actor),
		},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	s.Connectors.Refresh() // so that the caller finds its routes at once
	return &corev1.ActivateConnectorResponse{}, nil
}

func (s *Service) prepare(ctx context.Context, digest connector.Digest, excused []string) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if _, err := s.Connectors.Module(ctx, digest); err != nil {
		if errors.Is(err, connector.ErrNoBlob) {
			return refuse(connect.CodeNotFound, "CONNECTOR_UNKNOWN", "No node holds module %s; install it first.", digest)
		}
		return moduleRefused(err)
	}
	var mu sync.Mutex
	var unready []string
	var asked sync.WaitGroup
	for id, peer := range s.Commands.Peers {
		if slices.Contains(excused, id) {
			continue
		}
		asked.Go(func() {
			if _, err := peer.Client.PrepareModule(ctx, &corev1.PrepareModuleRequest{Digest: digest[:]}); err != nil {
				s.Logger.Warn("a node cannot make a module ready", "peer", id, "digest", digest.String(), "err", err)
				mu.Lock()
				unready = append(unready, id)
				mu.Unlock()
			}
		})
	}
	asked.Wait()
	if len(unready) > 0 {
		slices.Sort(unready)
		return refuse(connect.CodeFailedPrecondition, "MODULE_NOT_READY",
			"The module is not ready on %s; bring these nodes back or excuse them.", strings.Join(unready, ", "))
	}
	return nil
}

// ListConnectors lists what is installed and what is active.
func (s *Service) ListConnectors(context.Context, *corev1.ListConnectorsRequest) (*corev1.ListConnectorsResponse, error) {
	answer := &corev1.ListConnectorsResponse{}
	err := s.Replica.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableConnector}, func(_ engine.Key, row engine.Row) bool {
			c := row.(*enginev1.Connector)
			answer.Connectors = append(answer.Connectors, &corev1.ConnectorInfo{
				Name: c.Name, Kind: c.Kind, Version: c.Version, Digest: c.Digest,
				JobTypes: c.JobTypes, SizeBytes: c.Size, InstalledMs: c.InstalledMs,
			})
			return true
		})
		tx.Ascend(engine.Key{Table: engine.TableActivation}, func(_ engine.Key, row engine.Row) bool {
			a := row.(*enginev1.Activation)
			answer.Activations = append(answer.Activations, &corev1.ActivationInfo{
				Tenant: a.Tenant, Connector: a.Connector, Digest: a.Digest, Previous: a.Previous, ActivatedMs: a.ActivatedMs,
			})
			return true
		})
		return nil
	})
	for _, c := range answer.Connectors {
		if digest, ok := connector.ToDigest(c.Digest); ok {
			c.Ready = s.Connectors.Ready(digest)
		}
	}
	return answer, err
}
