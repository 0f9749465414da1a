// Package rust_test runs the Rust SDK's own tests, and holds the SDK to the others.
package rust_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/parity"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// compiler is the rustc that builds connectors.
func compiler(t *testing.T) string {
	t.Helper()
	rustc, err := build.FindRustc(t.Context())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs rustc for wasm32 (Debian packages rustc, libstd-rust-dev-wasm32 and lld)")
	}
	return rustc
}

// The crate's unit tests, compiled natively.
func TestUnits(t *testing.T) {
	rustc, program := compiler(t), filepath.Join(t.TempDir(), "units")
	for _, args := range [][]string{
		{rustc, "--edition", "2021", "--test", "--crate-name", "railhead", "-D", "warnings", "-o", program, "src/lib.rs"},
		{program, "--quiet"},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
}

// Everything the SDK writes is what the contract's own codec writes.
func TestParity(t *testing.T) {
	compiler(t)
	parity.Test(t, parity.SDK{Echo: "testdata/echo", Bits: 64})
}

// The reason of a panic reaches whoever runs the connector, with its place, and the
// bytes of a module do not depend on where it was built.
func TestPanicAndBytes(t *testing.T) {
	compiler(t)
	module, err := build.Module(t.Context(), "testdata/echo")
	if err != nil {
		t.Fatal(err)
	}
	parity.Panics(t, module, "this job panics", "src/lib.rs:")
	dir := t.TempDir()
	for from, to := range map[string]string{"testdata/echo": filepath.Join(dir, "a", "b"), "src": filepath.Join(dir, "src")} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := build.Module(t.Context(), filepath.Join(dir, "a", "b"))
	if err != nil || !bytes.Equal(again, module) {
		t.Fatalf("built elsewhere, the module is another: %v", err)
	}
}

// Threads of effects are asked for in rounds, so that the answers' order in time
// does not change what is asked.
func TestSideBySide(t *testing.T) {
	compiler(t)
	module, err := build.Module(t.Context(), "testdata/echo")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close(t.Context())
	instance, err := opened.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{Type: "side-by-side"}}}}
	var asked []string
	for n := range uint64(4) { // one answer at a time, as after a crash between two
		reply, err := instance.Step(t.Context(), request)
		if err != nil || len(reply.Effects) == 0 {
			t.Fatalf("%s, %v", conformance.Render(reply), err)
		}
		names := ""
		for _, e := range reply.Effects {
			names += e.GetSequence().GetName()
		}
		asked = append(asked, names)
		request.History = append(request.History, &sdkv1.Entry{
			Ordinal: uint32(n + 1), Digest: abi.EffectDigest(reply.Effects[0]), TimeMs: int64(n),
			Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: 1 << n}}},
		})
	}
	if got := strings.Join(asked, " "); got != "acd cd d b" {
		t.Errorf("asked for %s", got)
	}
	reply, err := instance.Step(t.Context(), request)
	if got := conformance.Render(reply); err != nil || got != "complete\nvar at 3\nvar sum 15" {
		t.Errorf("%s, %v", got, err)
	}
}
