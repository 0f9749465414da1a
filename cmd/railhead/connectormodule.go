package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"

	"github.com/railhead-hub/railhead/cmd/railhead/oci"
	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/signing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// signaturesSuffix makes the name of the file of signatures that lies beside a module.
const signaturesSuffix = ".sig"

// module is a connector's module as a file or a registry holds it.
type module struct {
	bytes      []byte
	digest     [sha256.Size]byte
	section    []byte // the manifest as its author wrote it
	manifest   *sdkv1.Manifest
	signatures *signing.File // nil: it has none
}

// openModule reads a module from a file, or from a registry if oci:// or
// oci-layout:// says so.
func openModule(ctx context.Context, name string) (*module, error) {
	if oci.Is(name) {
		m, _, err := pullModule(ctx, name)
		return m, err
	}
	return readModule(name)
}

// readModule reads a module and the signatures beside it.
func readModule(file string) (*module, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{err}
	}
	var signatures *signing.File
	switch text, err := os.ReadFile(file + signaturesSuffix); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, usageError{err}
	default:
		if signatures, err = signing.ParseFile(text); err != nil {
			return nil, refusedf("%s%s: %w", file, signaturesSuffix, err)
		}
	}
	return newModule(file, content, signatures)
}

// newModule reads a module's manifest. What else a node would refuse is not looked at.
func newModule(name string, content []byte, signatures *signing.File) (*module, error) {
	m := &module{bytes: content, digest: sha256.Sum256(content), manifest: new(sdkv1.Manifest), signatures: signatures}
	if !bytes.HasPrefix(content, wasm.Header[:4]) {
		return nil, refusedf("%s is no connector: %s: it does not begin with the magic number of WebAssembly", name, host.NotWasm)
	}
	section, found, err := wasm.Custom(content, abi.SectionManifest)
	switch {
	case err != nil:
		return nil, refusedf("%s is no connector: %s: %w", name, host.Malformed, err)
	case !found:
		return nil, refusedf("%s is no connector: %s: it has no section %s", name, host.BadManifest, abi.SectionManifest)
	}
	m.section = section
	if err := m.manifest.UnmarshalVT(section); err != nil {
		return nil, refusedf("%s: the manifest: %w", name, err)
	}
	return m, nil
}

// signing is what signatures of the module cover.
func (m *module) signing(author string) signing.Module {
	return signing.Module{
		Digest: m.digest, Manifest: sha256.Sum256(m.section),
		Name: m.manifest.Name, Version: m.manifest.Version, Author: author,
	}
}

func (m *module) signed() int {
	if m.signatures == nil {
		return 0
	}
	return len(m.signatures.Signatures)
}
