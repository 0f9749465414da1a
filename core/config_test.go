package core

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultIsGood(t *testing.T) {
	c := Default()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"id", func(c *Config) { c.ID = "N 1" }, "id:"},
		{"cluster", func(c *Config) { c.Cluster = 1024 }, "cluster:"},
		{"dir", func(c *Config) { c.Dir = "" }, "dir:"},
		{"address", func(c *Config) { c.Admin = "8405" }, "admin:"},
		{"beyond loopback", func(c *Config) { c.Control = "0.0.0.0:8404" }, "tls:"},
		{"a name may resolve anywhere", func(c *Config) { c.Raft = "node1:7400" }, "tls:"},
		{"ingress in clear", func(c *Config) { c.Ingress = ":8400" }, "ingress_plain"},
		{"half a certificate", func(c *Config) { c.TLS.Cert = "x.pem" }, "tls: cert, key and ca"},
		{"connectors that nobody signed", func(c *Config) {
			c.Ingress, c.IngressPlain = "0.0.0.0:8400", true
		}, "connectors.roots:"},
		{"a root that is no key", func(c *Config) { c.Connectors.Roots = []string{"ada=AAAA"} }, "connectors.roots:"},
		{"more signatures than roots", func(c *Config) { c.Connectors.Threshold = 1 }, "connectors: threshold"},
		{"profiles in the open", func(c *Config) { c.Pprof, c.Admin = true, "0.0.0.0:8405" }, "pprof:"},
		{"test clock in the open", func(c *Config) { c.TestClock, c.Ingress = true, "0.0.0.0:1" }, "test_clock:"},
		{"unmetered in the open", func(c *Config) { c.Unmetered, c.Ingress = true, "0.0.0.0:1" }, "unmetered:"},
		{"peer's form", func(c *Config) { c.Peers = []string{"n1:127.0.0.1:7400"} }, "id=raft-host:port"},
		{"not a peer", func(c *Config) { c.Peers = []string{"n2=127.0.0.1:1/127.0.0.1:2"} }, "n1, is not among"},
		{"twice", func(c *Config) {
			c.Peers = []string{"n1=127.0.0.1:1/127.0.0.1:2", "n1=127.0.0.1:3/127.0.0.1:4"}
		}, "twice"},
		{"replicas", func(c *Config) { c.Kafka.MinInSync = 4 }, "kafka:"},
		{"limits", func(c *Config) { c.Limits.Workers = 0 }, "limits:"},
		{"too long to answer", func(c *Config) { c.Limits.IngressTimeout = 10 * time.Minute }, "ingress_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Default()
			c.change(&config)
			err := config.Check()
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want something about %q", err, c.says)
			}
		})
	}
}
