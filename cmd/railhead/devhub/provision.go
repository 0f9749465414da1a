package devhub

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/sdk/signing"
)

// partBytes is how much of a module goes in one message of an upload.
const partBytes = 512 << 10

// Install uploads a connector's module in parts, with its signatures if it has some.
func Install(ctx context.Context, control corev1connect.ControlServiceClient, module []byte, signed *signing.File, actor *corev1.Actor) (*corev1.InstallConnectorResponse, error) {
	stream, err := control.InstallConnector(ctx)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(module)
	request := &corev1.InstallConnectorRequest{Digest: digest[:], Actor: actor}
	if signed != nil {
		request.Author = signed.Author
		for _, s := range signed.Signatures {
			request.Signatures = append(request.Signatures, &corev1.Signature{
				Key: s.Key, Signature: s.Signature, Signer: s.Signer, Tenant: s.Tenant,
			})
		}
	}
	for {
		n := min(partBytes, len(module))
		request.Part, module = module[:n], module[n:]
		// An error of sending is told better by the answer.
		if stream.Send(request) != nil || len(module) == 0 {
			break
		}
		request = &corev1.InstallConnectorRequest{}
	}
	return stream.CloseAndReceive()
}

// Flow is a file to deploy.
type Flow struct {
	File string
	XML  []byte
}

// Provision makes a cluster ready for a tenant: configures it, installs and
// activates the modules, deploys the flows. Doing it again changes nothing.
func Provision(ctx context.Context, control corev1connect.ControlServiceClient, tenant *corev1.Tenant, modules []string, flows []Flow, actor *corev1.Actor) error {
	if _, err := control.PutTenant(ctx, &corev1.PutTenantRequest{Tenant: tenant, Actor: actor}); err != nil {
		return fmt.Errorf("configure tenant %s: %w", tenant.GetId(), err)
	}
	for _, file := range modules {
		module, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%w: make connectors builds the modules", err)
		}
		done, err := Install(ctx, control, module, nil, actor)
		if err != nil {
			return fmt.Errorf("install %s: %w", file, err)
		}
		if _, err := control.ActivateConnector(ctx, &corev1.ActivateConnectorRequest{
			Tenant: tenant.GetId(), Connector: done.GetName(), Digest: done.GetDigest(), Actor: actor,
		}); err != nil {
			return fmt.Errorf("activate %s for %s: %w", done.GetName(), tenant.GetId(), err)
		}
	}
	for _, flow := range flows {
		if _, err := control.DeployFlow(ctx, &corev1.DeployFlowRequest{
			File: flow.File, Xml: flow.XML, Tenants: []string{tenant.GetId()}, Actor: actor,
		}); err != nil {
			return fmt.Errorf("deploy %s: %w", flow.File, err)
		}
	}
	return nil
}

// Modules names the modules of connectors in dir, which must all be there.
func Modules(dir string, names ...string) ([]string, error) {
	out := make([]string, 0, len(names))
	for _, name := range names {
		file := filepath.Join(dir, name+".wasm")
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("no connector %s in %s: build them with \"make connectors\", or name their folder with --connectors", name, dir)
		}
		out = append(out, file)
	}
	return out, nil
}

// ConnectorsDir is where modules lie unless told otherwise: beside this binary.
func ConnectorsDir() string {
	self, err := os.Executable()
	if err != nil {
		return "connectors"
	}
	return filepath.Join(filepath.Dir(self), "connectors")
}

// endpoint is how a tenant binds a connector's endpoint to an address.
type endpoint struct {
	URL       string   `json:"url"`
	Mode      string   `json:"mode,omitempty"`
	Allow     []string `json:"allow,omitempty"`
	TimeoutMs int64    `json:"timeout_ms,omitempty"`
}

type connectorConfig struct {
	Config    any                 `json:"config,omitempty"`
	Endpoints map[string]endpoint `json:"endpoints,omitempty"`
	Auth      *auth               `json:"auth,omitempty"`
}

// auth is how callers of a connector's routes are known.
type auth struct {
	Kind string `json:"kind"`
}

// anybody lets everybody in: what it is for listens on loopback.
var anybody = &auth{Kind: "none"}

// tenantConfig writes the connectors' part of a tenant's configuration.
func tenantConfig(connectors map[string]connectorConfig) (string, error) {
	raw, err := json.Marshal(map[string]any{"connectors": connectors})
	return string(raw), err
}
