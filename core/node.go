package core

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/control"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/ingress"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/leader"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/core/secret"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/host"
)

// Node is one running node.
type Node struct {
	config Config
	log    *slog.Logger
	clock  *leader.Clock

	replica    *replica.Replica
	exporter   *outbox.Exporter // nil without Kafka
	connectors *connector.Registry
	pkcs11     *keys.Library // nil unless configured
	links      *link.Links
	leader     *leader.Leader
	control    *control.Service
	hints      atomic.Pointer[func([]engine.Hint)]

	admin, doors, routes *server

	commands *control.Commands
	caughtUp atomic.Bool // the rows were as new as the leader's once since the start
	closing  atomic.Bool
	stop     context.CancelFunc
	running  sync.WaitGroup
	failed   chan error // the reason why the node cannot go on
	once     sync.Once
}

// Options are what a program gives a node beside its configuration.
type Options struct {
	Logger *slog.Logger // nil: slog.Default
	Build  string       // version of the program
	// Load verifies and compiles a module; nil: the sandbox. Tests give connectors
	// that are compiled into them.
	Load func(context.Context, []byte) (connector.Stepper, error)
}

// Open starts a node. When it returns, the node listens and takes part in its
// cluster; whether it can take payments is what /readyz says.
func Open(config Config, options Options) (_ *Node, err error) {
	if err := config.Check(); err != nil {
		return nil, fmt.Errorf("the configuration of the node: %w", err)
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	n := &Node{config: config, clock: leader.NewClock(), failed: make(chan error, 1)}
	n.log = options.Logger.With("node", config.ID)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close(context.Background()))
		}
	}()
	peers, err := config.ParsePeers()
	if err != nil {
		return nil, err
	}
	certificates, err := config.TLS.loadNode(config.ID)
	if err != nil {
		return nil, err
	}
	between := onlyMembers(certificates, config.ID, peers)
	metrics := newMetrics(config.ID, options.Build)

	// All addresses are taken before anything is started, so that a node which
	// cannot have them changes nothing.
	if err := n.listen(certificates); err != nil {
		return nil, err
	}

	// The replica comes first: everything else reads its rows or proposes to it.
	// Its hints have nobody to go to yet, and need none: whoever comes to lead
	// looks at the rows first.
	n.replica, err = replica.Open(n.replicaConfig(peers, between, metrics, options.Logger))
	if err != nil {
		return nil, err
	}

	// The connectors read rows and ask the other nodes for modules.
	n.commands = &control.Commands{Replica: n.replica, Peers: peerClients(config.ID, peers, between)}
	if err := n.openConnectors(n.commands, metrics, options); err != nil {
		return nil, err
	}

	// What a leader does: links, jobs, timers, the export.
	n.links = link.New(link.Config{
		Log: n.commands, Connectors: n.connectors, Now: n.clock.NowMS, Logger: n.log, Metrics: link.NewMetrics(metrics),
	})
	n.leader = leader.New(leader.Config{
		Log: n.replica, Connectors: n.connectors, Links: n.links, Clock: n.clock, Logger: n.log,
		Metrics: leader.NewMetrics(metrics), Workers: config.Limits.Workers, LaneShare: config.Limits.LaneShare,
	})
	metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "railhead_jobs_running", Help: "Jobs this node works on.",
		}, func() float64 { running, _ := n.leader.InFlight(); return float64(running) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "railhead_jobs_waiting", Help: "Jobs that are ready and wait for a worker on this node.",
		}, func() float64 { _, waiting := n.leader.InFlight(); return float64(waiting) }),
	)
	if err := n.openExporter(certificates, metrics); err != nil {
		return nil, err
	}

	// The doors.
	n.control = control.New(n.controlConfig(peers, options))
	n.setHints()
	n.doors.handle(n.control.Handler())
	n.admin.handle(n.adminHandler(metrics))
	routes := ingress.New(ingress.Config{
		Log: n.commands, Connectors: n.connectors, Now: n.clock.NowMS, Logger: n.log,
		Metrics:    ingress.NewMetrics(metrics),
		Concurrent: config.Limits.IngressConcurrent, Timeout: config.Limits.IngressTimeout,
	})

	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	n.running.Go(func() { n.follow(ctx) })
	n.running.Go(func() {
		// A node that is still reading its log knows no routes, and would tell a
		// customer that there are none.
		if n.catchUp(ctx) {
			n.routes.handle(routes)
			n.keepReady(ctx)
		}
	})
	for _, s := range []*server{n.admin, n.doors, n.routes} {
		n.running.Go(func() { n.serve(s) })
	}
	n.log.Info("the node is up", "control", n.ControlAddr(), "ingress", n.IngressAddr(), "admin", n.AdminAddr())
	return n, nil
}

func (n *Node) listen(certificates *tls.Config) (err error) {
	if n.admin, err = listen("admin", n.config.Admin, nil, n.log); err != nil {
		return err
	}
	if n.doors, err = listen("control", n.config.Control, certificates, n.log); err != nil {
		return err
	}
	// Customers' systems have no certificate of ours. Some have one of a tenant's
	// choice, which is asked for here and judged by the tenant's rule (core/caller).
	var own *tls.Config
	if certificates != nil && !n.config.IngressPlain && !loopback(n.config.Ingress) {
		own = certificates.Clone()
		own.ClientAuth, own.ClientCAs = tls.RequestClientCert, nil
	}
	if n.routes, err = listen("ingress", n.config.Ingress, own, n.log); err != nil {
		return err
	}
	n.routes.front.Connections = n.config.Limits.IngressConnections
	return nil
}

func (n *Node) replicaConfig(peers []Peer, certificates *tls.Config, metrics *prometheus.Registry, log *slog.Logger) replica.Config {
	c := replica.Config{
		ID: n.config.ID, Dir: filepath.Join(n.config.Dir, "replica"), Bind: n.config.Raft,
		TLS: certificates, Cluster: n.config.Cluster,
		Machine: engine.New(), Clock: n.clock.NowMS, OnHints: n.onHints,
		Logger: log, Metrics: metrics, DeltaMaxBytes: n.config.Limits.DeltaMaxMB << 20,
	}
	if len(peers) > 0 {
		c.Peers = make(map[string]string, len(peers))
		for _, p := range peers {
			c.Peers[p.ID] = p.Raft
		}
	}
	if n.config.TestClock {
		// Clocks that tests move differ, and are meant to.
		c.ClockSkewMax = -1
	}
	return c
}

func (n *Node) openConnectors(commands *control.Commands, metrics *prometheus.Registry, options Options) (err error) {
	load := options.Load
	if load == nil {
		load = connector.Sandbox(host.Options{CacheDir: filepath.Join(n.config.Dir, "compiled"), Unmetered: n.config.Unmetered, Log: n.log})
	}
	around := egress.Surroundings{
		Secrets: secret.NewStore(n.config.SecretsDir, n.log), Metrics: egress.NewMetrics(metrics),
		Gates: egress.NewGates(metrics), Logger: n.log,
	}
	if n.config.EgressCA != "" {
		var pool *x509.CertPool
		if pool, err = loadPool(n.config.EgressCA); err != nil {
			return fmt.Errorf("egress_ca: %w", err)
		}
		around.RootCAs = pool
	}
	if n.pkcs11, err = openPKCS11(n.config.PKCS11); err != nil {
		return err
	}
	policy, err := n.config.Connectors.Policy()
	if err != nil {
		return err
	}
	n.connectors, err = connector.Open(connector.Config{
		Policy: policy,
		Keys:   keys.Surroundings{Dir: n.config.SecretsDir, Library: n.pkcs11, Logger: n.log},
		Dir:    filepath.Join(n.config.Dir, "connectors"), Load: load, View: n.replica.View,
		Fetch: commands.Fetch, Egress: around, Logger: n.log,
	})
	return err
}

func (n *Node) openExporter(certificates *tls.Config, metrics *prometheus.Registry) (err error) {
	k := n.config.Kafka
	if len(k.Brokers) == 0 {
		n.log.Warn("no Kafka brokers are configured: events stay on this node")
		return nil
	}
	c := outbox.ExportConfig{
		Brokers: k.Brokers, AllowFake: k.AllowEmbedded,
		Topics: outbox.Topics{Replication: k.ReplicationFactor, MinInSync: k.MinInSync},
		Log:    n.replica.Outbox(), Propose: n.replica.Propose, Logger: n.log, Metrics: metrics,
		Cursor: func() (cursor outbox.Cursor, err error) {
			err = n.replica.View(func(tx engine.Tx) error {
				if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
					cursor = outbox.CursorOf(row.(*enginev1.Meta))
				}
				return nil
			})
			return cursor, err
		},
	}
	if k.TLS {
		if certificates == nil {
			return errors.New("kafka.tls needs the node's certificate")
		}
		c.Options = append(c.Options, kgo.DialTLSConfig(certificates))
	}
	n.exporter, err = outbox.NewExporter(c)
	return err
}

func (n *Node) controlConfig(peers []Peer, options Options) control.Config {
	c := control.Config{
		Commands: n.commands, Replica: n.replica, Connectors: n.connectors, Links: n.links, Logger: n.log,
		Node: n.config.ID, Control: n.ControlAddr(), Build: options.Build,
		Backlog: func() uint64 {
			if n.exporter == nil {
				return 0
			}
			return n.exporter.Backlog()
		},
		InFlight: n.leader.InFlight, Now: n.clock.NowMS, DriveOutstanding: n.config.Limits.DriveOutstanding,
		Members: map[string]string{n.config.ID: n.ControlAddr()},
	}
	for _, p := range peers {
		c.Members[p.ID] = p.Control
	}
	if n.config.TestClock {
		c.AdvanceClock = n.clock.Advance
	}
	return c
}

// peerClients are the other nodes' doors.
func peerClients(self string, peers []Peer, certificates *tls.Config) map[string]control.Peer {
	scheme := "http"
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		Protocols:   &protocols,
		// A node that is cut off closes no connection, so it is asked for a sign of
		// life.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 3 * time.Second},
	}
	if certificates != nil {
		scheme = "https"
		protocols.SetUnencryptedHTTP2(false)
		protocols.SetHTTP2(true)
		transport.TLSClientConfig = certificates.Clone()
	}
	client := &http.Client{Transport: transport}
	clients := make(map[string]control.Peer)
	for _, p := range peers {
		if p.ID != self {
			clients[p.ID] = control.Peer{
				ID: p.ID, Control: p.Control,
				Client: corev1connect.NewNodeServiceClient(client, scheme+"://"+p.Control),
			}
		}
	}
	return clients
}

// onHints is called on the apply loop, perhaps before Open has come to the end.
func (n *Node) onHints(hints []engine.Hint) {
	if f := n.hints.Load(); f != nil {
		(*f)(hints)
	}
}

func (n *Node) setHints() {
	f := func(hints []engine.Hint) {
		n.leader.OnHints(hints)
		n.links.OnHints(hints)
		n.control.OnHints(hints)
	}
	n.hints.Store(&f)
}

// follow starts and stops what only a leader does.
func (n *Node) follow(ctx context.Context) {
	end := func() {}
	defer func() { end() }()
	for {
		select {
		case leading := <-n.replica.LeaderCh():
			end()
			end = func() {}
			if leading {
				end = n.lead(ctx)
			} else {
				n.control.LeadershipLost()
			}
		case err := <-n.replica.Failed():
			n.fail(err)
		case <-ctx.Done():
			return
		}
	}
}

// lead starts a leader's work and returns what ends it and waits for it.
func (n *Node) lead(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() {
		if err := n.links.Lead(ctx); err != nil {
			n.fail(fmt.Errorf("the leader's links: %w", err))
		}
	})
	working.Go(func() {
		if err := n.leader.Lead(ctx); err != nil {
			n.fail(fmt.Errorf("the leader's work: %w", err))
		}
	})
	if n.exporter != nil {
		working.Go(func() {
			if err := n.exporter.Run(ctx); err != nil {
				n.fail(fmt.Errorf("the export to Kafka: %w", err))
			}
		})
	}
	return func() {
		cancel()
		working.Wait()
	}
}

// catchUp waits until this node's rows are as new as the leader's are now.
func (n *Node) catchUp(ctx context.Context) bool {
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := n.commands.CatchUp(try)
		cancel()
		if err == nil {
			n.connectors.Refresh()
			n.caughtUp.Store(true)
			return true
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

// keepReady follows what is activated elsewhere: the leader is told by hints, a
// follower looks once a second.
func (n *Node) keepReady(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := ""; ; {
		n.connectors.Refresh()
		text := ""
		if err := n.connectors.Prepare(ctx); err != nil {
			text = err.Error()
		}
		if text != "" && text != said && ctx.Err() == nil {
			n.log.Warn("an active connector is not ready on this node; it is tried again", "err", text)
		}
		said = text
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) fail(err error) {
	n.log.Error("the node cannot go on", "err", err)
	select {
	case n.failed <- err:
	default:
	}
}

// Failed tells once why the node cannot go on; its owner then closes it.
func (n *Node) Failed() <-chan error { return n.failed }

// ControlAddr, IngressAddr and AdminAddr are the addresses the node listens on.
func (n *Node) ControlAddr() string { return n.doors.addr() }

// IngressAddr: see ControlAddr.
func (n *Node) IngressAddr() string { return n.routes.addr() }

// AdminAddr: see ControlAddr.
func (n *Node) AdminAddr() string { return n.admin.addr() }

// handOverTimeout bounds the wait for another node to take over from one that
// stops.
const handOverTimeout = 3 * time.Second

// Close stops the node: no more intake, leadership handed over, then the parts
// in the reverse order of their start. ctx bounds the wait for requests under
// way; what it cuts off is repeated by whoever sent it.
func (n *Node) Close(ctx context.Context) error {
	var err error
	n.once.Do(func() { err = n.close(ctx) })
	return err
}

func (n *Node) close(ctx context.Context) error {
	var errs []error
	n.closing.Store(true)
	if n.control != nil {
		n.control.LeadershipLost() // ends the streams that would not end by themselves
	}
	for _, s := range []*server{n.routes, n.doors} {
		errs = append(errs, s.shutdown(ctx))
	}
	if n.replica != nil && n.replica.IsLeader() && len(n.config.Peers) > 1 {
		// Requests that did not end have used up the caller's time, and a cluster whose
		// leader just goes stands still for an election.
		handing, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOverTimeout)
		if err := n.replica.TransferLeadership(handing, ""); err != nil {
			n.log.Warn("leadership could not be handed over", "err", err)
		}
		cancel()
	}
	errs = append(errs, n.admin.shutdown(ctx))
	if n.stop != nil {
		n.stop()
		n.running.Wait()
	}
	if n.replica != nil {
		errs = append(errs, n.replica.Close())
	}
	if n.connectors != nil {
		errs = append(errs, n.connectors.Close(context.WithoutCancel(ctx)))
	}
	n.pkcs11.Close()
	return errors.Join(errs...)
}

func newMetrics(node, build string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "railhead_node_info", Help: "Always 1; the labels say which node of which build this is.",
			ConstLabels: prometheus.Labels{"node": node, "build": build},
		}, func() float64 { return 1 }),
	)
	return r
}
