package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	sdktypescript "github.com/railhead-hub/railhead/sdk/typescript"
)

// The engine that scripts run in is QuickJS, in the C sources of quickjs-ng 0.16.2
// as the crate rquickjs-sys carries them, compiled with the glue of
// sdk/typescript/engine. Neither is in this repository as a binary: cargo fetches the
// archive once, from whatever registry it is set up for; it is held against the
// checksum, compiled once, and kept in the user's cache.
const (
	quickjsCrate   = "rquickjs-sys"
	quickjsVersion = "0.14.0"
	quickjsArchive = quickjsCrate + "-" + quickjsVersion + ".crate"
	// quickjsSum is the archive's SHA-256, the same that the registry's index has.
	quickjsSum      = "cee271d0eeba64f0915b846cb7ae02e16faf3dfdffdca91731101d9d30fe3423"
	quickjsFolder   = quickjsCrate + "-" + quickjsVersion + "/quickjs/"
	quickjsMaxBytes = 64 << 20

	// quickjsEnv may name the archive: a file, or the URL of a mirror.
	quickjsEnv = "RAILHEAD_QUICKJS"
)

// quickjsSources are the parts of QuickJS that the engine needs; the others read
// files and start threads.
var quickjsSources = []string{"quickjs.c", "dtoa.c", "libregexp.c", "libunicode.c"}

// quickjsPatches are the changes to QuickJS; each must fit exactly once.
var quickjsPatches = []struct{ file, old, new string }{
	// QuickJS does not guard its stack under WASI, though it can. With the guard,
	// recursion without end is an exception that says so and not a trap.
	{
		"quickjs.c",
		"#if defined(__wasi__)\n    rt->stack_limit = 0; /* no limit */\n#else",
		"#if 0\n#else",
	},
}

// engineStack is the size of the stack that C's addressable variables live on; the
// guard of QuickJS keeps a part of it free.
const engineStack = "1048576"

// engineFlags: the three features are WebAssembly 2.0's. A switch in place of QuickJS's
// computed jumps made nothing better.
var engineFlags = []string{
	"--target=wasm32-wasi", "-O3", "-flto", "-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint",
	"-D_GNU_SOURCE", "-DNDEBUG", "-DSTACK_BYTES=" + engineStack, "-I.", "-w",
}

// engineLink has no -O, as cLinkFlags has none.
var engineLink = []string{
	"--target=wasm32-wasi", "-mexec-model=reactor", "-flto",
	"-Wl,--strip-all,--stack-first,--lto-O3,-z,stack-size=" + engineStack,
}

// quickjs returns the compiled engine.
func quickjs(ctx context.Context) ([]byte, error) {
	compiler, err := FindClang(ctx)
	if err != nil {
		return nil, fmt.Errorf("build: the engine of scripts is compiled once: %w", err)
	}
	version, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("build: asking %s for its version: %w", compiler, err)
	}
	glue, err := engineSources()
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("build: where to keep the engine of scripts: %w", err)
	}
	cache = filepath.Join(cache, "railhead", "quickjs")
	kept := filepath.Join(cache, engineKey(glue, version)+".wasm")
	if engine, err := os.ReadFile(kept); err == nil {
		return engine, nil
	}
	sources, err := quickjsArchiveFiles(ctx, cache)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "compiling QuickJS for scripts; this is done once and takes up to a minute")
	maps.Copy(sources, glue)
	engine, err := compileEngine(ctx, compiler, sources, glue)
	if err != nil {
		return nil, err
	}
	return engine, keep(kept, engine)
}

// engineSources are the files of sdk/typescript/engine.
func engineSources() (map[string][]byte, error) {
	names, err := fs.Glob(sdktypescript.Files, "engine/*")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		text, err := sdktypescript.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("build: %w", err)
		}
		out[path.Base(name)] = text
	}
	return out, nil
}

// engineKey names what the engine is made from and with.
func engineKey(glue map[string][]byte, compiler []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n%q\n%s\n", quickjsSum, quickjsPatches, engineFlags, engineLink, compiler)
	names := make([]string, 0, len(glue))
	for name := range glue {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(glue[name]))
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// keep writes a file of the cache, whole or not at all.
func keep(name string, content []byte) error {
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	var tmp *os.File
	if err == nil {
		tmp, err = os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	}
	if err == nil {
		defer os.Remove(tmp.Name())
		_, err = tmp.Write(content)
		err = errors.Join(err, tmp.Close())
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// quickjsArchiveFiles returns QuickJS's sources from the verified archive.
func quickjsArchiveFiles(ctx context.Context, cache string) (map[string][]byte, error) {
	kept := filepath.Join(cache, quickjsArchive)
	archive, err := os.ReadFile(kept)
	if err != nil || sum(archive) != quickjsSum {
		if archive, err = fetchQuickjs(ctx); err != nil {
			return nil, fmt.Errorf("build: fetching QuickJS: %w; the archive %s with SHA-256 %s can also be put into %s, or named in %s",
				err, quickjsArchive, quickjsSum, cache, quickjsEnv)
		}
		if got := sum(archive); got != quickjsSum {
			return nil, fmt.Errorf("build: the archive of QuickJS has SHA-256 %s and not %s: it is not the one that was reviewed", got, quickjsSum)
		}
		if err := keep(kept, archive); err != nil {
			return nil, err
		}
	}
	return unpackQuickjs(archive)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// findQuickjs says what is missing for the sources of QuickJS to be had.
func findQuickjs() error {
	cache, err := os.UserCacheDir()
	if err == nil && os.Getenv(quickjsEnv) == "" {
		if _, err = os.Stat(filepath.Join(cache, "railhead", "quickjs", quickjsArchive)); err != nil {
			_, err = findCargo()
		}
	}
	return err
}

// fetchQuickjs returns the archive that the environment names, or what cargo fetches.
func fetchQuickjs(ctx context.Context) ([]byte, error) {
	from := os.Getenv(quickjsEnv)
	switch {
	case from == "":
		return fetchCrate(ctx, quickjsCrate, quickjsVersion)
	case !strings.Contains(from, "://"):
		return os.ReadFile(from)
	}
	fmt.Fprintln(os.Stderr, "fetching", from)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "railhead-connector-build")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", from, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, quickjsMaxBytes))
}

func unpackQuickjs(archive []byte) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("build: unpacking QuickJS: %w", err)
	}
	out := map[string][]byte{}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("build: unpacking QuickJS: %w", err)
		}
		name, below := strings.CutPrefix(header.Name, quickjsFolder)
		if !below || strings.Contains(name, "/") || !slices.Contains(quickjsSources, name) && path.Ext(name) != ".h" {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, quickjsMaxBytes))
		if err != nil {
			return nil, fmt.Errorf("build: unpacking QuickJS: %w", err)
		}
		out[name] = text
	}
	for _, p := range quickjsPatches {
		if bytes.Count(out[p.file], []byte(p.old)) != 1 {
			return nil, fmt.Errorf("build: %s of QuickJS is not as expected: it has not one %q", p.file, p.old)
		}
		out[p.file] = bytes.Replace(out[p.file], []byte(p.old), []byte(p.new), 1)
	}
	return out, nil
}

// compileEngine compiles in a folder of its own and with relative names, so that the
// engine does not depend on where that was.
func compileEngine(ctx context.Context, compiler string, sources, glue map[string][]byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "railhead-quickjs-")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(dir)
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, fmt.Errorf("build: %w", err)
		}
	}
	units := slices.Clone(quickjsSources)
	for name := range glue {
		if path.Ext(name) == ".c" {
			units = append(units, name)
		}
	}
	slices.Sort(units)
	link := slices.Clone(engineLink)
	failures := make([]error, len(units))
	var all sync.WaitGroup
	for i, unit := range units {
		link = append(link, unit+".o")
		all.Go(func() {
			cmd := exec.CommandContext(ctx, compiler, append(slices.Clone(engineFlags), "-c", unit, "-o", unit+".o")...)
			cmd.Dir = dir
			failures[i] = run(cmd)
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, compiler, append(link, "-lm", "-o", "engine.wasm")...)
	cmd.Dir = dir
	if err := run(cmd); err != nil {
		return nil, err
	}
	engine, err := os.ReadFile(filepath.Join(dir, "engine.wasm"))
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	return engine, nil
}
