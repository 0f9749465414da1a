package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestMain lets the scripts run this program as the command railhead.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"railhead": main})
}

// TestCommandLine runs testdata/*.txtar: command lines with what they print and
// how they exit. Set RAILHEAD_REWRITE=1 to write what they print now.
func TestCommandLine(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("RAILHEAD_REWRITE") == "1",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOFLAGS", "GOSUMDB"} {
				if value, ok := os.LookupEnv(name); ok {
					env.Setenv(name, value)
				}
			}
			// Building a connector needs the caches of the one who tests.
			home, err := os.UserHomeDir()
			if err == nil {
				env.Setenv("HOME", home)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "rootof": rootof, "altered": altered, "recorded": recorded, "model": model, "asflow": asflow,
		},
	})
}

// TestExamples holds that every verb shows how it is used.
func TestExamples(t *testing.T) {
	plain := []string{"railhead version", "railhead help", "railhead completion"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || slices.Contains(plain, cmd.CommandPath()) {
			return
		}
		if !cmd.HasSubCommands() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&app{out: io.Discard, err: io.Discard}).root())
}

// exits CODE COMMAND ARGS runs a command that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = exitText(err)
	}
	if got != args[0] {
		ts.Fatalf("%v exited with %s, want %s", args[1:], got, args[0])
	}
}

// exitText is the exit code in an error of a command, or the error itself.
func exitText(err error) string {
	const prefix = "exit status "
	text := err.Error()
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return text
}
