package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// parseWeight reads a share of payments: 1%, 0.5%, or a number of 10,000. Nothing is 0,
// which means all.
func parseWeight(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	bad := fmt.Errorf("--weight %q is neither a percentage such as 1%% nor a number from 1 to 10000", text)
	if part, ok := strings.CutSuffix(text, "%"); ok {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || !(f >= 0.005 && f <= 100) { // not a number is neither
			return 0, bad
		}
		return uint32(f*100 + 0.5), nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > 10_000 {
		return 0, bad
	}
	return uint32(n), nil
}

func weightText(weight uint32) string {
	return strconv.FormatFloat(float64(weight)/100, 'g', -1, 64) + "%"
}

func (a *app) connectorRollback() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback TENANT CONNECTOR [DIGEST]",
		Short: "End a canary, or go back to the version before",
		Long: `End a canary or, without one, go back to the version before, once. Payments that keep
what is taken back get the other version at their next job. With a digest, which may be
shortened, nothing is done unless that is what would be taken back.`,
		Example: `  railhead connector rollback greenbank bank --reason "declines are up"
  railhead connector rollback greenbank bank 4be1a7`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r := &corev1.RollbackConnectorRequest{Tenant: args[0], Connector: args[1], Actor: a.actor()}
			if len(args) == 3 {
				if r.Digest, err = a.findModule(cmd.Context(), args[1], strings.ToLower(args[2])); err != nil {
					return err
				}
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			done, err := a.control().RollbackConnector(ctx, r)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]string{
					"tenant": args[0], "connector": args[1], "digest": hex.EncodeToString(done.GetDigest()),
				})
			}
			fmt.Fprintf(a.out, "%s serves %s with %s\n", args[1], args[0], shortDigest(done.GetDigest()))
			return nil
		},
	}
	a.reasonFlag(cmd)
	return cmd
}

func (a *app) connectorRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke CONNECTOR DIGEST --reason WHY",
		Short: "Take a version out of service for every tenant, for good",
		Long: `Take a version of a connector out of service, for every tenant and for good: no job and
no request runs on it any more, whoever keeps it. Tenants that it serves go back to the
version before. Where there is none, jobs stop behind incidents until another version is
activated.`,
		Example: `  railhead connector revoke bank 4be1a7 --reason "logs account numbers"`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.reason == "" {
				return usagef("say why with --reason")
			}
			digest, err := a.findModule(cmd.Context(), args[0], strings.ToLower(args[1]))
			if err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			done, err := a.control().RevokeConnector(ctx, &corev1.RevokeConnectorRequest{
				Connector: args[0], Digest: digest, Actor: a.actor(),
			})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, done)
			}
			fmt.Fprintf(a.out, "%s %s is revoked\n", args[0], shortDigest(digest))
			for _, tenant := range done.GetRolledBack() {
				fmt.Fprintf(a.out, "%s is back on the version before\n", tenant)
			}
			for _, tenant := range done.GetWithout() {
				fmt.Fprintf(a.out, "%s is without %s: activate another version\n", tenant, args[0])
			}
			return nil
		},
	}
	a.reasonFlag(cmd)
	return cmd
}

// drainEvery is the pause between two looks at who keeps a version.
const drainEvery = time.Second

func (a *app) connectorDrain() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "drain CONNECTOR DIGEST",
		Short: "Wait until no running payment keeps a version",
		Long: `Wait until no running payment keeps a version of a connector, and say from time to time
how many do. A version that still serves somebody never drains, so that is refused.
Payments that wait for days keep their version for days: rolling back or revoking it
takes it from them.`,
		Example: "  railhead connector drain bank 4be1a7 --wait 1h",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			digest, err := a.findModule(cmd.Context(), args[0], strings.ToLower(args[1]))
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			for before, first := uint64(0), true; ; first = false {
				pinned, err := a.pinned(ctx, args[0], digest)
				if err != nil {
					return err
				}
				if pinned == 0 {
					break
				}
				if first || pinned != before {
					fmt.Fprintf(a.err, "%s %s is kept by %s\n", args[0], shortDigest(digest), plural(int(pinned), "payment"))
				}
				before = pinned
				select {
				case <-ctx.Done():
					return refusedf("%s %s is still kept by %s after %v", args[0], shortDigest(digest), plural(int(pinned), "payment"), wait)
				case <-time.After(drainEvery):
				}
			}
			if a.json {
				return printJSON(a.out, map[string]string{"connector": args[0], "digest": hex.EncodeToString(digest)})
			}
			fmt.Fprintf(a.out, "no payment keeps %s %s\n", args[0], shortDigest(digest))
			return nil
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait")
	return cmd
}

// pinned counts the payments that keep a version, which may serve nobody.
func (a *app) pinned(ctx context.Context, connector string, digest []byte) (uint64, error) {
	ctx, cancel := a.call(ctx)
	defer cancel()
	list, err := a.control().ListConnectors(ctx, &corev1.ListConnectorsRequest{})
	if err != nil {
		return 0, err
	}
	for _, act := range list.GetActivations() {
		if act.GetConnector() == connector && (string(act.GetDigest()) == string(digest) || string(act.GetCanary()) == string(digest)) {
			return 0, refusedf("%s %s serves %s; activate another version first", connector, shortDigest(digest), act.GetTenant())
		}
	}
	for _, c := range list.GetConnectors() {
		if c.GetName() == connector && string(c.GetDigest()) == string(digest) {
			return c.GetPinnedPayments(), nil
		}
	}
	return 0, nil
}
