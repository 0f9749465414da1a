package manifest

import (
	"errors"
	"fmt"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// ErrNone says that the module has no manifest section.
var ErrNone = errors.New("manifest: the module has no custom section " + abi.SectionManifest)

// ErrNewer says that the module was built with a later minor version of the contract
// than this host speaks, so that nothing else can be said of it.
var ErrNewer = errors.New("manifest: the module is for a later host")

// FromModule reads and checks the manifest of a compiled connector.
func FromModule(module []byte) (*sdkv1.Manifest, error) {
	content, found, err := wasm.Custom(module, abi.SectionManifest)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNone
	}
	return Decode(content)
}

// Decode reads and checks the content of the section.
func Decode(content []byte) (*sdkv1.Manifest, error) {
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("manifest: %d bytes are more than %d", len(content), MaxBytes)
	}
	m := new(sdkv1.Manifest)
	if err := m.UnmarshalVT(content); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.Contract > abi.ContractMinor {
		return nil, fmt.Errorf("%w: it was built with version 1.%d of the contract, and this one speaks 1.%d; put a later railhead on every node first, or build with an earlier SDK",
			ErrNewer, m.Contract, abi.ContractMinor)
	}
	if err := Check(m); err != nil {
		return nil, err
	}
	return m, nil
}

// IntoModule returns the module with the manifest as its last section, in place
// of one it may have.
func IntoModule(module []byte, m *sdkv1.Manifest) ([]byte, error) {
	if err := Check(m); err != nil {
		return nil, err
	}
	content, err := m.MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return wasm.WithCustom(module, abi.SectionManifest, content)
}
