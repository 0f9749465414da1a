package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func (a *app) connectorBuild() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "build DIR",
		Short: "Compile a connector, with its manifest, to one module",
		Long: `Compile the connector in DIR to WebAssembly, in whatever language it is written,
and put its manifest.json into the module. The same source and toolchain give the
same bytes. It needs the language's toolchain, and says what is missing.`,
		Example: "  railhead connector build plugins/ams/bank -o bin/connectors/ams-bank.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(filepath.Join(args[0], manifest.File)); err != nil {
				return usagef("%s is no connector's folder: %w", args[0], err)
			}
			if out == "" {
				dir, err := filepath.Abs(args[0])
				if err != nil {
					return err
				}
				out = filepath.Base(dir) + ".wasm"
			}
			if err := build.File(cmd.Context(), args[0], out); err != nil {
				return err
			}
			return a.describe(out, false)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write; the folder's name with .wasm unless set")
	return cmd
}

func (a *app) connectorInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect MODULE",
		Short: "Show what a module is, and refuse what is no connector",
		Long: `Show what a module is. It is admitted, compiled and started as a node would do
it; what a node would refuse is refused here, by the same name (exit code 3).`,
		Example: "  railhead connector inspect bin/connectors/ams-bank.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			module, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			opened, err := host.Open(cmd.Context(), module, host.Options{})
			if err != nil {
				return refusedf("%s: %w", args[0], err)
			}
			defer opened.Close(context.WithoutCancel(cmd.Context())) //nolint:errcheck // the process ends
			return a.describe(args[0], true)
		},
	}
}

// describe prints a module's manifest; in full or in a line.
func (a *app) describe(file string, full bool) error {
	module, err := os.ReadFile(file)
	if err != nil {
		return usageError{err}
	}
	m, err := manifest.FromModule(module)
	if err != nil {
		return refusedf("%s: %w", file, err)
	}
	digest := sha256.Sum256(module)
	if a.json {
		text, err := manifest.JSON(m)
		if err != nil {
			return err
		}
		return printJSON(a.out, map[string]any{
			"file": file, "digest": hex.EncodeToString(digest[:]), "size_bytes": len(module), "manifest": json.RawMessage(text),
		})
	}
	if !full {
		fmt.Fprintf(a.out, "%s: %s %s (%s), %.1f MiB, %s\n", file, m.GetName(), m.GetVersion(), m.GetKind(), float64(len(module))/(1<<20), shortDigest(digest[:]))
		return nil
	}
	return a.printManifest(m, digest[:], len(module))
}

func (a *app) printManifest(m *sdkv1.Manifest, digest []byte, size int) error {
	fmt.Fprintf(a.out, "%s %s, a connector of kind %s\n", m.GetName(), m.GetVersion(), m.GetKind())
	if m.GetDescription() != "" {
		fmt.Fprintln(a.out, m.GetDescription())
	}
	fmt.Fprintf(a.out, "sha256 %x, %d bytes\n", digest, size)
	list := func(title string, n int, row func(*table, int), head ...string) error {
		if n == 0 {
			return nil
		}
		fmt.Fprintf(a.out, "\n%s\n", title)
		t := newTable(a.out, head...)
		for i := range n {
			row(t, i)
		}
		return t.flush()
	}
	return firstError(
		list("Jobs", len(m.GetJobs()), func(t *table, i int) {
			j := m.GetJobs()[i]
			t.row(j.GetType(), strings.Join(j.GetInputs(), " "), j.GetMoney())
		}, "type", "inputs", "moves money"),
		list("Routes", len(m.GetRoutes()), func(t *table, i int) {
			r := m.GetRoutes()[i]
			t.row(r.GetName(), r.GetMethod(), r.GetPath(), r.GetTenantHeader())
		}, "name", "method", "path", "tenant from"),
		list("Endpoints", len(m.GetEndpoints()), func(t *table, i int) {
			e := m.GetEndpoints()[i]
			t.row(e.GetName(), e.GetMode(), e.GetKeyHeader())
		}, "name", "mode", "key header"),
		list("Secrets and keys, by reference", len(m.GetSecrets())+len(m.GetKeys()), func(t *table, i int) {
			t.row(append(append([]string{}, m.GetSecrets()...), m.GetKeys()...)[i])
		}, "name"),
		list("Masked", len(m.GetSensitive()), func(t *table, i int) { t.row(m.GetSensitive()[i]) }, "field"),
	)
}
