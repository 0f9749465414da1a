// Package c_test runs the C SDK's own tests, and holds the SDK to the others.
package c_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/parity"
)

// compiler is the clang that builds connectors.
func compiler(t *testing.T) string {
	t.Helper()
	clang, err := build.FindClang(t.Context())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs clang for wasm32-wasi (Debian packages clang, lld, wasi-libc and libclang-rt-14-dev-wasm32)")
	}
	return clang
}

// testdata/units.c, compiled natively with the sanitizers of addresses and of
// undefined behaviour.
func TestUnits(t *testing.T) {
	clang, program := compiler(t), filepath.Join(t.TempDir(), "units")
	sources, err := filepath.Glob("src/*.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		append([]string{clang, "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
			"-fno-sanitize-recover=all", "-o", program, "testdata/units.c"}, sources...),
		{program},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
}

// echo is the folder of a connector as `railhead connector new` lays it out.
func echo(t *testing.T) string {
	t.Helper()
	compiler(t)
	dir := t.TempDir()
	for from, to := range map[string]string{"testdata/echo": dir, "src": filepath.Join(dir, "railhead")} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Everything the SDK writes is what the contract's own codec writes.
func TestParity(t *testing.T) { parity.Test(t, parity.SDK{Echo: echo(t), Bits: 64}) }

// The reason of a panic reaches whoever runs the connector, and the bytes of a
// module do not depend on where it was built.
func TestPanicAndBytes(t *testing.T) {
	module, err := build.Module(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	parity.Panics(t, module, "this job panics")
	if again, err := build.Module(t.Context(), echo(t)); err != nil || !bytes.Equal(again, module) {
		t.Fatalf("built elsewhere, the module is another: %v", err)
	}
}
