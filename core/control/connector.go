package control

import (
	"context"
	"errors"
	"net/http"
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
	"github.com/railhead-hub/railhead/sdk/signing"
)

// InstallConnector takes a module in parts, verifies it, keeps it and registers
// it.
func (s *Service) InstallConnector(ctx context.Context, stream *connect.ClientStream[corev1.InstallConnectorRequest]) (*corev1.InstallConnectorResponse, error) {
	var module []byte
	var digest connector.Digest
	first := &corev1.InstallConnectorRequest{}
	for begun := false; stream.Receive(); begun = true {
		part := stream.Msg()
		if !begun {
			var ok bool
			if digest, ok = connector.ToDigest(part.Digest); !ok {
				return nil, refuse(connect.CodeInvalidArgument, "DIGEST_MISSING", "The first message carries the module's SHA-256.")
			}
			first = part
		}
		if len(module)+len(part.Part) > connector.ModuleMax {
			return nil, refuse(connect.CodeInvalidArgument, "TOO_LARGE", "A module has at most %d bytes.", connector.ModuleMax)
		}
		module = append(module, part.Part...)
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	signed := make([]*enginev1.Signature, 0, len(first.Signatures))
	for _, s := range first.Signatures {
		signed = append(signed, &enginev1.Signature{Key: s.Key, Signature: s.Signature, Signer: s.Signer, Tenant: s.Tenant})
	}
	row, err := s.Connectors.Install(ctx, module, digest, first.Author, signed)
	if err != nil {
		return nil, moduleRefused(err)
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_InstallConnector{
		InstallConnector: &enginev1.InstallConnector{Connector: row, Actor: actor(first.Actor)},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	signers, _ := s.Connectors.Verify(row, "")
	return &corev1.InstallConnectorResponse{
		Name: row.Name, Version: row.Version, Kind: row.Kind, Digest: row.Digest, JobTypes: row.JobTypes,
		Warnings: warnings(row, s.Connectors.Doubts(row)), Signers: signers,
	}, nil
}

func warnings(row *enginev1.Connector, doubts []connector.Doubt) (out []*corev1.Problem) {
	for _, d := range doubts {
		out = append(out, &corev1.Problem{File: row.Name + " " + row.Version, Code: d.Code, Text: d.Text, Warning: true})
	}
	return out
}

// moduleRefused passes on why the sandbox refuses a module, by its code.
func moduleRefused(err error) error {
	if errors.Is(err, connector.ErrDigest) {
		return refuse(connect.CodeInvalidArgument, "DIGEST_MISMATCH", "%v", err)
	}
	if errors.Is(err, connector.ErrRevoked) {
		return refuse(connect.CodeFailedPrecondition, upper(engine.CodeConnectorRevoked), "%v", err)
	}
	if refusal, ok := errors.AsType[*signing.Error](err); ok {
		return refuse(connect.CodePermissionDenied, upper(string(refusal.Code)), "%v", err)
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
	if err := s.prepare(ctx, digest, r.Tenant, r.ExcusedNodes); err != nil {
		return nil, err
	}
	answer := &corev1.ActivateConnectorResponse{}
	if row := s.Connectors.Row(digest); row != nil {
		signers, err := s.Connectors.Verify(row, r.Tenant)
		if err == nil {
			err = s.Connectors.Policy.MayActivate(connector.Signed(row), signers, r.Actor.GetName(), certificateOf(ctx))
		}
		if err != nil {
			return nil, moduleRefused(err)
		}
		answer.Warnings = warnings(row, s.Connectors.ActivationDoubts(r.Tenant, row))
	}
	if r.Strict && len(answer.Warnings) > 0 {
		for _, w := range answer.Warnings {
			w.Warning = false
		}
		return nil, withDetail(connect.NewError(connect.CodeFailedPrecondition, errors.New("The activation is refused: "+answer.Warnings[0].Text)),
			&corev1.ErrorDetail{Reason: "INCOMPATIBLE", Problems: answer.Warnings})
	}
	if r.Weight != 0 && r.Weight != 10_000 && s.version() < engine.VersionSwaps {
		// A node of an earlier program would give it all payments.
		return nil, refuse(connect.CodeFailedPrecondition, "VERSION_UNKNOWN",
			"There are canaries from version %d of the engine on; railhead cluster upgrade, once every node runs this railhead.", engine.VersionSwaps)
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_ActivateConnector{
		ActivateConnector: &enginev1.ActivateConnector{
			Tenant: r.Tenant, Connector: r.Connector, Digest: r.Digest, Actor: actor(r.Actor),
			Weight: r.Weight, Guard: toGuard(r.Guard),
		},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	s.Connectors.Refresh() // so that the caller finds its routes at once
	return answer, nil
}

// prepare makes a module ready for a tenant on this node and on all others that are not
// excused.
func (s *Service) prepare(ctx context.Context, digest connector.Digest, tenant string, excused []string) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if err := s.ready(ctx, digest, tenant); err != nil {
		return err
	}
	var unready []string
	for id, err := range s.askNodes(ctx, excused, &corev1.PrepareModuleRequest{Digest: digest[:], Tenant: tenant}) {
		s.Logger.Warn("a node cannot make a module ready", "peer", id, "digest", digest.String(), "err", err)
		unready = append(unready, id)
	}
	if len(unready) > 0 {
		slices.Sort(unready)
		return refuse(connect.CodeFailedPrecondition, "MODULE_NOT_READY",
			"The module is not ready on %s; bring these nodes back or excuse them.", strings.Join(unready, ", "))
	}
	return nil
}

// ready makes a module ready on this node. A node that lags may not know yet by whom the
// module is signed, or that it has been revoked, so it catches up first.
func (s *Service) ready(ctx context.Context, digest connector.Digest, tenant string) error {
	_ = s.Commands.CatchUp(ctx) // if that fails, what follows says what is missing
	s.Connectors.Refresh()
	err := s.Connectors.Warm(ctx, tenant, digest)
	if err == nil {
		return nil
	}
	s.Logger.Warn("a module cannot be made ready", "digest", digest.String(), "err", err)
	if errors.Is(err, connector.ErrNoBlob) || errors.Is(err, connector.ErrUninstalled) {
		return refuse(connect.CodeNotFound, "CONNECTOR_UNKNOWN", "No node holds module %s; install it first.", digest)
	}
	return moduleRefused(err)
}

// askNodes prepares a module on the other nodes at once, and says which could not and
// why.
func (s *Service) askNodes(ctx context.Context, excused []string, request *corev1.PrepareModuleRequest) map[string]error {
	var mu sync.Mutex
	failed := make(map[string]error)
	var asked sync.WaitGroup
	for id, peer := range s.Commands.Peers {
		if slices.Contains(excused, id) {
			continue
		}
		asked.Go(func() {
			if _, err := peer.Client.PrepareModule(ctx, request); err != nil {
				mu.Lock()
				failed[id] = err
				mu.Unlock()
			}
		})
	}
	asked.Wait()
	return failed
}

// certificateKey is where a call's context has the common name of the caller's
// certificate.
type certificateKey struct{}

// certified notes whose certificate a call comes with.
func certified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), certificateKey{}, r.TLS.PeerCertificates[0].Subject.CommonName))
		}
		next.ServeHTTP(w, r)
	})
}

func certificateOf(ctx context.Context) string {
	name, _ := ctx.Value(certificateKey{}).(string)
	return name
}
