package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/core"
)

// grace is how long a process that is asked to stop finishes what it has begun.
const grace = 15 * time.Second

func (a *app) nodeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run one node of a cluster",
		Long: `Run one node of a cluster until interrupted. Beyond loopback the nodes know each
other by certificates (node.tls). A cluster is one node, or three or five that are
started with equal --peers.`,
		Example: `  railhead node --config n1.yaml
  railhead node --id n1 --dir data/n1 --raft 127.0.0.1:7400 --control 127.0.0.1:8404 \
      --ingress 127.0.0.1:8400 --admin 127.0.0.1:8405 \
      --peers n1=127.0.0.1:7400/127.0.0.1:8404,n2=127.0.0.1:7410/127.0.0.1:8414,n3=127.0.0.1:7420/127.0.0.1:8424`,
		Args:    cobra.NoArgs,
		GroupID: "run",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.settings.Node.Check(); err != nil {
				return usageError{err}
			}
			node, err := core.Open(a.settings.Node, core.Options{Logger: slog.Default(), Build: builtAs()})
			if err != nil {
				return err
			}
			go paceGC(cmd.Context())
			var failed error
			select {
			case <-cmd.Context().Done():
				slog.Info("the node is stopping")
			case failed = <-node.Failed():
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), grace)
			defer cancel()
			return errors.Join(failed, node.Close(ctx))
		},
	}
	settingFlags(cmd.Flags(), "node", "")
	return cmd
}
