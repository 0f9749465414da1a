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
)

// languages are the guests in the order of the table.
var languages = []string{"go", "rust", "c", "typescript"}

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
	if guests["c"] != nil {
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
	clang := func(args ...string) error {
		cmd := exec.CommandContext(ctx, compiler, append([]string{"--target=wasm32-wasi", "-flto"}, args...)...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("clang: %w\n%s", err, text)
		}
		return nil
	}
	// In two steps, as sdk/build does it: given -O, the second would run a wasm-opt
	// that happens to be installed.
	out := filepath.Join(c, "extism.wasm")
	link := []string{"-mexec-model=reactor", "-Wl,--strip-all,--lto-O3", "-o", out}
	for n, file := range append(files, filepath.Join(c, "connector.c"), filepath.Join(dir, "extism", "extism.c")) {
		object := filepath.Join(c, fmt.Sprintf("%d.o", n))
		if err := clang("-std=c11", "-O3", "-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint",
			"-I", filepath.Join(c, "railhead"), "-c", "-o", object, file); err != nil {
			return nil, err
		}
		link = append(link, object)
	}
	if err := clang(link...); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}
