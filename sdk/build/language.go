package build

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// language is one that Module builds connectors from. compile writes the module,
// still without its manifest, to the file out; tmp is a folder it may fill.
type language struct {
	name    string
	markers []string // files, or patterns of files, that show the language
	compile func(ctx context.Context, dir, tmp, out string) error
}

// languages are asked in this order; each has a file of its own in this package.
var languages = []language{golang, rustc, typescript, clang, assemblyscript}

// Toolchain says whether connectors of a language can be built here.
type Toolchain struct {
	Lang    string // as `railhead connector new --lang` has it
	Name    string
	Missing error // nil: nothing; else what, and where to get it
}

// Toolchains looks for what each language needs.
func Toolchains(ctx context.Context) []Toolchain {
	_, errGo := exec.LookPath("go")
	_, errRust := FindRustc(ctx)
	_, errC := FindClang(ctx)
	return []Toolchain{
		{"go", golang.name, errGo},
		{"rust", rustc.name, errRust},
		{"ts", typescript.name, cmp.Or(errC, findQuickjs())}, // the engine of scripts is compiled from C, once
		{"c", clang.name, errC},
	}
}

// detect finds out what a connector is written in.
func detect(dir string) (language, error) {
	var known []string
	for _, l := range languages {
		for _, marker := range l.markers {
			if found, err := filepath.Glob(filepath.Join(dir, marker)); err == nil && len(found) > 0 {
				return l, nil
			}
		}
		known = append(known, l.name+" ("+strings.Join(l.markers, ", ")+")")
	}
	if _, err := os.Stat(dir); err != nil {
		return language{}, fmt.Errorf("build: %w", err)
	}
	return language{}, fmt.Errorf("build: %s holds nothing that can be built; what can be is %s", dir, strings.Join(known, ", "))
}
