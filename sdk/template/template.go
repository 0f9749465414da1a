package template

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk"
)

// Kinds are the kinds of connectors that there are templates for.
var Kinds = []string{"ams", "channel", "scheme"}

// languages maps what --lang takes to the language's folder in sdk/.
var languages = map[string]string{"go": "go", "rust": "rust", "ts": "typescript", "c": "c"}

// Langs are the languages that have templates, as --lang takes them.
func Langs() []string {
	var out []string
	for _, lang := range []string{"go", "rust", "ts", "c"} {
		if _, err := fs.Stat(sdk.Files, languages[lang]+"/template"); err == nil {
			out = append(out, lang)
		}
	}
	return out
}

// Has reports whether there is a template of the kind in the language.
func Has(lang, kind string) bool {
	_, err := fs.Stat(sdk.Files, languages[lang]+"/template/"+kind)
	return err == nil
}

// Connector is what is to be made.
type Connector struct {
	Name    string // kebab-case, at most 64 characters
	Lang    string // one of Langs
	Kind    string // one of Kinds
	Version string // of this binary
}

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// A RequestError says what of a Connector nothing can be made of.
type RequestError struct{ Text string }

func (e *RequestError) Error() string { return e.Text }

func (c Connector) check() error {
	switch {
	case !kebab.MatchString(c.Name) || len(c.Name) > 64:
		return &RequestError{fmt.Sprintf("a connector's name is in lower case with hyphens, as in green-ledger; %q is not", c.Name)}
	case !slices.Contains(Kinds, c.Kind):
		return &RequestError{fmt.Sprintf("there is no kind %q, only %s", c.Kind, strings.Join(Kinds, ", "))}
	case !slices.Contains(Langs(), c.Lang):
		return &RequestError{fmt.Sprintf("there is no template in %q, only in %s", c.Lang, strings.Join(Langs(), ", "))}
	case !Has(c.Lang, c.Kind):
		return &RequestError{fmt.Sprintf("there is no template of kind %s in %s", c.Kind, c.Lang)}
	}
	return nil
}

// New writes the connector's folder and returns the paths of its files, relative
// to dir and in order. The folder must not exist, or be empty; it appears whole or
// not at all.
func New(c Connector, dir string) ([]string, error) {
	files, err := Files(c)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, &RequestError{dir + " exists and is not empty"}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &RequestError{dir + " is no folder"}
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".new-connector-")
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	defer os.RemoveAll(tmp)
	names := make([]string, 0, len(files))
	for name, content := range files {
		names = append(names, name)
		file := filepath.Join(tmp, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	slices.Sort(names)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("template: %w", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return names, nil
}

// Files are the files of a new connector by path.
func Files(c Connector) (map[string][]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	own := path.Join(languages[c.Lang], "template")
	about, err := fs.ReadFile(sdk.Files, own+"/about.txt")
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	replace := func(about string) *strings.Replacer {
		return strings.NewReplacer("{{.Name}}", c.Name, "{{.Ident}}", strings.ReplaceAll(c.Name, "-", "_"),
			"{{.Kind}}", c.Kind, "{{.Lang}}", c.Lang, "{{.Version}}", c.Version, "{{.About}}", about)
	}
	replacer := replace(strings.TrimSpace(replace("").Replace(string(about))))
	out := map[string][]byte{}
	for _, folder := range []string{"template/common", "template/" + c.Kind, own + "/common", own + "/" + c.Kind} {
		err := fs.WalkDir(sdk.Files, folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(sdk.Files, name)
			if err != nil {
				return err
			}
			out[target(strings.TrimPrefix(name, folder+"/"))] = []byte(replacer.Replace(string(text)))
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	if err := addSDK(out, own+"/sdk.txt"); err != nil {
		return nil, err
	}
	return out, nil
}

// target is the path that a template's file is written to.
func target(name string) string {
	parts := strings.Split(strings.TrimSuffix(name, ".tmpl"), "/")
	for i, p := range parts {
		if rest, ok := strings.CutPrefix(p, "dot-"); ok {
			parts[i] = "." + rest
		}
	}
	return path.Join(parts...)
}

// addSDK adds the files that sdk.txt lists; a language without one needs none.
func addSDK(out map[string][]byte, list string) error {
	text, err := fs.ReadFile(sdk.Files, list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	type pattern struct{ from, to string }
	var patterns []pattern
	var not []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case len(words) == 1 && words[0][0] == '!':
			not = append(not, words[0][1:])
		case len(words) == 2:
			patterns = append(patterns, pattern{words[0], words[1]})
		default:
			return fmt.Errorf("template: %s: %q is not a pattern and a folder", list, strings.TrimSpace(line))
		}
	}
	left := func(name string) bool {
		return slices.ContainsFunc(not, func(p string) bool { ok, err := path.Match(p, name); return ok && err == nil })
	}
	for _, p := range patterns {
		names, err := fs.Glob(sdk.Files, p.from)
		if err != nil || len(names) == 0 {
			return fmt.Errorf("template: %s: %q matches nothing that sdk/files.go embeds", list, p.from)
		}
		for _, name := range names {
			if left(name) {
				continue
			}
			if info, err := fs.Stat(sdk.Files, name); err != nil || info.IsDir() {
				continue
			}
			text, err := fs.ReadFile(sdk.Files, name)
			if err != nil {
				return fmt.Errorf("template: %w", err)
			}
			out[path.Join(p.to, path.Base(name))] = text
		}
	}
	return nil
}
