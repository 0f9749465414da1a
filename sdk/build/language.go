package build

import (
	"context"
	"fmt"
	"os"
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
