package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/railhead-hub/railhead/cmd/railhead/proc"
	"github.com/railhead-hub/railhead/cmd/railhead/settings"
)

// version is the build's, set by the linker.
var version string

// builtAs is the version: what the linker was given, else what Go has noted of the
// module.
func builtAs() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// app is what every verb shares: where to write, and what the global flags say.
type app struct {
	out, err io.Writer
	settings settings.Settings
	wire     *http.Client // to nodes and opsd

	file    string
	orphan  bool // stop when standard input closes
	json    bool
	timeout time.Duration
	reason  string
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errQuiet) {
		printError(stderr, err)
		if exitCode(err) == exitUsage {
			fmt.Fprintln(stderr, "Run the command with --help for its usage.")
		}
	}
	return exitCode(err)
}

// errQuiet ends a command with exit code 1 when all has been said already.
var errQuiet = errors.New("")

func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "railhead",
		Short: "A payment hub whose connectors are WebAssembly modules",
		Long: `Railhead moves payments between the systems of a bank or wallet, its customer
channels and the payment schemes it takes part in.

"railhead dev" starts a whole hub on this machine. "railhead node" and "railhead
opsd" are the two processes of a real one. The other verbs talk to them.

Settings come from a file (--config or RAILHEAD_CONFIG), from the environment
(node.dir is RAILHEAD_NODE_DIR) and from flags, each over the one
before. "railhead config keys" lists them.

` + exitHelp,
		Version:       builtAs(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.orphan {
				cmd.SetContext(untilClosed(cmd.Context(), os.Stdin))
			}
			return a.load(cmd)
		},
	}
	cmd.SetOut(a.out)
	cmd.SetErr(a.err)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.SetVersionTemplate("railhead {{.Version}}\n")

	flags := cmd.PersistentFlags()
	flags.StringVar(&a.file, "config", os.Getenv("RAILHEAD_CONFIG"), "configuration `file` (YAML)")
	flags.BoolVar(&a.json, "json", false, "write JSON, for programs")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long to wait for an answer")
	flags.BoolVar(&a.orphan, proc.ExitWithParent, false, "stop when standard input closes")
	_ = flags.MarkHidden(proc.ExitWithParent)
	settingFlags(flags, "client", "")
	settingFlags(flags, "log", "log-")

	cmd.AddGroup(
		&cobra.Group{ID: "run", Title: "Processes:"},
		&cobra.Group{ID: "work", Title: "Work with a hub:"},
		&cobra.Group{ID: "make", Title: "Make connectors and flows:"},
	)
	for _, verb := range a.verbs() {
		cmd.AddCommand(verb)
	}
	refuseStrangers(cmd)
	return cmd
}

func (a *app) verbs() []*cobra.Command {
	return []*cobra.Command{
		a.devCmd(),
		a.nodeCmd(),
		a.opsdCmd(),
		a.benchCmd(),
		a.benchLoadCmd(),
		a.exampleCmd(),
		a.configCmd(),
		a.flowCmd(),
		a.connectorCmd(),
		a.tenantCmd(),
		a.paymentCmd(),
		a.taskCmd(),
		a.signalCmd(),
		a.linkCmd(),
		a.clusterCmd(),
		a.versionCmd(),
	}
}

// refuseStrangers makes a command that only groups others refuse an unknown one
// as wrong usage; cobra would print its help and succeed.
func refuseStrangers(cmd *cobra.Command) {
	if cmd.HasSubCommands() && cmd.Run == nil && cmd.RunE == nil {
		cmd.SuggestionsMinimumDistance = 2
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			msg := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				msg += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usageError{errors.New(msg)}
		}
	}
	if cmd.Args != nil {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		refuseStrangers(sub)
	}
}

// untilClosed ends the context when the reader does. Nothing is ever written to
// it: it is the end of a pipe that our parent holds.
func untilClosed(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r)
		cancel()
	}()
	return ctx
}

// settingKey marks a flag that sets a key of the schema.
const settingKey = "railhead_setting"

// settingFlags adds a flag for each setting of a section: node.kafka.brokers becomes
// --kafka-brokers. The flags hold no value of their own; load reads those that were
// given.
func settingFlags(flags *pflag.FlagSet, section, prefix string) {
	for _, k := range settings.Keys(section) {
		name := prefix + strings.NewReplacer("_", "-", ".", "-").Replace(strings.TrimPrefix(k.Name, section+"."))
		if flags.Lookup(name) != nil {
			continue
		}
		flags.String(name, k.Default, k.Help)
		f := flags.Lookup(name)
		if k.IsBool() {
			f.NoOptDefVal = "true"
		}
		f.Annotations = map[string][]string{settingKey: {k.Name}}
	}
}

// load reads the settings that this command line means.
func (a *app) load(cmd *cobra.Command) error {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if key := f.Annotations[settingKey]; len(key) == 1 {
			given[key[0]] = f.Value.String()
		}
	})
	s, err := settings.Load(settings.Sources{File: a.file, Env: os.Environ(), Flags: given})
	if err != nil {
		return usageError{err}
	}
	a.settings = s
	if a.wire, err = a.http(); err != nil {
		return err
	}
	log, err := logger(a.err, s.Log)
	if err != nil {
		return usageError{err}
	}
	slog.SetDefault(log)
	return nil
}

// logger builds the process's log. It goes to stderr: stdout is for results.
func logger(w io.Writer, s settings.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %q is none of debug, info, warn, error", s.Level)
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log.format: %q is neither text nor json", s.Format)
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return printJSON(a.out, map[string]string{"version": builtAs()})
			}
			fmt.Fprintln(a.out, "railhead", builtAs())
			return nil
		},
	}
}
