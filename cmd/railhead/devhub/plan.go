package devhub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/railhead-hub/railhead/cmd/railhead/proc"
	"github.com/railhead-hub/railhead/core"
)

// Plan says which process listens where. All of it is loopback.
type Plan struct {
	Dir      string `json:"-"`
	Nodes    []Node `json:"nodes"`
	Bank     int    `json:"bank"`
	Scheme   int    `json:"scheme"`
	Ops      int    `json:"ops"`
	OpsAdmin int    `json:"ops_admin"`
	Kafka    int    `json:"kafka"`
	// Front is the one door before several nodes; a single node is its own.
	Front int `json:"front"`
}

// Node holds the ports of one node.
type Node struct {
	Ingress int `json:"ingress"`
	Control int `json:"control"`
	Admin   int `json:"admin"`
	Raft    int `json:"raft"`
}

// planFile remembers free ports that were chosen: a node's address is part of
// what its log says.
const planFile = "ports.json"

// NewPlan lays out a hub of n nodes with its data in dir: on the usual ports, or
// on free ones, which are then remembered in dir. A hub cannot change its number
// of nodes.
func NewPlan(dir string, n int, free bool) (Plan, error) {
	if n != 1 && n != 3 {
		return Plan{}, fmt.Errorf("a hub has 1 node or 3, not %d", n)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Plan{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Plan{}, err
	}
	path := filepath.Join(dir, planFile)
	var p Plan
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(raw, &p); err != nil {
			return Plan{}, fmt.Errorf("%s: %w", path, err)
		}
		p.Dir = dir
		if len(p.Nodes) != n {
			return Plan{}, fmt.Errorf("%s holds a hub of %d nodes, not %d: remove it, or name another --dir", dir, len(p.Nodes), n)
		}
		return p, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Plan{}, err
	}
	p = usualPlan(n)
	if free {
		if p, err = freePlan(n); err != nil {
			return Plan{}, err
		}
	}
	if raw, err = json.MarshalIndent(p, "", "  "); err != nil {
		return Plan{}, err
	}
	p.Dir = dir
	return p, os.WriteFile(path, append(raw, '\n'), 0o644)
}

func usualPlan(n int) Plan {
	p := Plan{Bank: 8401, Scheme: 8402, Ops: 8403, OpsAdmin: 8406, Front: 8407, Kafka: 9092}
	for i := range n {
		p.Nodes = append(p.Nodes, Node{Ingress: 8400 + 10*i, Control: 8404 + 10*i, Admin: 8405 + 10*i, Raft: 7400 + 10*i})
	}
	return p
}

func freePlan(n int) (Plan, error) {
	ports, err := proc.FreePorts(6 + 4*n)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Bank: ports[0], Scheme: ports[1], Ops: ports[2], OpsAdmin: ports[3], Kafka: ports[4], Front: ports[5]}
	for i := range n {
		q := ports[6+4*i:]
		p.Nodes = append(p.Nodes, Node{Ingress: q[0], Control: q[1], Admin: q[2], Raft: q[3]})
	}
	return p, nil
}

// Busy reports the ports of the plan that something listens on already.
func (p Plan) Busy() []int {
	ports := []int{p.Bank, p.Scheme, p.Ops, p.OpsAdmin, p.Kafka, p.Front}
	for _, n := range p.Nodes {
		ports = append(ports, n.Ingress, n.Control, n.Admin, n.Raft)
	}
	var busy []int
	for _, port := range ports {
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			busy = append(busy, port)
			continue
		}
		_ = l.Close()
	}
	return busy
}

// NodeConfig is the configuration of node i.
func (p Plan) NodeConfig(i int) core.Config {
	c := core.Default()
	n := p.Nodes[i]
	c.ID = nodeName(i)
	c.Dir = filepath.Join(p.Dir, c.ID)
	c.Raft, c.Control, c.Ingress, c.Admin = address(n.Raft), address(n.Control), address(n.Ingress), address(n.Admin)
	c.SecretsDir = filepath.Join(p.Dir, "secrets")
	c.Kafka.Brokers = []string{address(p.Kafka)}
	c.Kafka.ReplicationFactor, c.Kafka.MinInSync, c.Kafka.AllowEmbedded = 1, 1, true
	if len(p.Nodes) > 1 {
		for j, peer := range p.Nodes {
			c.Peers = append(c.Peers, fmt.Sprintf("%s=%s/%s", nodeName(j), address(peer.Raft), address(peer.Control)))
		}
	}
	return c
}

// NodeArgs is the command line of a node process with that configuration.
func NodeArgs(c core.Config) []string {
	args := []string{
		"node", "--id", c.ID, "--dir", c.Dir,
		"--raft", c.Raft, "--control", c.Control, "--ingress", c.Ingress, "--admin", c.Admin,
		"--kafka-brokers", strings.Join(c.Kafka.Brokers, ","),
		fmt.Sprintf("--kafka-replication-factor=%d", c.Kafka.ReplicationFactor),
		fmt.Sprintf("--kafka-min-in-sync=%d", c.Kafka.MinInSync),
		fmt.Sprintf("--kafka-allow-embedded=%t", c.Kafka.AllowEmbedded),
		fmt.Sprintf("--test-clock=%t", c.TestClock), "--secrets-dir", c.SecretsDir,
	}
	if len(c.Peers) > 0 {
		args = append(args, "--peers", strings.Join(c.Peers, ","))
	}
	return args
}

// IngressURL is where channels and schemes reach the hub.
func (p Plan) IngressURL() string {
	if len(p.Nodes) > 1 {
		return URL(p.Front)
	}
	return URL(p.Nodes[0].Ingress)
}

// OpsdArgs is the command line of an opsd process with its store in the hub's
// folder.
func (p Plan) OpsdArgs() []string {
	return []string{
		"opsd", "--listen", address(p.Ops), "--admin", address(p.OpsAdmin),
		"--kafka-brokers", address(p.Kafka), "--store", filepath.Join(p.Dir, "opsd.db"),
	}
}

func nodeName(i int) string { return fmt.Sprintf("n%d", i+1) }

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// URL of a loopback port.
func URL(port int) string { return "http://" + address(port) }
