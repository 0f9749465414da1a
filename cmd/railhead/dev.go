package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

func (a *app) devCmd() *cobra.Command {
	var dir, connectors string
	var nodes int
	var once, free bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole hub on this machine, and send one transfer through it",
		Long: `Run a whole hub on this machine: Kafka, one node or three, opsd, a bank and a
scheme, all on loopback. One transfer is sent through it and its timeline printed;
then it stays up until interrupted. Started again on the same folder it goes on
where it was.

With --nodes 3 the nodes are processes of their own: kill one and see. With
--demo-once it ends after the transfer, with exit code 0 only if the transfer was
completed, the payer debited once, the payee credited once, and opsd shows it.`,
		Example: `  railhead dev
  railhead dev --nodes 3 --dir /tmp/three
  railhead dev --demo-once --free-ports --dir /tmp/once`,
		Args:    cobra.NoArgs,
		GroupID: "run",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if nodes != 1 && nodes != 3 {
				return usagef("--nodes is 1 or 3, not %d", nodes)
			}
			if nodes == 3 && !cmd.Flags().Changed("dir") {
				dir = filepath.Join(dir, "three")
			}
			return a.dev(cmd.Context(), dir, connectors, nodes, once, free)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", ".railhead", "`folder` of all data; with --nodes 3 .railhead/three")
	flags.StringVar(&connectors, "connectors", devhub.ConnectorsDir(), "`folder` of the connectors' modules")
	flags.IntVar(&nodes, "nodes", 1, "1 or 3")
	flags.BoolVar(&once, "demo-once", false, "verify one transfer, then end")
	flags.BoolVar(&free, "free-ports", false, "listen on free ports in place of the usual ones, from the folder's first start on")
	return cmd
}

func (a *app) dev(ctx context.Context, dir, connectors string, nodes int, once, free bool) (err error) {
	plan, err := devhub.NewPlan(dir, nodes, free)
	if err != nil {
		return err
	}
	// The log goes to a file: the terminal is for the story.
	path := filepath.Join(plan.Dir, "railhead.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	log, err := logger(file, a.settings.Log)
	if err != nil {
		return usageError{err}
	}
	slog.SetDefault(log)

	begun := time.Now()
	fmt.Fprintf(a.err, "starting a hub of %s in %s\n", plural(nodes, "node"), plan.Dir)
	hub, err := devhub.Start(ctx, devhub.Options{
		Plan: plan, Connectors: connectors, Build: builtAs(),
		Control: func(url string) corev1connect.ControlServiceClient {
			return corev1connect.NewControlServiceClient(a.wire, url, connect.WithGRPC())
		},
	})
	if err != nil {
		return fmt.Errorf("%w\n(log: %s)", err, path)
	}
	defer func() { err = errors.Join(err, hub.Close()) }()

	leader, err := hub.Leader(ctx)
	if err != nil {
		return err
	}
	demo := devhub.Demo{
		Ingress: plan.IngressURL(), Bank: devhub.URL(plan.Bank), Scheme: devhub.URL(plan.Scheme),
		Control: corev1connect.NewControlServiceClient(a.wire, leader, connect.WithGRPC()),
		Ops:     opsv1connect.NewOpsServiceClient(a.wire, devhub.URL(plan.Ops), connect.WithGRPC()),
	}
	if err := a.demonstrate(ctx, demo); err != nil {
		return fmt.Errorf("%w\n(log: %s)", err, path)
	}
	fmt.Fprintf(a.err, "from start to proof %.1f s\n", time.Since(begun).Seconds())
	if once {
		return nil
	}
	a.printAddresses(plan, path)
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.err, "stopping")
		return nil
	case err := <-hub.Failed():
		return err
	}
}

// demonstrate sends one transfer, proves what it moved, and tells its story.
func (a *app) demonstrate(ctx context.Context, demo devhub.Demo) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	payment, err := demo.Send(ctx, fmt.Sprintf("demo-%d", time.Now().UnixNano()))
	if err != nil {
		return err
	}
	timeline, err := demo.Verify(ctx, payment)
	if err != nil {
		return err
	}
	if a.json {
		return printProto(a.out, timeline)
	}
	writeTimeline(a.out, timeline)
	fmt.Fprintln(a.out, "\ncompleted; the payer was debited once, the payee credited once, and opsd shows it")
	return nil
}

func (a *app) printAddresses(p devhub.Plan, log string) {
	t := newTable(a.out, "\nwhat", "where")
	t.row("channel (POST /channel/transfer)", p.IngressURL())
	for i, n := range p.Nodes {
		t.row(fmt.Sprintf("node n%d: control, metrics", i+1), devhub.URL(n.Control)+"  "+devhub.URL(n.Admin)+"/metrics")
	}
	t.row("opsd: API, metrics", devhub.URL(p.Ops)+"  "+devhub.URL(p.OpsAdmin)+"/metrics")
	t.row("bank", devhub.URL(p.Bank))
	t.row("scheme", devhub.URL(p.Scheme))
	t.row("kafka", fmt.Sprintf("127.0.0.1:%d", p.Kafka))
	t.row("log", log)
	_ = t.flush()
	fmt.Fprintf(a.out, `
another transfer:
  curl -s %s/channel/transfer -H 'Platform-TenantId: %s' -H 'X-CorrelationID: mine-1' \
    -H 'Content-Type: application/json' -d '{
      "payer": {"partyIdInfo": {"partyIdType": "MSISDN", "partyIdentifier": "%s"}},
      "payee": {"partyIdInfo": {"partyIdType": "MSISDN", "partyIdentifier": "%s"}},
      "amount": {"amount": "10.00", "currency": "USD"}}'
then, in another terminal: railhead payment list, railhead payment get ID --timeline
`, p.IngressURL(), devhub.Tenant, devhub.PayerID, devhub.PayeeID)
	if control, ops := devhub.URL(p.Nodes[0].Control), devhub.URL(p.Ops); control != a.settings.Client.Control || ops != a.settings.Client.Ops {
		fmt.Fprintf(a.out, "with --control %s --ops %s, since these are not the usual ports\n", control, ops)
	}
	fmt.Fprintln(a.out, "interrupt (Ctrl-C) to stop; the data stays")
}
