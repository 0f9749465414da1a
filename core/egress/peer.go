package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// PeerConfig is the other side of a TCP link, which is not HTTP but under the same
// policy: exact address, checked on what it resolves to; nothing without an allow list
// that is not TLS to a public address.
type PeerConfig struct {
	Tenant string
	Host   string
	Port   uint16
	// Listens says that the peer connects to this node, at Host and Port.
	Listens bool
	// Allow are the only addresses that may be connected to or that may connect.
	Allow []netip.Prefix
	TLS   *TLS // nil: none
}

// Address is what is connected to or listened on.
func (c PeerConfig) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) }

// Peer connects to a peer, or admits it. It is safe for concurrent use.
type Peer struct {
	config   PeerConfig
	trust    *trust // nil: no TLS
	resolver *net.Resolver
}

// handshakeMax bounds connecting and the TLS handshake, together.
const handshakeMax = 10 * time.Second

// NewPeer checks the configuration and reads the secrets it names. It connects to
// nothing.
func NewPeer(c PeerConfig, around Surroundings) (*Peer, error) {
	if err := checkHost(c.Host); err != nil {
		return nil, err
	}
	if len(c.Allow) == 0 && (c.Listens || c.TLS == nil) {
		return nil, errors.New("a link that listens, or has no TLS, needs an allow list")
	}
	if _, err := netip.ParseAddr(c.Host); err != nil && c.Listens {
		return nil, fmt.Errorf("%q is not an address of this machine to listen on", c.Host)
	}
	if !c.Listens {
		if err := reachable(c.Host, c.Allow); err != nil {
			return nil, err
		}
	}
	p := &Peer{config: c, resolver: around.Resolver}
	if c.TLS == nil {
		return p, nil
	}
	if c.Listens && (c.TLS.Certificate == "" || c.TLS.CA == "") {
		return nil, errors.New("tls: a link that listens needs a certificate, and the ca of those who connect")
	}
	var err error
	if p.trust, err = newTrust(*c.TLS, c.Tenant, c.Allow, around); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if _, err := p.trust.client(); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return p, nil
}

// Dial connects.
func (p *Peer) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeMax)
	defer cancel()
	dialer := &net.Dialer{Resolver: p.resolver, ControlContext: control(p.config.Allow, p.config.Port)}
	conn, err := dialer.DialContext(ctx, "tcp", p.config.Address())
	if err != nil || p.trust == nil {
		return conn, err
	}
	config, err := p.trust.client()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if config.ServerName == "" {
		config.ServerName = p.config.Host
	}
	return shake(ctx, conn, tls.Client(conn, config))
}

// Admits reports whether the allow list has the address.
func (p *Peer) Admits(address net.Addr) bool {
	from, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return false
	}
	for _, prefix := range p.config.Allow {
		if prefix.Contains(from.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// Admit finds out who has connected. A connection that is not admitted is closed.
func (p *Peer) Admit(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if p.trust == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeMax)
	defer cancel()
	config, err := p.trust.client()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, config.RootCAs
	return shake(ctx, conn, tls.Server(conn, config))
}

func shake(ctx context.Context, conn net.Conn, secured *tls.Conn) (net.Conn, error) {
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}
