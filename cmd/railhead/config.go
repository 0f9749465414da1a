package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/settings"
)

func (a *app) configCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration, list its keys", GroupID: "run"}
	cmd.AddCommand(
		&cobra.Command{
			Use:     "check",
			Short:   "Read the configuration as a process would, and say what is wrong with it",
			Example: "  railhead config check --config node.yaml",
			Args:    cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				// Loading has refused unknown keys and wrong types already.
				if err := a.settings.Check(); err != nil {
					return usageError{err}
				}
				if a.json {
					return printJSON(a.out, map[string]any{"ok": true, "file": a.file})
				}
				fmt.Fprintln(a.out, "ok")
				return nil
			},
		},
		&cobra.Command{
			Use:   "keys",
			Short: "List every key with its default and its variable of the environment",
			Example: `  railhead config keys | grep kafka
  railhead config keys --json`,
			Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				keys := settings.Keys("")
				if a.json {
					out := make([]map[string]string, 0, len(keys))
					for _, k := range keys {
						out = append(out, map[string]string{
							"key": k.Name, "default": k.Default, "help": k.Help, "env": settings.EnvName(k.Name),
						})
					}
					return printJSON(a.out, out)
				}
				t := newTable(a.out, "key", "default", "environment", "meaning")
				for _, k := range keys {
					t.row(k.Name, k.Default, settings.EnvName(k.Name), k.Help)
				}
				return t.flush()
			},
		},
	)
	return cmd
}
