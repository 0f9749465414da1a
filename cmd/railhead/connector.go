package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) connectorCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "connector", Short: "Build, test, sign, install and swap connectors", GroupID: "make"}
	cmd.AddCommand(a.connectorNew(), a.connectorLanguages(), a.connectorBuild(), a.connectorTest(), a.connectorDev(), a.connectorVector(), a.connectorInspect(),
		a.connectorKeygen(), a.connectorSign(), a.connectorVerify(), a.connectorPush(), a.connectorPull(),
		a.connectorInstall(), a.connectorActivate(), a.connectorRollback(), a.connectorRevoke(),
		a.connectorDrain(), a.connectorList())
	return cmd
}

func (a *app) connectorInstall() *cobra.Command {
	var tenants []string
	cmd := &cobra.Command{
		Use:   "install MODULE...",
		Short: "Verify modules, store them on the cluster, and make them ready",
		Long: `Verify modules, store them on the cluster, and make them ready. A module is a file, or
a reference to a registry or a layout (oci://, oci-layout://). The signatures beside a
file, in MODULE.sig, and those kept with a module in a registry go along.`,
		Example: `  railhead connector install bin/connectors/*.wasm
  railhead connector install ams-bank.wasm --activate greenbank
  railhead connector install oci://registry.example/bank/ams-bank:1.2.0`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := newTable(a.out, "connector", "version", "kind", "digest", "jobs", "signed by")
			for _, name := range args {
				m, err := openModule(cmd.Context(), name)
				if err != nil {
					return err
				}
				done, err := a.install(cmd.Context(), m)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				a.warn(done.GetWarnings())
				for _, tenant := range tenants {
					if err := a.activate(cmd.Context(), &corev1.ActivateConnectorRequest{
						Tenant: tenant, Connector: done.GetName(), Digest: done.GetDigest(),
					}); err != nil {
						return fmt.Errorf("%s for %s: %w", done.GetName(), tenant, err)
					}
				}
				if a.json {
					if err := printJSON(a.out, map[string]any{
						"name": done.GetName(), "version": done.GetVersion(), "kind": done.GetKind(),
						"digest": hex.EncodeToString(done.GetDigest()), "job_types": done.GetJobTypes(),
						"signers": done.GetSigners(), "activated": tenants,
					}); err != nil {
						return err
					}
					continue
				}
				t.row(done.GetName(), done.GetVersion(), done.GetKind(), shortDigest(done.GetDigest()),
					len(done.GetJobTypes()), strings.Join(done.GetSigners(), " "))
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
func (a *app) install(ctx context.Context, m *module) (*corev1.InstallConnectorResponse, error) {
	ctx, cancel := a.call(ctx)
	defer cancel()
	return devhub.Install(ctx, a.control(), m.bytes, m.signatures, a.actor())
}

// warn says what may be meant and more often is not.
func (a *app) warn(problems []*corev1.Problem) {
	for _, p := range problems {
		fmt.Fprintln(a.err, problemLine(p))
	}
}

func (a *app) activate(ctx context.Context, r *corev1.ActivateConnectorRequest) error {
	ctx, cancel := a.call(ctx)
	defer cancel()
	r.Actor = a.actor()
	done, err := a.control().ActivateConnector(ctx, r)
	if err == nil {
		a.warn(done.GetWarnings())
	}
	return err
}

func (a *app) connectorActivate() *cobra.Command {
	var weight string
	var watch time.Duration
	guard := &corev1.Guard{}
	r := &corev1.ActivateConnectorRequest{}
	cmd := &cobra.Command{
		Use:   "activate TENANT CONNECTOR [DIGEST]",
		Short: "Make an installed connector serve a tenant, or a share of its payments",
		Long: `Make an installed connector serve a tenant, from the next payment on: payments under way
keep the version they have met. The digest may be shortened, and left out when only one
module of that name is installed.

With --weight the version is a canary: it gets that share of the new payments, in
percent or of 10,000, beside the version that serves. Without, or with 100%, it gets all;
so a canary is promoted.

A version that does badly is rolled back by itself: a canary as long as it is one, any
other for ten minutes (--guard-watch). Badly is more than one attempt in a hundred that
ends in a trap, or ten more of a hundred that fail than with the version before.`,
		Example: `  railhead connector activate greenbank bank 4be1a7
  railhead connector activate greenbank bank 4be1a7 --weight 1%
  railhead connector activate greenbank bank 4be1a7 --excuse n3`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.Weight, err = parseWeight(weight); err != nil {
				return usageError{err}
			}
			prefix := ""
			if len(args) == 3 {
				prefix = strings.ToLower(args[2])
			}
			r.Tenant, r.Connector = args[0], args[1]
			if r.Digest, err = a.findModule(cmd.Context(), args[1], prefix); err != nil {
				return err
			}
			for _, name := range []string{"guard-attempts", "guard-traps", "guard-failures", "guard-watch", "guard-off"} {
				if cmd.Flags().Changed(name) {
					guard.WatchMs = watch.Milliseconds()
					r.Guard = guard
				}
			}
			if err := a.activate(cmd.Context(), r); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{
					"tenant": args[0], "connector": args[1], "digest": hex.EncodeToString(r.Digest), "weight": r.Weight,
				})
			}
			if r.Weight > 0 && r.Weight < 10_000 {
				fmt.Fprintf(a.out, "%s of the new payments of %s go to %s %s\n", weightText(r.Weight), args[0], args[1], shortDigest(r.Digest))
				return nil
			}
			fmt.Fprintf(a.out, "%s serves %s with %s\n", args[1], args[0], shortDigest(r.Digest))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&weight, "weight", "", "share of new payments: `1%` or 100, of 10,000")
	flags.StringSliceVar(&r.ExcusedNodes, "excuse", nil, "`nodes` that are away and need not be ready")
	flags.BoolVar(&r.Strict, "strict", false, "refuse what would be warned of")
	flags.Uint32Var(&guard.AttemptsMin, "guard-attempts", 0, "attempts from which on it is judged; 0: 20")
	flags.Uint32Var(&guard.TrapsMax, "guard-traps", 0, "traps that are too many, of 10,000 attempts; 0: 100")
	flags.Uint32Var(&guard.FailuresMax, "guard-failures", 0, "failures more than the version before that are too many, of 10,000; 0: 1,000")
	flags.DurationVar(&watch, "guard-watch", 0, "how long it is watched; 0: ten minutes")
	flags.BoolVar(&guard.Off, "guard-off", false, "never roll it back by itself")
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
