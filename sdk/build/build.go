// Package build makes a connector module from source: it runs the language's
// toolchain and puts the manifest into the result. The same source and toolchain
// give the same bytes, wherever and whenever they run. It is for `railhead
// connector build`, the Makefile and tests; nothing in a running node builds
// anything. Begin with Module; language.go lists the languages.
package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

// Module compiles the connector in the directory, in whatever language, and
// returns the module with its manifest.
func Module(ctx context.Context, dir string) ([]byte, error) {
	m, err := manifest.ReadFile(dir)
	if err != nil {
		return nil, err
	}
	l, err := detect(dir)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "railhead-build-")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(tmp)
	raw := filepath.Join(tmp, "connector.wasm")
	if err := l.compile(ctx, dir, tmp, raw); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(raw)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if m.Contract == 0 {
		m.Contract = abi.ContractMinor
	}
	return manifest.IntoModule(module, m)
}

// File is Module, written to a file whose directory is made if need be. The
// file appears whole or not at all.
func File(ctx context.Context, dir, out string) error {
	module, err := Module(ctx, dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".*")
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(module)
	if errClose := tmp.Close(); err == nil {
		err = errClose
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), out)
	}
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}
