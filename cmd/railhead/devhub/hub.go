// Package devhub runs a whole hub on one machine: a Kafka broker, nodes, opsd, a
// bank and a scheme, on loopback, with its data in one folder. "railhead dev" is
// this package with a demonstration on top; the benchmark borrows its layout and
// its broker. It is not for production: all of it fails together.
//
// Begin with Start in hub.go, then plan.go for who listens where and demo.go for
// what is proven.
package devhub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/proc"
	"github.com/railhead-hub/railhead/core"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/examples/bank"
	"github.com/railhead-hub/railhead/examples/flows"
	mojaloophub "github.com/railhead-hub/railhead/examples/mojaloop-hub"
	"github.com/railhead-hub/railhead/opsd"
)

// grace is how long each part may take to stop.
const grace = 15 * time.Second

// Options say what to start and from what.
type Options struct {
	Plan       Plan
	Connectors string // folder of the modules
	Build      string // version of this program
	// Control reaches a node's control door.
	Control func(url string) corev1connect.ControlServiceClient
}

// Hub is a running installation.
type Hub struct {
	options Options
	failed  chan error
	closers []func() error // in the order of their start
	running sync.WaitGroup
	serving context.Context
	stop    context.CancelFunc
}

// Start brings everything up and the demonstration's tenant into service. A
// folder that was used before goes on where it was.
func Start(ctx context.Context, o Options) (_ *Hub, err error) {
	modules, err := Modules(o.Connectors, "ams-bank", "scheme-mojaloop", "channel-paymenthub")
	if err != nil {
		return nil, err
	}
	if busy := o.Plan.Busy(); len(busy) > 0 {
		return nil, fmt.Errorf("something listens on %v already: stop it, or use --free-ports with a --dir that holds no hub yet", busy)
	}
	h := &Hub{options: o, failed: make(chan error, 16)}
	h.serving, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	for _, step := range []struct {
		what  string
		start func(context.Context) error
	}{
		{"kafka", h.startBroker},
		{"bank", h.startBank},
		{"scheme", h.startScheme},
		{"nodes", h.startNodes},
		{"opsd", h.startOpsd},
		{"tenant", func(ctx context.Context) error { return h.provision(ctx, modules) }},
	} {
		begun := time.Now()
		if err := step.start(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
		slog.Info("started", "what", step.what, "ms", time.Since(begun).Milliseconds())
	}
	return h, nil
}

// Failed tells why a part that should run has ended.
func (h *Hub) Failed() <-chan error { return h.failed }

// Close stops everything, the last started first.
func (h *Hub) Close() error {
	var errs []error
	for _, closer := range slices.Backward(h.closers) {
		errs = append(errs, closer())
	}
	h.closers = nil
	h.stop()
	h.running.Wait()
	return errors.Join(errs...)
}

func (h *Hub) startBroker(context.Context) error {
	broker, err := OpenBroker(filepath.Join(h.options.Plan.Dir, "kafka"), h.options.Plan.Kafka)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, func() error { broker.Close(); return nil })
	return nil
}

// serve answers on a port until the hub closes; after runs when it has stopped.
func (h *Hub) serve(what string, port int, handler http.Handler, after func() error) error {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(h.serving)
	done := make(chan struct{})
	h.running.Go(func() {
		defer close(done)
		if err := Serve(ctx, listener, handler); err != nil {
			h.failed <- fmt.Errorf("%s: %w", what, err)
		}
	})
	h.closers = append(h.closers, func() error {
		stop()
		<-done
		return after()
	})
	return nil
}

func (h *Hub) startBank(ctx context.Context) error {
	server, err := bank.Open(ctx, bank.Config{
		Database: filepath.Join(h.options.Plan.Dir, "bank.db"), Faults: true, Log: slog.Default().With("part", "bank"),
	})
	if err != nil {
		return err
	}
	seed, err := bank.ReadSeed("demo")
	if err == nil {
		err = server.Seed(ctx, seed)
	}
	if err != nil {
		return errors.Join(err, server.Close())
	}
	return h.serve("bank", h.options.Plan.Bank, server.Handler(), server.Close)
}

func (h *Hub) startScheme(context.Context) error {
	scheme, err := mojaloophub.New(mojaloophub.Config{
		Callbacks: map[string]string{Tenant: h.options.Plan.IngressURL()},
		Payees:    []mojaloophub.Payee{{Type: "MSISDN", ID: PayeeID, Name: PayeeName}},
		Log:       slog.Default().With("part", "scheme"),
	})
	if err != nil {
		return err
	}
	return h.serve("scheme", h.options.Plan.Scheme, scheme, func() error { scheme.Close(); return nil })
}

// startNodes runs one node in this process, or three in processes of their own.
func (h *Hub) startNodes(ctx context.Context) error {
	p := h.options.Plan
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if len(p.Nodes) == 1 {
		return h.startOwnNode(ctx)
	}
	var urls []string
	var processes []*proc.Process
	for i, n := range p.Nodes {
		process, err := proc.Start(nodeName(i), p.Dir, NodeArgs(p.NodeConfig(i))...)
		if err != nil {
			return err
		}
		h.closers = append(h.closers, func() error { return process.Stop(grace) })
		processes = append(processes, process)
		urls = append(urls, URL(n.Ingress))
	}
	for i, process := range processes {
		if err := process.AwaitReady(ctx, URL(p.Nodes[i].Admin)+"/readyz"); err != nil {
			return err
		}
		// A node that is killed is no failure of the hub: that is what the others
		// are for.
		h.running.Go(func() {
			select {
			case <-h.serving.Done():
			case <-process.Exited():
				if h.serving.Err() == nil {
					slog.Warn("a node has ended; the others go on", "node", process.Name, "log", process.Log)
				}
			}
		})
	}
	return h.serve("front", p.Front, front(urls), func() error { return nil })
}

func (h *Hub) startOwnNode(ctx context.Context) error {
	p := h.options.Plan
	node, err := core.Open(p.NodeConfig(0), core.Options{Logger: slog.Default(), Build: h.options.Build})
	if err != nil {
		return err
	}
	h.closers = append(h.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		return node.Close(ctx)
	})
	h.running.Go(func() {
		select {
		case err := <-node.Failed():
			h.failed <- err
		case <-h.serving.Done():
		}
	})
	return awaitReady(ctx, URL(p.Nodes[0].Admin)+"/readyz")
}

// awaitReady polls a readiness address until it answers 200 or ctx ends.
func awaitReady(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(req)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s answers %s", url, response.Status)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Leader returns the control address of the node that leads.
func (h *Hub) Leader(ctx context.Context) (string, error) {
	return Leader(ctx, h.options.Plan, h.options.Control)
}

// Leader returns the control address of the node of the plan that leads.
func Leader(ctx context.Context, p Plan, control func(url string) corev1connect.ControlServiceClient) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		for _, n := range p.Nodes {
			url := URL(n.Control)
			s, err := control(url).Status(ctx, &corev1.StatusRequest{})
			if err == nil && s.GetRole() == "leader" {
				return url, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no node leads: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (h *Hub) startOpsd(ctx context.Context) error {
	p := h.options.Plan
	c := opsd.Default()
	c.Listen, c.Admin = address(p.Ops), address(p.OpsAdmin)
	c.Kafka.Brokers, c.Store, c.Version = []string{address(p.Kafka)}, filepath.Join(p.Dir, "opsd.db"), h.options.Build
	server, err := opsd.Open(ctx, c, slog.Default().With("part", "opsd"))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(h.serving)
	done := make(chan struct{})
	h.running.Go(func() {
		defer close(done)
		if err := server.Run(ctx); err != nil {
			h.failed <- fmt.Errorf("opsd: %w", err)
		}
	})
	h.closers = append(h.closers, func() error {
		stop()
		<-done
		return server.Close()
	})
	return nil
}

func (h *Hub) provision(ctx context.Context, modules []string) error {
	p := h.options.Plan
	tenant, err := demoTenant(URL(p.Bank), URL(p.Scheme))
	if err != nil {
		return err
	}
	xml, err := flows.Files.ReadFile(flows.PayerFundTransfer)
	if err != nil {
		return err
	}
	leader, err := h.Leader(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return Provision(ctx, h.options.Control(leader), tenant, modules,
		[]Flow{{File: flows.PayerFundTransfer, XML: xml}}, &corev1.Actor{Name: "railhead dev", Reason: "demonstration"})
}
