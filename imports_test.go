// Package railhead_test holds the one rule that belongs to no room: who may
// import whom.
package railhead_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/railhead-hub/railhead"

// policy is the import policy of design.md, section 2. Do not change it to fix a
// build: it is what the rooms promise each other. A room covers its subfolders,
// and so does what it may import; the longest room that matches decides.
//
//	a : b c     of this module, a imports only b and c
//	a ! x y     a imports neither x nor y, nor what is below them
//	x @ a       of this module, only a imports x
//	test a ! x  as !, but test files of a are held to this instead
//
//nolint:dupword // a room that imports only itself is named twice
const policy = `
engine   : engine
sdk      : sdk
plugins  : plugins sdk
core     : core engine sdk
opsd     : opsd engine/v1 core/v1
examples : examples sdk engine/v1 core/v1 opsd/v1
cmd      : engine sdk plugins core opsd examples cmd tools
tools    : tools

# The process engine is a pure function: nothing behind it may see a clock, a
# disk, a network or chance. Its tests may open files, for that is where their
# scripts are, and nothing else of this list.
engine      ! time os net sync log context math/rand crypto/rand
test engine ! time net sync log context math/rand crypto/rand

# What runs inside the sandbox never sees the sandbox.
sdk/go  ! ` + module + `/sdk/host
sdk/abi ! ` + module + `/sdk/host
plugins ! ` + module + `/sdk/host

# One owner for each of the heavy things.
github.com/tetratelabs/wazero   @ sdk
github.com/hashicorp/raft       @ core/replica
github.com/hashicorp/raft-wal   @ core/replica
go.etcd.io/bbolt                @ core/replica
github.com/failsafe-go          @ core/egress
code.dny.dev/ssrf               @ core/egress
`

type rule struct {
	room  string
	verb  string // ":", "!", "@"
	test  bool   // applies to test files in place of the plain rule
	names []string
}

func parsePolicy(t *testing.T) []rule {
	t.Helper()
	var rules []rule
	for line := range strings.Lines(policy) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		r := rule{}
		if fields[0] == "test" {
			r.test, fields = true, fields[1:]
		}
		if len(fields) < 3 || !slices.Contains([]string{":", "!", "@"}, fields[1]) {
			t.Fatalf("policy: cannot read %q", line)
		}
		r.room, r.verb, r.names = fields[0], fields[1], fields[2:]
		rules = append(rules, r)
	}
	return rules
}

// within says whether path is room or lies below it.
func within(path, room string) bool {
	return path == room || strings.HasPrefix(path, room+"/")
}

// longest returns the rule of that verb for the longest room that holds dir; a
// rule for test files goes before a plain one of the same room.
func longest(rules []rule, verb, dir string, test bool) (best rule, ok bool) {
	for _, r := range rules {
		if r.verb != verb || !within(dir, r.room) || r.test && !test {
			continue
		}
		if !ok || len(r.room) > len(best.room) || len(r.room) == len(best.room) && r.test {
			best, ok = r, true
		}
	}
	return best, ok
}

// violation says why a file in dir may not import path, or nothing.
func violation(rules []rule, dir string, test bool, path string) string {
	if inside, ours := strings.CutPrefix(path, module+"/"); ours {
		if r, ok := longest(rules, ":", dir, test); !ok {
			return "no rule names this folder"
		} else if !slices.ContainsFunc(r.names, func(n string) bool { return within(inside, n) }) {
			return r.room + " imports only " + strings.Join(r.names, ", ")
		}
	}
	if r, ok := longest(rules, "!", dir, test); ok {
		for _, n := range r.names {
			if within(path, n) {
				return r.room + " never imports " + n
			}
		}
	}
	for _, r := range rules {
		if r.verb == "@" && within(path, r.room) &&
			!slices.ContainsFunc(r.names, func(n string) bool { return within(dir, n) }) {
			return "only " + strings.Join(r.names, ", ") + " imports " + r.room
		}
	}
	return ""
}

// TestImports parses every Go file itself: a test that asks the go command is
// answered from the test cache after a file has changed.
func TestImports(t *testing.T) {
	rules := parsePolicy(t)
	seen := 0
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if file != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		// Generated code imports what its runtime needs, sync among it.
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, ".pb.go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir == "." {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := violation(rules, dir, strings.HasSuffix(name, "_test.go"), path); why != "" {
				t.Errorf("%s imports %s: %s", filepath.ToSlash(file), path, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("found no Go file: is the test run in the module's root?")
	}
}

// TestPolicyBites proves that the rules refuse what they are there to refuse.
func TestPolicyBites(t *testing.T) {
	rules := parsePolicy(t)
	cases := []struct {
		dir, path string
		test      bool
		allowed   bool
	}{
		{"engine", module + "/engine/bpmn", false, true},
		{"engine", module + "/core/replica", false, false},
		{"engine", module + "/core/replica", true, false},
		{"engine/feel", "time", false, false},
		{"engine/feel", "log/slog", false, false},
		{"engine/feel", "math/rand/v2", false, false},
		{"engine/feel", "math/bits", false, true},
		{"engine", "os", false, false},
		{"engine", "os", true, true},
		{"engine", "time", true, false},
		{"sdk/go", module + "/sdk/host", false, false},
		{"sdk/conformance", module + "/sdk/host", false, true},
		{"plugins/ams/bank", module + "/sdk/go", false, true},
		{"plugins/ams/bank", module + "/sdk/host", false, false},
		{"plugins/ams/bank", module + "/examples/bank", true, false},
		{"opsd/consume", module + "/engine/v1", false, true},
		{"opsd/consume", module + "/engine", false, false},
		{"core/control", "github.com/hashicorp/raft", false, false},
		{"core/replica", "github.com/hashicorp/raft", false, true},
		{"attic", module + "/engine", false, false},
		{"attic", "fmt", false, true},
	}
	for _, c := range cases {
		why := violation(rules, c.dir, c.test, c.path)
		if (why == "") != c.allowed {
			t.Errorf("%s imports %s (test %v): allowed %v, want %v (%s)", c.dir, c.path, c.test, why == "", c.allowed, why)
		}
	}
}
