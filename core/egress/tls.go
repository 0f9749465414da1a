package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"

	"github.com/railhead-hub/railhead/core/secret"
)

// TLS is how an endpoint's peer and this node know each other, beyond what all
// endpoints do: TLS 1.2 at least, and a certificate for the URL's host that the
// node's authorities have signed.
//
// Certificate, Key and CA name files as secrets are named, <secrets_dir>/<tenant>/<name>.
// They may be replaced at any time; connections made from then on use the new ones.
type TLS struct {
	// Certificate is the PEM file that this node shows: the chain, the leaf first, and
	// the key, unless Key names a file of its own. One file is replaced in one piece.
	Certificate string
	Key         string
	// CA is a PEM file of the only authorities believed. Empty: the node's.
	CA string
	// ServerName is the name that the peer's certificate must carry in place of the
	// URL's host, for a peer that is reached by an address. It needs an allow list:
	// the certificate does not speak for the host any more, so the address must.
	ServerName string
	// Pins are digests of public keys, pin-sha256="base64" or the base64 alone,
	// as secret.ParsePin reads them. One of them must be in the chain that was verified.
	// Give two: the second for the key to come.
	Pins []string
}

// set reports whether it says anything.
func (c TLS) set() bool {
	return c.Certificate != "" || c.Key != "" || c.CA != "" || c.ServerName != "" || len(c.Pins) > 0
}

// pinsMax bounds a list of pins.
const pinsMax = 16

// pinError says that a peer is not the pinned one, and which it is: whoever has written
// a wrong pin, or has not heard of a new key, finds the difference.
type pinError struct{ shown secret.Pin }

func (p *pinError) Error() string {
	return "the peer's certificate chain has none of the pinned keys; its own key is " + p.shown.String()
}

// trust is a TLS read in.
type trust struct {
	config           TLS
	certificate, key *secret.File // nil: none
	ca               *secret.File
	pins             map[secret.Pin]bool
	roots            *x509.CertPool // the node's
}

func newTrust(c TLS, tenant string, allow []netip.Prefix, around Surroundings) (*trust, error) {
	t := &trust{config: c, roots: around.RootCAs}
	if c.Key != "" && c.Certificate == "" {
		return nil, errors.New("a key needs a certificate")
	}
	if c.ServerName != "" {
		if len(allow) == 0 {
			return nil, errors.New("server_name needs an allow list: the certificate does not speak for the url's host any more")
		}
		if err := checkHost(c.ServerName); err != nil {
			return nil, fmt.Errorf("server_name: %w", err)
		}
	}
	for _, f := range []struct {
		name string
		into **secret.File
	}{{c.Certificate, &t.certificate}, {c.Key, &t.key}, {c.CA, &t.ca}} {
		if f.name == "" {
			continue
		}
		file, err := around.Secrets.Open(tenant, f.name)
		if err != nil {
			return nil, err
		}
		*f.into = file
	}
	if len(c.Pins) > pinsMax {
		return nil, fmt.Errorf("%d pins; %d are allowed", len(c.Pins), pinsMax)
	}
	for _, text := range c.Pins {
		pin, err := secret.ParsePin(text)
		if err != nil {
			return nil, err
		}
		if t.pins == nil {
			t.pins = make(map[secret.Pin]bool)
		}
		t.pins[pin] = true
	}
	return t, nil
}

// versions tell whether a file has a new value.
type versions [3]uint64

func (t *trust) versions() (v versions) {
	for i, f := range []*secret.File{t.certificate, t.key, t.ca} {
		if f != nil {
			v[i] = f.Version()
		}
	}
	return v
}

// client is the configuration of connections made from now on.
func (t *trust) client() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: t.roots, ServerName: t.config.ServerName}
	if t.certificate != nil {
		chain := []byte(t.certificate.Value())
		key := chain
		if t.key != nil {
			key = []byte(t.key.Value())
		}
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			// The error of crypto/tls says what is missing, and shows nothing of a key.
			return nil, fmt.Errorf("client certificate %s: %w", t.config.Certificate, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.ca.Value())) {
			return nil, fmt.Errorf("ca %s holds no certificate in PEM", t.config.CA)
		}
	}
	if t.pins != nil {
		c.VerifyConnection = t.pinned
	}
	return c, nil
}

// pinned looks for a pinned key in the chains that were verified: those a peer only
// sends prove nothing.
func (t *trust) pinned(state tls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		for _, certificate := range chain {
			if t.pins[secret.PinOf(certificate)] {
				return nil
			}
		}
	}
	return &pinError{secret.PinOf(state.PeerCertificates[0])}
}
