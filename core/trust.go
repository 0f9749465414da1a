package core

import (
	"errors"
	"fmt"

	"github.com/railhead-hub/railhead/sdk/signing"
)

// Connectors says which modules a node trusts. It is in the node's configuration alone,
// so that nobody who reaches an API of the hub can change it.
type Connectors struct {
	Roots     []string `koanf:"roots" help:"who may sign connectors, as name=base64-key; empty: unsigned ones run, on loopback only"`
	Threshold int      `koanf:"threshold" help:"of distinct roots that must have signed a connector; 0: one"`
	Separate  bool     `koanf:"separate" help:"author, signers and whoever activates a connector must be different people"`
}

// Policy is what the roots come to.
func (c Connectors) Policy() (signing.Policy, error) {
	p := signing.Policy{Threshold: c.Threshold, Separate: c.Separate}
	for _, text := range c.Roots {
		root, err := signing.ParseRoot(text)
		if err != nil {
			return p, fmt.Errorf("connectors.roots: %w", err)
		}
		p.Roots = append(p.Roots, root)
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("connectors: %w", err)
	}
	return p, nil
}

// checkConnectors refuses a node that others reach and that would run what nobody has
// signed.
func (c *Config) checkConnectors() error {
	policy, err := c.Connectors.Policy()
	if err != nil {
		return err
	}
	if !policy.Demands() && !(loopback(c.Raft) && loopback(c.Control) && loopback(c.Ingress)) {
		return errors.New("connectors.roots: this node listens beyond loopback, so it must say who signs connectors (railhead connector keygen)")
	}
	return nil
}
