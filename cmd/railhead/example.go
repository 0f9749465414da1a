package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	"github.com/railhead-hub/railhead/examples/bank"
	mojaloophub "github.com/railhead-hub/railhead/examples/mojaloop-hub"
)

func (a *app) exampleCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "example",
		Short:   "Run a counterpart: a bank, a scheme, a broker",
		Long:    `Run the counterparts that "railhead dev" brings along, each as a process of its own.`,
		GroupID: "run",
	}
	cmd.AddCommand(a.exampleBank(), a.exampleHub(), a.exampleKafka())
	return cmd
}

func (a *app) exampleBank() *cobra.Command {
	var address, seed, keys string
	config := bank.Config{}
	cmd := &cobra.Command{
		Use:   "bank",
		Short: "A double-entry ledger over HTTP",
		Long: `A double-entry ledger over HTTP, on SQLite or PostgreSQL. BANK_TOKEN in the
environment is the bearer token it asks for.`,
		Example: "  railhead example bank --db bank.db --seed demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config.Keys, config.Token, config.Log = bank.Keys(keys), os.Getenv("BANK_TOKEN"), slog.Default()
			server, err := bank.Open(cmd.Context(), config)
			if err != nil {
				return err
			}
			if seed != "" {
				accounts, err := bank.ReadSeed(seed)
				if err == nil {
					err = server.Seed(cmd.Context(), accounts)
				}
				if err != nil {
					return errors.Join(err, server.Close())
				}
			}
			return errors.Join(serve(cmd.Context(), "bank", address, config.Token != "", server.Handler()), server.Close())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "listen", "127.0.0.1:8401", "`address` to serve on; off loopback a token is required")
	flags.StringVar(&config.Database, "db", "bank.db", "`path` of an SQLite file, or a postgres:// URL")
	flags.StringVar(&seed, "seed", "", "`file` of accounts to begin with, or demo")
	flags.StringVar(&keys, "keys", string(bank.KeysHonoured), "honoured, or ignored: every POST executes again")
	flags.DurationVar(&config.Delay, "delay", 0, "`time` to wait before every request")
	flags.DurationVar(&config.RequestTimeout, "request-timeout", 10*time.Second, "`time` after which a request that is not done never will be")
	flags.BoolVar(&config.Faults, "faults", false, "open /faults to callers on loopback")
	return cmd
}

func (a *app) exampleHub() *cobra.Command {
	var address string
	var callbacks, payees []string
	config := mojaloophub.Config{}
	cmd := &cobra.Command{
		Use:   "mojaloop-hub",
		Short: "A Mojaloop scheme with one payee institution",
		Long: `A Mojaloop scheme (FSPIOP) with one payee institution behind it. Faults are laid
through POST /admin/faults. Its state is in memory.`,
		Example: "  railhead example mojaloop-hub --callback greenbank=http://127.0.0.1:8400",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config.Log = slog.Default()
			config.Callbacks = map[string]string{}
			for _, c := range callbacks {
				fsp, base, ok := strings.Cut(c, "=")
				if !ok || fsp == "" {
					return usagef("--callback %q is not fspId=URL", c)
				}
				config.Callbacks[fsp] = base
			}
			for _, text := range payees {
				part := strings.SplitN(text, ":", 3)
				if len(part) < 2 {
					return usagef("--payee %q is not TYPE:ID[:NAME]", text)
				}
				p := mojaloophub.Payee{Type: part[0], ID: part[1]}
				if len(part) == 3 {
					p.Name = part[2]
				}
				config.Payees = append(config.Payees, p)
			}
			hub, err := mojaloophub.New(config)
			if err != nil {
				return usageError{err}
			}
			defer hub.Close()
			return serve(cmd.Context(), "mojaloop-hub", address, false, hub)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "listen", "127.0.0.1:8402", "loopback `address` to serve on")
	flags.StringVar(&config.FSP, "fsp", "bluebank", "FSP id of the payee institution")
	flags.StringArrayVar(&callbacks, "callback", nil, "where a participant's callbacks go, as `fspId=URL`; may be repeated")
	flags.StringArrayVar(&payees, "payee", nil, "a customer of the payee, as `TYPE:ID[:NAME]`; may be repeated")
	flags.BoolVar(&config.AnyPayee, "any-payee", false, "every MSISDN is a customer of the payee")
	return cmd
}

func (a *app) exampleKafka() *cobra.Command {
	var dir string
	var port int
	cmd := &cobra.Command{
		Use:   "kafka",
		Short: "A Kafka broker for one machine",
		Long: `A Kafka broker for one machine: it syncs every write, but keeps one copy. It is
for development, tests and the benchmark.`,
		Example: `  railhead example kafka --dir kafka --port 9092`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			broker, err := devhub.OpenBroker(dir, port)
			if err != nil {
				return err
			}
			slog.Info("serving", "what", "kafka", "address", broker.Address)
			<-cmd.Context().Done()
			broker.Close()
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "kafka", "`folder` of its records")
	cmd.Flags().IntVar(&port, "port", 9092, "loopback `port`")
	return cmd
}

// serve answers on an address until ctx ends. Without a token of its own a
// counterpart serves loopback only.
func serve(ctx context.Context, what, address string, guarded bool, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !guarded && (!ok || !at.IP.IsLoopback()) {
		return errors.Join(usagef("%s serves loopback only, not %s", what, address), listener.Close())
	}
	slog.Info("serving", "what", what, "address", listener.Addr().String())
	return devhub.Serve(ctx, listener, handler)
}
