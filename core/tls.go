package core

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// loadNode is load for the node of this id, whose name the certificate must carry,
// or the other nodes would turn it away without a word.
func (t TLS) loadNode(id string) (*tls.Config, error) {
	c, err := t.load()
	if c == nil || err != nil {
		return nil, err
	}
	if name := c.Certificates[0].Leaf.Subject.CommonName; name != id {
		return nil, fmt.Errorf("tls: the certificate's common name is %q and this node's id is %q", name, id)
	}
	return c, nil
}

// load reads the certificate files into a configuration for both directions:
// whoever has them shows the certificate and demands one of the same authority.
// Nil without files.
func (t TLS) load() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: the certificate cannot be used: %w", err)
	}
	pool, err := loadPool(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}, nil
}

// onlyMembers is the configuration for connections between nodes: the other side's
// certificate must carry the id of a member. An administrator's, which the same
// authority signs, opens the control API, where acts are audited, and not the log.
func onlyMembers(certificates *tls.Config, self string, peers []Peer) *tls.Config {
	if certificates == nil {
		return nil
	}
	members := map[string]bool{self: true}
	for _, p := range peers {
		members[p.ID] = true
	}
	c := certificates.Clone()
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if name := state.PeerCertificates[0].Subject.CommonName; !members[name] {
			return fmt.Errorf("tls: %q is no member of this cluster", name)
		}
		return nil
	}
	return c
}

func loadPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
