// Package build makes a connector module from Go source: it runs the Go
// toolchain for wasip1 and puts the manifest into the result. The same source
// and toolchain give the same bytes, wherever and whenever they run. It is for
// `railhead connector build`, the Makefile and tests; nothing in a running node
// builds anything.
package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/railhead-hub/railhead/sdk/manifest"
)

// Module compiles the Go connector in the directory and returns the module with
// its manifest.
func Module(ctx context.Context, dir string) ([]byte, error) {
	m, err := manifest.ReadFile(dir)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "railhead-build-")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(tmp)
	raw := filepath.Join(tmp, "connector.wasm")
	// -trimpath, -buildvcs and -buildid keep paths, commits and hashes of inputs
	// out of the module; -s and -w leave out symbols and debug information.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid=", "-o", raw, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWASM=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build: go build in %s: %w\n%s", dir, err, strings.TrimSpace(stderr.String()))
	}
	module, err := os.ReadFile(raw)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
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
