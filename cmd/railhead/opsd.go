package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/opsd"
)

func (a *app) opsdCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "opsd",
		Short: "Run the back office: what happened, for people and programs",
		Long: `Run the back office until interrupted: it takes the hub's events from Kafka into
SQLite or PostgreSQL and answers about them. It may be down for days without a
payment noticing.`,
		Example: `  railhead opsd --config opsd.yaml
  railhead opsd --kafka-brokers 127.0.0.1:9092 --store opsd.db`,
		Args:    cobra.NoArgs,
		GroupID: "run",
		RunE: func(cmd *cobra.Command, _ []string) error {
			config := a.settings.Opsd
			config.Version = builtAs()
			if err := config.Check(); err != nil {
				return usageError{err}
			}
			server, err := opsd.Open(cmd.Context(), config, slog.Default())
			if err != nil {
				return err
			}
			return errors.Join(server.Run(cmd.Context()), server.Close())
		},
	}
	settingFlags(cmd.Flags(), "opsd", "")
	return cmd
}
