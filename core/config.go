package core

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/core/ingress"
)

// Config is everything that may be said about a node: one schema for the
// configuration file, the environment and flags. Default gives what holds where
// nothing is said; Check says what is wrong, in sentences.
type Config struct {
	ID      string `koanf:"id" help:"this node's id, unique in the cluster"`
	Cluster uint32 `koanf:"cluster" help:"the cluster's number, 1 to 1023; it is part of every id"`
	Dir     string `koanf:"dir" help:"directory of this node's log, state and connectors"`

	Raft    string `koanf:"raft" help:"address the nodes of the cluster reach this one at"`
	Control string `koanf:"control" help:"address of the control API"`
	Ingress string `koanf:"ingress" help:"address of the connectors' HTTP routes"`
	Admin   string `koanf:"admin" help:"address of metrics and health"`

	Peers []string `koanf:"peers" help:"every member, this node too, as id=raft-address/control-address; empty: this node alone"`

	TLS   TLS   `koanf:"tls"`
	Kafka Kafka `koanf:"kafka"`

	SecretsDir string `koanf:"secrets_dir" help:"directory of secrets, one file each: tenant/name"`
	PKCS11     string `koanf:"pkcs11_module" help:"PKCS#11 library by which keys in tokens are reached, such as /usr/lib/softhsm/libsofthsm2.so; empty: none"`
	EgressCA   string `koanf:"egress_ca" help:"PEM file of certificate authorities for outside calls; empty: the system's"`
	// IngressPlain is for a node behind a proxy that terminates TLS.
	IngressPlain bool `koanf:"ingress_plain" help:"serve connectors' routes without TLS on an address that is not loopback"`
	// Pprof shows what a node spends its time on, and what it holds in memory.
	Pprof     bool `koanf:"pprof" help:"serve profiles of this process on the admin address; loopback only"`
	TestClock bool `koanf:"test_clock" help:"let the control API move the clock; loopback only"`
	// Unmetered is for measuring what the meter in connectors' code costs.
	Unmetered bool `koanf:"unmetered" help:"run connectors without a limit on their time, to measure; loopback only"`

	Connectors Connectors `koanf:"connectors"`

	Limits Limits `koanf:"limits"`
}

// TLS names the files by which nodes, opsd and administrators know each other.
// A node's certificate carries its id as common name.
type TLS struct {
	Cert string `koanf:"cert" help:"PEM file of this node's certificate; its common name is the node's id"`
	Key  string `koanf:"key" help:"PEM file of its key"`
	CA   string `koanf:"ca" help:"PEM file of the authority that signs nodes and administrators"`
}

// Kafka says where events go.
type Kafka struct {
	Brokers           []string `koanf:"brokers" help:"Kafka's addresses; empty: nothing is exported"`
	ReplicationFactor int      `koanf:"replication_factor" help:"of topics that are created, and the least accepted without a warning"`
	MinInSync         int      `koanf:"min_in_sync" help:"in-sync replicas a write needs"`
	TLS               bool     `koanf:"tls" help:"speak TLS to the brokers, with the node's certificate"`
	// AllowEmbedded lets a node export to the broker inside railhead dev and tests,
	// which keeps no promise that a real one does.
	AllowEmbedded bool `koanf:"allow_embedded" help:"accept the broker of railhead dev"`
}

// Limits bound what a node takes on at once.
type Limits struct {
	Workers            int           `koanf:"workers" help:"jobs stepped at once"`
	LaneShare          int           `koanf:"lane_share" help:"of these, jobs of one connector of one tenant; 0: half"`
	IngressConcurrent  int           `koanf:"ingress_concurrent" help:"connectors' requests served at once; more are answered 503"`
	IngressConnections int           `koanf:"ingress_connections" help:"connections of connectors' callers; of more, those on which nothing moves are ended"`
	IngressTimeout     time.Duration `koanf:"ingress_timeout" help:"of one request on a connector's route, at most 1m30s"`
	DeltaMaxMB         int64         `koanf:"delta_max_mb" help:"log that may wait for a checkpoint before proposals are refused"`
	DriveOutstanding   int           `koanf:"drive_outstanding" help:"items of one Drive stream under way"`
}

// Default is one node for development, on loopback.
func Default() Config {
	return Config{
		ID: "n1", Cluster: 1, Dir: "railhead-data/n1",
		Raft: "127.0.0.1:7400", Control: "127.0.0.1:8404", Ingress: "127.0.0.1:8400", Admin: "127.0.0.1:8405",
		Kafka: Kafka{ReplicationFactor: 3, MinInSync: 2},
		Limits: Limits{
			Workers: 512, IngressConcurrent: 2048, IngressConnections: ingress.ConnectionsDefault, IngressTimeout: 30 * time.Second,
			DeltaMaxMB: 1024, DriveOutstanding: 200_000,
		},
	}
}

// Peer is one member of the cluster.
type Peer struct {
	ID, Raft, Control string
}

var nodeID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ParsePeers reads the peers list.
func (c *Config) ParsePeers() ([]Peer, error) {
	var peers []Peer
	seen := make(map[string]bool)
	for _, text := range c.Peers {
		id, addresses, ok := strings.Cut(text, "=")
		raft, control, both := strings.Cut(addresses, "/")
		if !ok || !both || !nodeID.MatchString(id) || !hostPort(raft) || !hostPort(control) {
			return nil, fmt.Errorf("peers: %q is not of the form id=raft-host:port/control-host:port", text)
		}
		if seen[id] {
			return nil, fmt.Errorf("peers: %s is named twice", id)
		}
		seen[id] = true
		peers = append(peers, Peer{id, raft, control})
	}
	return peers, nil
}

// Check reports everything that is wrong with the configuration.
func (c *Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if !nodeID.MatchString(c.ID) {
		fault("id: %q; use 1 to 63 lower-case letters, digits and dashes", c.ID)
	}
	if c.Cluster < 1 || c.Cluster > 1023 {
		fault("cluster: %d; 1 to 1023 are allowed", c.Cluster)
	}
	if c.Dir == "" {
		fault("dir: a node needs a directory of its own")
	}
	for _, a := range []struct{ name, address string }{
		{"raft", c.Raft}, {"control", c.Control}, {"ingress", c.Ingress}, {"admin", c.Admin},
	} {
		if !hostPort(a.address) {
			fault("%s: %q is not an address such as 127.0.0.1:8404", a.name, a.address)
		}
	}
	peers, err := c.ParsePeers()
	if err != nil {
		faults = append(faults, err)
	}
	self := false
	for _, p := range peers {
		self = self || p.ID == c.ID
	}
	if len(peers) > 0 && !self {
		fault("peers: this node, %s, is not among them", c.ID)
	}
	some := c.TLS.Cert != "" || c.TLS.Key != "" || c.TLS.CA != ""
	all := c.TLS.Cert != "" && c.TLS.Key != "" && c.TLS.CA != ""
	if some && !all {
		fault("tls: cert, key and ca belong together; give all three or none")
	}
	if !all {
		if !loopback(c.Raft) || !loopback(c.Control) {
			fault("tls: raft and control listen beyond loopback, so cert, key and ca are needed")
		}
		for _, p := range peers {
			if !loopback(p.Raft) || !loopback(p.Control) {
				fault("tls: peer %s is not on loopback, so cert, key and ca are needed", p.ID)
			}
		}
		if !loopback(c.Ingress) && !c.IngressPlain {
			fault("tls: ingress listens beyond loopback; give cert, key and ca, or set ingress_plain behind a proxy that terminates TLS")
		}
	}
	if err := c.checkConnectors(); err != nil {
		faults = append(faults, err)
	}
	if c.Pprof && !loopback(c.Admin) {
		fault("pprof: profiles show what a node holds in memory, so admin must listen on loopback")
	}
	if c.TestClock && !(loopback(c.Raft) && loopback(c.Control) && loopback(c.Ingress)) {
		fault("test_clock: only on a node that listens on loopback alone")
	}
	if c.Unmetered && !(loopback(c.Raft) && loopback(c.Control) && loopback(c.Ingress)) {
		fault("unmetered: only on a node that listens on loopback alone")
	}
	if c.Kafka.ReplicationFactor < 1 || c.Kafka.MinInSync < 1 || c.Kafka.MinInSync > c.Kafka.ReplicationFactor {
		fault("kafka: min_in_sync and replication_factor are at least 1, and min_in_sync is not above replication_factor")
	}
	if c.Limits.Workers < 1 || c.Limits.LaneShare < 0 || c.Limits.IngressConnections < 1 || c.Limits.IngressConcurrent < 1 ||
		c.Limits.IngressTimeout <= 0 || c.Limits.DeltaMaxMB < 1 || c.Limits.DriveOutstanding < 1 {
		fault("limits: all of them are positive; only lane_share may be 0")
	}
	if c.Limits.IngressTimeout > ingressTimeoutMax {
		fault("limits: ingress_timeout is at most %v: a later answer would not be written", ingressTimeoutMax)
	}
	return errors.Join(faults...)
}

func hostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port != ""
}

// loopback reports whether an address can be reached from this machine alone. A
// name counts only if it is localhost: what others resolve to may change.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
