// Command mojaloop-hub serves the simulated scheme of package mojaloophub.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	mojaloophub "github.com/railhead-hub/railhead/examples/mojaloop-hub"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mojaloop-hub:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	config := mojaloophub.Config{
		Callbacks: map[string]string{},
		Log:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	flags := flag.NewFlagSet("mojaloop-hub", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8402", "address to serve on")
	flags.StringVar(&config.FSP, "fsp", "bluebank", "FSP id of the built-in payee")
	flags.StringVar(&config.Hub, "hub", "hub", "FSP id of the hub itself")
	flags.StringVar(&config.Secret, "ilp-secret", "secret", "ILP secret of the built-in payee")
	flags.BoolVar(&config.AnyPayee, "any-payee", false, "every MSISDN is a customer of the payee")
	flags.DurationVar(&config.QuoteFor, "quote-for", time.Hour, "how long a quote is valid")
	magic := flags.Bool("magic-amounts", false, "amount 15 gets a wrong fulfilment, 16 silence, 17 an error")
	flags.Func("callback", "fspId=baseURL, where a DFSP's callbacks go (repeatable)", func(v string) error {
		fsp, base, ok := strings.Cut(v, "=")
		if !ok || fsp == "" {
			return errors.New("want fspId=baseURL")
		}
		config.Callbacks[fsp] = base
		return nil
	})
	flags.Func("payee", "TYPE:ID[:NAME], a customer of the payee (repeatable)", func(v string) error {
		part := strings.SplitN(v, ":", 3)
		if len(part) < 2 {
			return errors.New("want TYPE:ID[:NAME]")
		}
		p := mojaloophub.Payee{Type: part[0], ID: part[1]}
		if len(part) == 3 {
			p.Name = part[2]
		}
		config.Payees = append(config.Payees, p)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *magic {
		config.MagicAmounts = mojaloophub.ToolkitAmounts()
	}
	hub, err := mojaloophub.New(config)
	if err != nil {
		return err
	}
	defer hub.Close()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	config.Log.Info("serving", "address", listener.Addr().String(), "fsp", config.FSP)
	server := &http.Server{Handler: hub, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 256 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return server.Shutdown(shutdown)
	}
}
