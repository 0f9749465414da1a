package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// rustc builds a crate, with rustc alone or, if it has dependencies other than the
// SDK, with cargo.
var rustc = language{name: "Rust", markers: []string{"Cargo.toml"}, compile: compileRust}

const rustTarget = "wasm32-unknown-unknown"

// ErrRust says that no Rust compiler here can make connectors.
var ErrRust = errors.New("building a connector in Rust needs rustc with the target " + rustTarget +
	" and a linker (Debian packages rustc, libstd-rust-dev-wasm32 and lld; with rustup: rustup target add " + rustTarget + ")")

// rustFlags make the module small, fast and always the same. A panic traps, since
// the target cannot unwind. Bulk memory instructions, which every host of ours has,
// copy in one go.
var rustFlags = []string{
	"--target", rustTarget, "-C", "opt-level=3", "-C", "panic=abort", "-C", "codegen-units=1", "-C", "debuginfo=0",
	"-C", "linker=wasm-ld", "-C", "target-feature=+bulk-memory,+sign-ext,+nontrapping-fptoint",
}

func compileRust(ctx context.Context, dir, tmp, out string) error {
	compiler, err := FindRustc(ctx)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	root := filepath.Join("src", "lib.rs")
	if _, err := os.Stat(filepath.Join(dir, root)); err != nil {
		return fmt.Errorf("build: a connector in Rust begins in src/lib.rs: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Cargo.toml"))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	path, others := rustDependencies(string(text))
	if path == "" {
		return fmt.Errorf(`build: %s names no SDK: it needs railhead = { path = "railhead" } under [dependencies]`, filepath.Join(dir, "Cargo.toml"))
	}
	sdk := filepath.Join(dir, filepath.FromSlash(path))
	// Panics name source files; where these lie must not change the module.
	flags := append(slices.Clone(rustFlags), "--remap-path-prefix", sdk+"=railhead", "--remap-path-prefix", dir+"=.")
	if others {
		return cargo(ctx, compiler, dir, tmp, out, append(flags, "-C", "strip=symbols"))
	}
	library := filepath.Join(tmp, "librailhead.rlib")
	for _, args := range [][]string{
		{"--crate-name", "railhead", "--crate-type", "rlib", "--cap-lints", "allow", "-o", library, filepath.Join(sdk, root)},
		{"--crate-name", "connector", "--crate-type", "cdylib", "-C", "lto=fat", "-C", "strip=symbols",
			"--extern", "railhead=" + library, "-o", out, root},
	} {
		cmd := exec.CommandContext(ctx, compiler, slices.Concat([]string{"--edition", "2021", "--color", "never"}, flags, args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "RUSTC_BOOTSTRAP=", "RUSTFLAGS=")
		if err := run(cmd); err != nil {
			return err
		}
	}
	return nil
}

// FindRustc finds a compiler that has the target: $RUSTC, the one in PATH, which
// rustup may have put there without the target, or the system's own. The error is
// ErrRust.
func FindRustc(ctx context.Context) (string, error) {
	for _, candidate := range []string{os.Getenv("RUSTC"), "rustc", "/usr/bin/rustc"} {
		if candidate == "" {
			continue
		}
		out, err := exec.CommandContext(ctx, candidate, "--print", "target-libdir", "--target", rustTarget).Output() //nolint:gosec // whoever builds chooses the compiler
		if err != nil {
			continue
		}
		libraries, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "libstd-*.rlib"))
		if err == nil && len(libraries) > 0 {
			if _, err := exec.LookPath("wasm-ld"); err != nil {
				return "", fmt.Errorf("%w: wasm-ld is missing", ErrRust)
			}
			return candidate, nil
		}
	}
	return "", ErrRust
}

var rustPath = regexp.MustCompile(`^railhead\s*=\s*\{[^}]*\bpath\s*=\s*"([^"]+)"`)

// rustDependencies finds the folder of the SDK among the dependencies of a
// Cargo.toml, and whether there are others. Those for tests only do not count.
func rustDependencies(cargoTOML string) (path string, others bool) {
	section := ""
	for line := range strings.Lines(cargoTOML) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[] ")
			if strings.HasPrefix(section, "dependencies.") || strings.HasPrefix(section, "target.") || section == "build-dependencies" {
				others = true
			}
		case section == "dependencies":
			if found := rustPath.FindStringSubmatch(line); found != nil {
				path = found[1]
			} else {
				others = true
			}
		}
	}
	return path, others
}

// cargoOf finds the cargo that was installed with a compiler: one that is newer asks a
// compiler for what it does not know. Without one beside it, it is the one in PATH.
func cargoOf(compiler string) (string, error) {
	if found, err := exec.LookPath(compiler); err == nil {
		beside := filepath.Join(filepath.Dir(found), "cargo")
		if _, err := exec.LookPath(beside); err == nil {
			return beside, nil
		}
	}
	found, err := exec.LookPath("cargo")
	if err != nil {
		return "", errors.New("build: a crate with dependencies besides the SDK needs cargo (Debian package cargo)")
	}
	return found, nil
}

// cargo builds a crate that has dependencies: from the registry's cache or a
// vendored folder, never from the network, and as Cargo.lock says.
func cargo(ctx context.Context, compiler, dir, tmp, out string, flags []string) error {
	program, err := cargoOf(compiler)
	if err != nil {
		return err
	}
	target := filepath.Join(tmp, "target")
	cmd := exec.CommandContext(ctx, program, "build", "--release", "--lib", "--offline", "--locked", "--quiet",
		"--color", "never", "--target", rustTarget, "--target-dir", target)
	cmd.Dir = dir
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "--target" || f == rustTarget })
	cmd.Env = append(os.Environ(), "RUSTC="+compiler, "RUSTC_BOOTSTRAP=", "RUSTFLAGS=",
		"CARGO_ENCODED_RUSTFLAGS="+strings.Join(flags, "\x1f"))
	if err := run(cmd); err != nil {
		return err
	}
	modules, err := filepath.Glob(filepath.Join(target, rustTarget, "release", "*.wasm"))
	if err != nil || len(modules) != 1 {
		return fmt.Errorf(`build: cargo made %d modules, not one: Cargo.toml needs [lib] crate-type = ["cdylib"]`, len(modules))
	}
	if err := os.Rename(modules[0], out); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}
