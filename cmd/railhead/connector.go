package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) connectorCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "connector", Short: "Build, test and install connectors", GroupID: "make"}
	cmd.AddCommand(a.connectorNew(), a.connectorBuild(), a.connectorTest(), a.connectorInspect(), a.connectorInstall(), a.connectorActivate(), a.connectorList())
	return cmd
}

func (a *app) connectorInstall() *cobra.Command {
	var tenants []string
	cmd := &cobra.Command{
		Use:   "install MODULE...",
		Short: "Verify modules, store them on the cluster, and make them ready",
		Example: `  railhead connector install bin/connectors/*.wasm
  railhead connector install ams-bank.wasm --activate greenbank`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := newTable(a.out, "connector", "version", "kind", "digest", "jobs")
			for _, file := range args {
				module, err := os.ReadFile(file)
				if err != nil {
					return usageError{err}
				}
				done, err := a.install(cmd.Context(), module)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				for _, tenant := range tenants {
					if err := a.activate(cmd.Context(), tenant, done.GetName(), done.GetDigest()); err != nil {
						return fmt.Errorf("%s for %s: %w", done.GetName(), tenant, err)
					}
				}
				if a.json {
					if err := printJSON(a.out, map[string]any{
						"name": done.GetName(), "version": done.GetVersion(), "kind": done.GetKind(),
						"digest": hex.EncodeToString(done.GetDigest()), "job_types": done.GetJobTypes(), "activated": tenants,
					}); err != nil {
						return err
					}
					continue
				}
				t.row(done.GetName(), done.GetVersion(), done.GetKind(), shortDigest(done.GetDigest()), len(done.GetJobTypes()))
			}
			if a.json {
				return nil
			}
			return t.flush()
		},
	}
	cmd.Flags().StringSliceVar(&tenants, "activate", nil, "make them serve these `tenants` at once")
	a.reasonFlag(cmd)
	return cmd
}

// install uploads a module.
func (a *app) install(ctx context.Context, module []byte) (*corev1.InstallConnectorResponse, error) {
	ctx, cancel := a.call(ctx)
	defer cancel()
	return devhub.Install(ctx, a.control(), module, a.actor())
}

func (a *app) activate(ctx context.Context, tenant, connector string, digest []byte) error {
	ctx, cancel := a.call(ctx)
	defer cancel()
	_, err := a.control().ActivateConnector(ctx, &corev1.ActivateConnectorRequest{
		Tenant: tenant, Connector: connector, Digest: digest, Actor: a.actor(),
	})
	return err
}

func (a *app) connectorActivate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "activate TENANT CONNECTOR [DIGEST]",
		Short: "Make an installed connector serve a tenant",
		Long: `Make an installed connector serve a tenant, from the next payment on. The digest
may be shortened, and left out when only one module of that name is installed.
Rolling back is activating the digest before.`,
		Example: "  railhead connector activate greenbank bank 4be1a7",
		Args:    cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix := ""
			if len(args) == 3 {
				prefix = strings.ToLower(args[2])
			}
			digest, err := a.findModule(cmd.Context(), args[1], prefix)
			if err != nil {
				return err
			}
			if err := a.activate(cmd.Context(), args[0], args[1], digest); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]string{
					"tenant": args[0], "connector": args[1], "digest": hex.EncodeToString(digest),
				})
			}
			fmt.Fprintf(a.out, "%s serves %s with %s\n", args[1], args[0], shortDigest(digest))
			return nil
		},
	}
	a.reasonFlag(cmd)
	return cmd
}

// findModule resolves a connector's name and the beginning of a digest.
func (a *app) findModule(ctx context.Context, name, prefix string) ([]byte, error) {
	ctx, cancel := a.call(ctx)
	defer cancel()
	list, err := a.control().ListConnectors(ctx, &corev1.ListConnectorsRequest{})
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for _, c := range list.GetConnectors() {
		if c.GetName() == name && strings.HasPrefix(hex.EncodeToString(c.GetDigest()), prefix) {
			found = append(found, c.GetDigest())
		}
	}
	switch len(found) {
	case 0:
		return nil, refusedf("no installed connector is called %s with a digest that begins %q", name, prefix)
	case 1:
		return found[0], nil
	}
	texts := make([]string, 0, len(found))
	for _, d := range found {
		texts = append(texts, shortDigest(d))
	}
	return nil, refusedf("%s is installed as %s: say which", name, strings.Join(texts, ", "))
}

func (a *app) connectorList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List installed connectors and whom they serve",
		Example: `  railhead connector list
  railhead connector list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list, err := a.control().ListConnectors(ctx, &corev1.ListConnectorsRequest{})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			serves := map[string][]string{}
			for _, s := range list.GetActivations() {
				key := s.GetConnector() + string(s.GetDigest())
				serves[key] = append(serves[key], s.GetTenant())
			}
			t := newTable(a.out, "connector", "version", "kind", "digest", "jobs", "size", "ready", "serves")
			for _, c := range list.GetConnectors() {
				t.row(c.GetName(), c.GetVersion(), c.GetKind(), shortDigest(c.GetDigest()), len(c.GetJobTypes()),
					fmt.Sprintf("%.1f MiB", float64(c.GetSizeBytes())/(1<<20)), c.GetReady(),
					strings.Join(serves[c.GetName()+string(c.GetDigest())], " "))
			}
			return t.flush()
		},
	}
}
