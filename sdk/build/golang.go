package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// golang builds a main package with the Go toolchain.
var golang = language{name: "Go", markers: []string{"*.go"}, compile: compileGo}

func compileGo(ctx context.Context, dir, _, out string) error {
	// -trimpath, -buildvcs and -buildid keep paths, commits and hashes of inputs
	// out of the module; -s and -w leave out symbols and debug information. A
	// workspace that the folder happens to lie in has no say.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid=", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWASM=", "GOWORK=off")
	return run(cmd)
}

// run runs a compiler; its error says what the compiler said.
func run(cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build: %s in %s: %w\n%s", cmd.Args[0], cmd.Dir, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}
