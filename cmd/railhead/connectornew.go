package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/template"
)

func (a *app) connectorNew() *cobra.Command {
	c := template.Connector{Version: builtAs()}
	var dir string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make the folder of a new connector, which builds and passes its tests",
		Long: `Make the folder of a new connector: source, manifest, vectors and a README that
says how to go on. It builds and passes its tests at once, needs no network and
does not have to be near the sources of Railhead: the SDK comes with it, in the
version of this binary.

A kind is what a connector joins the hub to: ams, a core banking system; channel,
an API that customers' apps call; scheme, a payment scheme.`,
		Example: `  railhead connector new --lang go --kind ams green-ledger
  railhead connector new --lang rust --kind scheme instant-rail --dir ~/src/instant-rail`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c.Name = args[0]
			if dir == "" {
				dir = c.Name
			}
			files, err := template.New(c, dir)
			if wrong := (*template.RequestError)(nil); errors.As(err, &wrong) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{"dir": dir, "files": files})
			}
			for _, f := range files {
				if !strings.HasPrefix(f, "railhead/") {
					fmt.Fprintln(a.out, filepath.Join(dir, filepath.FromSlash(f)))
				}
			}
			fmt.Fprintf(a.out, "\nnext: railhead connector test %s\n", dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&c.Lang, "lang", "go", "the `language`: "+strings.Join(template.Langs(), ", "))
	cmd.Flags().StringVar(&c.Kind, "kind", "ams", "the `kind`: "+strings.Join(template.Kinds, ", "))
	cmd.Flags().StringVar(&dir, "dir", "", "the `folder` to make; NAME here unless set")
	return cmd
}

func (a *app) connectorLanguages() *cobra.Command {
	return &cobra.Command{
		Use:     "languages",
		Short:   "List the languages that connectors are written in, and what is missing to build them",
		Example: "  railhead connector languages",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []map[string]string
			t := newTable(a.out, "lang", "language", "kinds", "here")
			for _, tool := range build.Toolchains(cmd.Context()) {
				var kinds []string
				for _, kind := range template.Kinds {
					if template.Has(tool.Lang, kind) {
						kinds = append(kinds, kind)
					}
				}
				here, missing := "yes", ""
				if tool.Missing != nil {
					missing = tool.Missing.Error()
					here = "no: " + missing
				}
				t.row(tool.Lang, tool.Name, strings.Join(kinds, " "), here)
				list = append(list, map[string]string{"lang": tool.Lang, "language": tool.Name, "kinds": strings.Join(kinds, " "), "missing": missing})
			}
			if a.json {
				return printJSON(a.out, list)
			}
			return t.flush()
		},
	}
}
