package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// clang builds the C files of a folder, and those of the SDK in its folder
// railhead.
var clang = language{name: "C", markers: []string{"*.c"}, compile: compileC}

// ErrC says that no C compiler here can make connectors, or the engine of scripts; the text says what is
// missing.
var ErrC = errors.New("building a connector in C or TypeScript needs clang for wasm32-wasi (Debian packages clang, lld, wasi-libc and libclang-rt-14-dev-wasm32)")

// cFlags make the module small, fast and always the same.
var cFlags = []string{
	"--target=wasm32-wasi", "-std=c11", "-O3", "-flto", "-fno-color-diagnostics", "-Wall", "-Wextra",
	"-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint",
}

// cLinkFlags have no -O: with one, clang would run a wasm-opt that happens to be
// installed, which changes the module and may not know its features. The stack comes
// first in memory, so that one that overflows traps instead of overwriting data.
var cLinkFlags = []string{
	"--target=wasm32-wasi", "-mexec-model=reactor", "-flto",
	"-Wl,--strip-all,--stack-first,--lto-O3,-z,stack-size=131072",
}

func compileC(ctx context.Context, dir, tmp, out string) error {
	compiler, err := FindClang(ctx)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "railhead", "railhead.h")); err != nil {
		return fmt.Errorf("build: the C SDK belongs into the folder railhead: %w", err)
	}
	var objects []string
	for _, pattern := range []string{"*.c", "railhead/*.c"} {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			return fmt.Errorf("build: %w", err)
		}
		for _, file := range files {
			name, err := filepath.Rel(dir, file)
			if err != nil {
				return fmt.Errorf("build: %w", err)
			}
			object := filepath.Join(tmp, strconv.Itoa(len(objects))+".o")
			// __FILE__ names files; where these lie must not change the module.
			cmd := exec.CommandContext(ctx, compiler, append(slices.Clone(cFlags),
				"-ffile-prefix-map="+dir+"=.", "-Irailhead", "-c", "-o", object, name)...)
			cmd.Dir = dir
			if err := run(cmd); err != nil {
				return err
			}
			objects = append(objects, object)
		}
	}
	cmd := exec.CommandContext(ctx, compiler, slices.Concat(cLinkFlags, []string{"-o", out}, objects)...)
	cmd.Dir = dir
	return run(cmd)
}

// FindClang finds a compiler that has what connectors need: $CLANG, or the clang in
// PATH. The error is ErrC.
func FindClang(ctx context.Context) (string, error) {
	compiler := os.Getenv("CLANG")
	if compiler == "" {
		compiler = "clang"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		return "", fmt.Errorf("%w: there is no %s", ErrC, compiler)
	}
	if _, err := exec.LookPath("wasm-ld"); err != nil {
		return "", fmt.Errorf("%w: there is no wasm-ld", ErrC)
	}
	for ask, missing := range map[string]string{
		"-print-file-name=crt1-reactor.o": "wasi-libc is missing",
		"-print-libgcc-file-name":         "the compiler's own library for wasm32 is missing",
	} {
		answer, err := exec.CommandContext(ctx, compiler, "--target=wasm32-wasi", ask).Output() //nolint:gosec // whoever builds chooses the compiler
		if _, errStat := os.Stat(strings.TrimSpace(string(answer))); err != nil || errStat != nil {
			return "", fmt.Errorf("%w: %s", ErrC, missing)
		}
	}
	return compiler, nil
}
