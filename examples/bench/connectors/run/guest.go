package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/railhead-hub/railhead/sdk"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/manifest"
)

// languages are the guests in the order of the table.
var languages = []string{"go", "rust", "c", "typescript"}

// bare are the guests without an SDK: what the language and the sandbox cost, and
// nothing of what an SDK does for an author.
var bare = []string{"go, bare", "rust, bare", "c, bare"}

// extismGuest is the C guest behind Extism's own interface.
const extismGuest = "c, extism"

// buildGuests builds what can be built here. For what cannot, it says what is
// missing.
func buildGuests(ctx context.Context, dir, work string) (guests map[string][]byte, leftOut []string, err error) {
	guests = map[string][]byte{}
	for _, language := range languages {
		source := filepath.Join(dir, language)
		if language == "c" {
			// The C SDK belongs into the connector's folder.
			source = filepath.Join(work, "c")
			if err := copyC(filepath.Join(dir, "c"), source); err != nil {
				return nil, nil, err
			}
		}
		module, err := build.Module(ctx, source)
		switch {
		case err == nil:
			guests[language] = module
		case language == "go":
			return nil, nil, err
		default: // which says what is missing
			leftOut = append(leftOut, language+": "+err.Error())
		}
	}
	if guests["go, bare"], err = build.Module(ctx, filepath.Join(dir, "codec", "go")); err != nil {
		return nil, nil, err
	}
	if guests["rust"] != nil {
		if guests["rust, bare"], err = buildBareRust(ctx, dir, work); err != nil {
			return nil, nil, err
		}
	}
	if guests["c"] != nil {
		if guests["c, bare"], err = buildBareC(ctx, dir, work); err != nil {
			return nil, nil, err
		}
		if guests[extismGuest], err = buildExtism(ctx, dir, filepath.Join(work, "c")); err != nil {
			return nil, nil, err
		}
	}
	return guests, leftOut, nil
}

func copyC(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	files, err := fs.Sub(sdk.Files, "c/src")
	if err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(to, "railhead"), files)
}

// buildExtism compiles the same C files, with a few lines that fetch the request
// from Extism's memory and put the reply there.
func buildExtism(ctx context.Context, dir, c string) ([]byte, error) {
	compiler, err := build.FindClang(ctx)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(c, "railhead", "*.c"))
	if err != nil {
		return nil, err
	}
	out := filepath.Join(c, "extism.wasm")
	files = append(files, filepath.Join(c, "connector.c"), filepath.Join(dir, "extism", "extism.c"))
	if err := compileC(ctx, compiler, out, c, files); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// compileC works in two steps, as sdk/build does: given -O, the second would run a
// wasm-opt that happens to be installed.
func compileC(ctx context.Context, compiler, out, work string, files []string) error {
	clang := func(args ...string) error {
		cmd := exec.CommandContext(ctx, compiler, append([]string{"--target=wasm32-wasi", "-flto"}, args...)...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("clang: %w\n%s", err, text)
		}
		return nil
	}
	link := []string{"-mexec-model=reactor", "-Wl,--strip-all,--lto-O3", "-o", out}
	for n, file := range files {
		object := filepath.Join(work, fmt.Sprintf("%d.o", n))
		if err := clang("-std=c11", "-O3", "-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint",
			"-I", filepath.Join(work, "railhead"), "-c", "-o", object, file); err != nil {
			return err
		}
		link = append(link, object)
	}
	return clang(link...)
}

// buildBareC is the C guest without an SDK.
func buildBareC(ctx context.Context, dir, work string) ([]byte, error) {
	compiler, err := build.FindClang(ctx)
	if err != nil {
		return nil, err
	}
	source, out := filepath.Join(dir, "codec", "c"), filepath.Join(work, "bare.wasm")
	if err := compileC(ctx, compiler, out, work, []string{filepath.Join(source, "connector.c")}); err != nil {
		return nil, err
	}
	return withManifest(out, source)
}

// buildBareRust is the Rust guest without an SDK.
func buildBareRust(ctx context.Context, dir, work string) ([]byte, error) {
	compiler, err := build.FindRustc(ctx)
	if err != nil {
		return nil, err
	}
	source, out := filepath.Join(dir, "codec", "rust"), filepath.Join(work, "bare-rust.wasm")
	cmd := exec.CommandContext(ctx, compiler, "--edition", "2021", "--crate-name", "connector", "--crate-type", "cdylib",
		"--target", "wasm32-unknown-unknown", "-C", "opt-level=3", "-C", "panic=abort", "-C", "codegen-units=1",
		"-C", "linker=wasm-ld", "-C", "target-feature=+bulk-memory,+sign-ext,+nontrapping-fptoint", "-C", "lto=fat",
		"-C", "strip=symbols", "-o", out, filepath.Join(source, "connector.rs"))
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("rustc: %w\n%s", err, text)
	}
	return withManifest(out, source)
}

func withManifest(file, source string) ([]byte, error) {
	module, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := manifest.ReadFile(source)
	if err != nil {
		return nil, err
	}
	return manifest.IntoModule(module, m)
}
