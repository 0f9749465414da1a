package opsd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/railhead-hub/railhead/opsd/store"
)

// Config is everything that may be said about an opsd process: one schema for the
// configuration file, the environment and flags. Default gives what holds where
// nothing is said; Check says what is wrong, in sentences.
type Config struct {
	Listen string `koanf:"listen" help:"address of the API"`
	Admin  string `koanf:"admin" help:"address of metrics and health"`

	Kafka Kafka `koanf:"kafka"`

	Store    string `koanf:"store" help:"SQLite file, or the postgres:// URL of a database"`
	Readers  int    `koanf:"readers" help:"connections that read from the database at once"`
	BatchMax int    `koanf:"batch_max" help:"records one transaction takes at most, 1 to 10000"`
	// Replicas is what the deployment runs; SQLite allows one.
	Replicas int `koanf:"replicas" help:"how many opsd share the database; SQLite allows one"`

	Sensitive []string `koanf:"sensitive" help:"further names of variables and JSON fields to mask"`

	TLS TLS `koanf:"tls"`

	// Version of the program, as GetStatus tells it.
	Version string `koanf:"-"`
}

// Kafka says where events come from.
type Kafka struct {
	Brokers     []string `koanf:"brokers" help:"Kafka's addresses; empty: nothing is consumed, only answered"`
	EventsTopic string   `koanf:"events_topic" help:"topic of payments' events"`
	AuditTopic  string   `koanf:"audit_topic" help:"topic of administrative acts"`
	Group       string   `koanf:"group" help:"group under which positions are shown to lag tools; empty: not at all"`
	TLS         bool     `koanf:"tls" help:"speak TLS to the brokers, with this process's certificate"`
}

// TLS names the files by which opsd and its clients know each other.
type TLS struct {
	Cert string `koanf:"cert" help:"PEM file of this process's certificate"`
	Key  string `koanf:"key" help:"PEM file of its key"`
	CA   string `koanf:"ca" help:"PEM file of the authority that signs clients; with it, clients must show a certificate"`
}

// Default is what holds where nothing is said.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8403", Admin: "127.0.0.1:8406",
		Kafka: Kafka{EventsTopic: "railhead.events.v1", AuditTopic: "railhead.audit.v1", Group: "railhead-opsd"},
		Store: "railhead-data/opsd.db", Readers: 8, BatchMax: 2000, Replicas: 1,
	}
}

// Check answers everything that is wrong with the configuration, or nil.
func (c *Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, address := range []struct {
		name, value string
		secure      bool
	}{{"listen", c.Listen, c.TLS.Cert != "" && c.TLS.CA != ""}, {"admin", c.Admin, true}} {
		host, _, err := net.SplitHostPort(address.value)
		switch {
		case err != nil:
			fault("%s: %q is not host:port", address.name, address.value)
		case !address.secure && !loopback(host):
			fault("%s: %s is not loopback, and nobody would have to show who they are; set tls.cert, tls.key and tls.ca so that clients must show a certificate", address.name, address.value)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		fault("tls: cert and key belong together")
	}
	if c.TLS.CA != "" && c.TLS.Cert == "" {
		fault("tls: a ca without cert and key protects nothing")
	}
	if len(c.Kafka.Brokers) > 0 && (c.Kafka.EventsTopic == "" || c.Kafka.AuditTopic == "" || c.Kafka.EventsTopic == c.Kafka.AuditTopic) {
		fault("kafka: events_topic and audit_topic must be named, and differ")
	}
	if c.Store == "" {
		fault("store: name a SQLite file or a postgres:// URL")
	}
	if c.Readers < 1 || c.Readers > 1000 {
		fault("readers: %d; 1 to 1000 are allowed", c.Readers)
	}
	if c.BatchMax < 1 || c.BatchMax > 10_000 {
		fault("batch_max: %d; 1 to 10000 are allowed", c.BatchMax)
	}
	switch {
	case c.Replicas < 1:
		fault("replicas: %d; at least 1", c.Replicas)
	case c.Replicas > 1 && c.database().Driver == "sqlite":
		fault("replicas: %d opsd cannot share a SQLite file; use one, or Postgres", c.Replicas)
	}
	return errors.Join(faults...)
}

// database reads the store's name.
func (c *Config) database() store.Config {
	if strings.HasPrefix(c.Store, "postgres://") || strings.HasPrefix(c.Store, "postgresql://") {
		return store.Config{Driver: "postgres", DSN: c.Store, Readers: c.Readers}
	}
	return store.Config{Driver: "sqlite", Path: c.Store, Readers: c.Readers}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
