package connector

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/signing"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// ErrRevoked says that a module may not run any more.
var ErrRevoked = errors.New("the module has been revoked")

// ErrUninstalled says that the log does not know the module, so that nothing says
// whether this node may trust it.
var ErrUninstalled = errors.New("the module is not installed")

// Signed is what a row says was signed.
func Signed(row *enginev1.Connector) signing.Module {
	digest, _ := ToDigest(row.Digest)
	return signing.Module{
		Digest: digest, Manifest: sha256.Sum256(row.Manifest),
		Name: row.Name, Version: row.Version, Author: row.Author,
	}
}

func signatures(row *enginev1.Connector) []signing.Signature {
	out := make([]signing.Signature, 0, len(row.Signatures))
	for _, s := range row.Signatures {
		out = append(out, signing.Signature{Key: s.Key, Signature: s.Signature, Signer: s.Signer, Tenant: s.Tenant})
	}
	return out
}

// Verify holds a row's signatures against this node's policy, for a tenant or, when
// that is empty, for any. It names the roots that signed; a refusal is a
// *signing.Error.
func (r *Registry) Verify(row *enginev1.Connector, tenant string) (signers []string, err error) {
	signers, err = r.Policy.Verify(Signed(row), signatures(row), tenant)
	if err != nil {
		return nil, fmt.Errorf("connector %s %s: %w", row.Name, row.Version, err)
	}
	return signers, nil
}

// Row is what the log says of a module; nil if it knows none by that digest.
func (r *Registry) Row(digest Digest) *enginev1.Connector {
	if row := r.table.Load().installed[digest]; row != nil {
		return row
	}
	r.Refresh()
	return r.table.Load().installed[digest]
}

// trusted refuses a module that the log does not know, has revoked, or that is not
// signed as this node demands. It is asked before anything of the module runs.
func (r *Registry) trusted(digest Digest) (*enginev1.Connector, error) {
	row := r.table.Load().installed[digest]
	if row == nil && r.Policy.Demands() {
		if row = r.Row(digest); row == nil {
			return nil, fmt.Errorf("%s: %w", digest, ErrUninstalled)
		}
	}
	if row == nil {
		return nil, nil
	}
	if row.RevokedMs != 0 {
		return nil, fmt.Errorf("%s: %w", digest, ErrRevoked)
	}
	_, err := r.Verify(row, "")
	return row, err
}

// manifestOf is a module's manifest as its author wrote it: the bytes of its section,
// which a later version of this host reads as they are, and not what this one makes of
// them. A connector that is compiled into a test has no section.
func manifestOf(module []byte, stepper Stepper) ([]byte, error) {
	if section, found, err := wasm.Custom(module, abi.SectionManifest); err == nil && found {
		return bytes.Clone(section), nil
	}
	encoded, err := stepper.Manifest().MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("the manifest cannot be encoded: %w", err)
	}
	return encoded, nil
}

// sameManifest refuses a module whose manifest is not the one that its row has, and
// that was signed.
func sameManifest(row *enginev1.Connector, module []byte, stepper Stepper) error {
	if row == nil {
		return nil
	}
	manifest, err := manifestOf(module, stepper)
	if err == nil && !bytes.Equal(manifest, row.Manifest) {
		err = fmt.Errorf("the log has another manifest of connector %s than the module", row.Name)
	}
	return err
}
