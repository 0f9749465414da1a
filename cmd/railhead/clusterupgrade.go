package main

import (
	"fmt"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) clusterUpgrade() *cobra.Command {
	var to uint32
	cmd := &cobra.Command{
		Use:   "upgrade --reason WHY",
		Short: "Let the cluster behave as the engine of its new program does",
		Long: `Let the cluster behave as the engine of its new program does. After every node runs a
later railhead, what that adds to the engine is still off, so that nodes of both came to
the same rows; this switches it on, for good: afterwards no node can run the earlier
railhead. It is refused while a node is away or runs a program that does not know the
version. "railhead cluster status" tells when a cluster is behind.`,
		Example: `  railhead cluster upgrade --reason "all nodes run 1.4"
  railhead cluster upgrade --to 2 --reason "all nodes run 1.4" --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.reason == "" {
				return usagef("say why with --reason")
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			done, err := a.control().SetVersion(ctx, &corev1.SetVersionRequest{Version: to, Actor: a.actor()})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, done)
			}
			if done.GetVersion() == done.GetBefore() {
				fmt.Fprintf(a.out, "the engine is at version %d already\n", done.GetVersion())
				return nil
			}
			fmt.Fprintf(a.out, "the engine goes on from version %d to version %d\n", done.GetBefore(), done.GetVersion())
			return nil
		},
	}
	cmd.Flags().Uint32Var(&to, "to", 0, "the engine's version; 0: the latest that the node knows")
	a.reasonFlag(cmd)
	return cmd
}

// engineText is how the engine's version reads in a node's status.
func engineText(s *corev1.StatusResponse) string {
	text := fmt.Sprintf("engine version %d", s.GetVersion())
	if s.GetKnownVersion() > s.GetVersion() {
		text += fmt.Sprintf(" of %d: once every node runs this railhead, switch with \"railhead cluster upgrade\"", s.GetKnownVersion())
	}
	return text
}
