package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLayers proves the order: defaults, file, environment, flags, each over the
// one before, and values of every kind.
func TestLayers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "railhead.yaml")
	if err := os.WriteFile(file, []byte(`
node:
  id: from-file
  cluster: 7
  raft: 127.0.0.1:1
  peers: [a=127.0.0.1:1/127.0.0.1:2, b=127.0.0.1:3/127.0.0.1:4]
  limits: {ingress_timeout: 5s}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(Sources{
		File:  file,
		Env:   []string{"RAILHEAD_NODE_ID=from-env", "RAILHEAD_NODE_KAFKA_BROKERS=k1:9092,k2:9092", "RAILHEAD_NODE_TEST_CLOCK=true", "HOME=/"},
		Flags: map[string]string{"node.id": "from-flag", "node.limits.workers": "9"},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := s.Node
	if n.ID != "from-flag" || n.Cluster != 7 || n.Raft != "127.0.0.1:1" || !n.TestClock {
		t.Errorf("node %+v", n)
	}
	if len(n.Peers) != 2 || strings.Join(n.Kafka.Brokers, " ") != "k1:9092 k2:9092" {
		t.Errorf("peers %q, brokers %q", n.Peers, n.Kafka.Brokers)
	}
	if n.Limits.IngressTimeout != 5*time.Second || n.Limits.Workers != 9 || n.Limits.IngressConcurrent != Default().Node.Limits.IngressConcurrent {
		t.Errorf("limits %+v", n.Limits)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        []string
		flags      map[string]string
		want       string
	}{
		{name: "unknown key", file: "node: {idd: x}", want: "unknown key node.idd"},
		{name: "unknown section", file: "nodes: {}", want: "unknown key nodes"},
		{name: "two unknown keys", file: "a: 1\nb: 2", want: "unknown key a, b"},
		{name: "a scalar for a section", file: "node: 3", want: "node"},
		{name: "a list for a text", file: "node: {id: [1]}", want: "node.id"},
		{name: "no duration", file: "node: {limits: {ingress_timeout: soon}}", want: "ingress_timeout"},
		{name: "negative", file: "node: {cluster: -1}", want: "node.cluster"},
		{name: "a duration without a unit", file: "node: {limits: {ingress_timeout: 5}}", want: "ingress_timeout"},
		{name: "a fraction", file: "node: {cluster: 1.5}", want: "node.cluster"},
		{name: "no number in the environment", env: []string{"RAILHEAD_NODE_CLUSTER=x"}, want: "node.cluster"},
		{name: "unknown variable", env: []string{"RAILHEAD_NODE_IDD=x"}, want: "no setting is called RAILHEAD_NODE_IDD"},
		{name: "unknown flag's key", flags: map[string]string{"node.idd": "x"}, want: "unknown key node.idd"},
		{name: "not YAML", file: "node: {", want: "configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := Sources{Env: c.env, Flags: c.flags}
			if c.file != "" {
				from.File = filepath.Join(t.TempDir(), "x.yaml")
				if err := os.WriteFile(from.File, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(from)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestEveryKeyHasHelp: a key that nobody can read about is a trap.
func TestEveryKeyHasHelp(t *testing.T) {
	names := map[string]string{}
	for _, k := range Keys("") {
		if k.Help == "" {
			t.Errorf("%s has no help", k.Name)
		}
		if other, taken := names[EnvName(k.Name)]; taken {
			t.Errorf("%s and %s share %s", k.Name, other, EnvName(k.Name))
		}
		names[EnvName(k.Name)] = k.Name
	}
}

func TestDefaultsCheck(t *testing.T) {
	if err := Default().Check(); err != nil {
		t.Error(err)
	}
}
