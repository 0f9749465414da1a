// Command bank serves the example ledger of package bank.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/railhead-hub/railhead/examples/bank"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bank:", err)
		}
		stop()
		os.Exit(1)
	}
}

// options are the flags. Each may come from the environment instead: --addr from
// BANK_ADDR, --request-timeout from BANK_REQUEST_TIMEOUT.
type options struct {
	addr, seed, level string
	bank.Config
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bank", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8401", "`address` to serve on; off loopback a token is required")
	f.StringVar(&o.Database, "db", "bank.db", "`path` of an SQLite file, or a postgres:// URL")
	f.StringVar(&o.seed, "seed", "", "`file` of accounts to begin with, or demo")
	f.StringVar((*string)(&o.Keys), "keys", string(bank.KeysHonoured), "honoured, or ignored: every POST executes again")
	f.DurationVar(&o.Delay, "delay", 0, "`time` to wait before every request")
	f.DurationVar(&o.RequestTimeout, "request-timeout", 10*time.Second, "`time` after which a request that is not done never will be")
	f.BoolVar(&o.Faults, "faults", false, "open /faults to callers on loopback")
	f.StringVar(&o.level, "log", "info", "log `level`: debug, info, warn, error")
	token := f.String("token-file", "", "`file` with the bearer token to ask for; or BANK_TOKEN")
	f.VisitAll(func(v *flag.Flag) {
		name := "BANK_" + strings.ToUpper(strings.ReplaceAll(v.Name, "-", "_"))
		if text, ok := os.LookupEnv(name); ok && err == nil {
			if e := v.Value.Set(text); e != nil {
				err = fmt.Errorf("%s=%q: %w", name, text, e)
			}
		}
	})
	if err == nil {
		err = f.Parse(args)
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err != nil {
		return o, err
	}
	// Not a flag: a command line is there for everyone to read.
	o.Token = os.Getenv("BANK_TOKEN")
	if *token != "" {
		text, err := os.ReadFile(*token)
		if err != nil {
			return o, fmt.Errorf("read the token: %w", err)
		}
		o.Token = strings.TrimSpace(string(text))
		if o.Token == "" {
			return o, fmt.Errorf("the token file %s is empty", *token)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	o.Log = slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))

	server, err := bank.Open(ctx, o.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if o.seed != "" {
		seed, err := bank.ReadSeed(o.seed)
		if err != nil {
			return err
		}
		if err := server.Seed(ctx, seed); err != nil {
			return err
		}
	}

	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); o.Token == "" && (!ok || !at.IP.IsLoopback()) {
		return errors.Join(errors.New("off loopback the bank asks for a bearer token: set BANK_TOKEN or --token-file"), listener.Close())
	}
	h := &http.Server{
		Handler:           server.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(listener) }()
	o.Log.Info("the bank is open", "addr", listener.Addr().String(), "keys", o.Keys, "faults", o.Faults)

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	o.Log.Info("the bank is closing")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.RequestTimeout+time.Second)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
