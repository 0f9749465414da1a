package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/time/rate"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Config binds an endpoint that a connector's manifest declares to an address of
// one tenant.
type Config struct {
	Connector, Tenant, Name string
	// URL is the base: scheme, host, port and path prefix. http is accepted only
	// together with Allow.
	URL string
	// Mode says whether the endpoint may be asked again; see engine.v1.Mode.
	Mode enginev1.Mode
	// KeyHeader carries the idempotency key; empty: Idempotency-Key.
	KeyHeader string
	// Allow are the only addresses that may be connected to. Empty: public ones.
	// Link-local addresses, where clouds serve their credentials, are never
	// reached.
	Allow []netip.Prefix
	// Timeout bounds one attempt, from dialling to the last byte. 0: 10 s.
	Timeout time.Duration
	// Headers are set on every request and win over the guest's.
	Headers []*sdkv1.Header
	// Secrets are the names that this endpoint's headers may refer to.
	Secrets []string
	// ResponseMax bounds a response's body in bytes. 0: 1 MiB.
	ResponseMax int64
	// Retries is how often a request is sent again when that is harmless: it was
	// not sent, or the mode is safe or keyed. 0 to 5.
	Retries int
	// RatePerSecond bounds the requests; 0: no bound.
	RatePerSecond float64
	// Connections bounds the open connections. 0: 64.
	Connections int
}

// Surroundings are what all endpoints of a node share.
type Surroundings struct {
	Secrets  Secrets
	RootCAs  *x509.CertPool // nil: the system's
	Resolver *net.Resolver  // nil: the system's
	Metrics  *Metrics
}

// Endpoint is one address that one tenant has bound for one connector. It is
// safe for concurrent use.
type Endpoint struct {
	config    Config
	base      *url.URL
	secrets   map[string]string
	scrub     *strings.Replacer
	transport *http.Transport
	limiter   *rate.Limiter
	metrics   *Metrics
}

// New checks the configuration and reads the secrets it names. It connects to
// nothing.
func New(c Config, around Surroundings) (*Endpoint, error) {
	e, err := newEndpoint(c, around)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s of connector %s: %w", c.Name, c.Connector, err)
	}
	return e, nil
}

func newEndpoint(c Config, around Surroundings) (*Endpoint, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Hostname() == "" || base.Opaque != "" {
		return nil, fmt.Errorf("url %q is not one with a host", c.URL)
	}
	if base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "" {
		return nil, errors.New("the url may carry no user, query or fragment")
	}
	port := base.Port()
	switch {
	case base.Scheme == "https" && port == "":
		port = "443"
	case base.Scheme == "http" && port == "":
		port = "80"
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("scheme %q; http and https are known", base.Scheme)
	}
	if base.Scheme == "http" && len(c.Allow) == 0 {
		return nil, errors.New("http needs an allow list; without one use https")
	}
	portNumber, err := strconv.ParseUint(port, 10, 16)
	if err != nil || portNumber == 0 {
		return nil, fmt.Errorf("port %q is not one", port)
	}
	if c.Retries < 0 || c.Retries > 5 {
		return nil, fmt.Errorf("retries %d; 0 to 5 are allowed", c.Retries)
	}
	if c.KeyHeader == "" {
		c.KeyHeader = "Idempotency-Key"
	}
	if !token(c.KeyHeader) || forbiddenHeaders[http.CanonicalHeaderKey(c.KeyHeader)] &&
		!strings.EqualFold(c.KeyHeader, "X-Idempotency-Key") {
		return nil, fmt.Errorf("key header %q is not allowed", c.KeyHeader)
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.ResponseMax <= 0 {
		c.ResponseMax = 1 << 20
	}
	if c.Connections <= 0 {
		c.Connections = 64
	}
	secrets, err := around.Secrets.read(c.Tenant, c.Secrets)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{config: c, base: base, secrets: secrets, scrub: scrubber(secrets), metrics: around.Metrics}
	if c.RatePerSecond > 0 {
		e.limiter = rate.NewLimiter(rate.Limit(c.RatePerSecond), max(1, int(c.RatePerSecond/10)))
	}
	// A request with the tenant's headers alone must be buildable, so that a bad
	// reference is found now and not by the first payment.
	if _, err := e.build(context.Background(), &sdkv1.Http{Method: http.MethodGet, Path: "/"}, "key"); err != nil {
		return nil, err
	}
	dialer := &net.Dialer{
		Timeout:        c.Timeout,
		Resolver:       around.Resolver,
		ControlContext: control(c.Allow, uint16(portNumber)),
	}
	e.transport = &http.Transport{
		Proxy:       nil, // never from the environment
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    around.RootCAs,
		},
		TLSHandshakeTimeout:    c.Timeout,
		DisableCompression:     true, // a small compressed body may be a large one
		MaxConnsPerHost:        c.Connections,
		MaxIdleConnsPerHost:    c.Connections,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// HTTP/2 repeats requests on its own when a connection goes away.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	return e, nil
}

// Mode is the mode the tenant bound the endpoint with.
func (e *Endpoint) Mode() enginev1.Mode { return e.config.Mode }

// Close lets go of idle connections; requests under way are not disturbed.
func (e *Endpoint) Close() { e.transport.CloseIdleConnections() }

var errAddress = errors.New("the address is not allowed")

// control is called with the address that a name resolved to, just before it is
// connected to: checking names earlier would let a second resolution answer
// otherwise.
func control(allow []netip.Prefix, port uint16) func(context.Context, string, string, syscall.RawConn) error {
	public := ssrf.New(ssrf.WithPorts(port), ssrf.WithNetworks("tcp4", "tcp6"))
	return func(_ context.Context, network, address string, conn syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errAddress, address)
		}
		ip := to.Addr().Unmap()
		if to.Port() != port || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			return fmt.Errorf("%w: %s", errAddress, address)
		}
		if len(allow) == 0 {
			if err := public.Safe(network, address, conn); err != nil {
				return fmt.Errorf("%w: %s is not public", errAddress, address)
			}
			return nil
		}
		for _, prefix := range allow {
			if prefix.Contains(ip) {
				return nil
			}
		}
		return fmt.Errorf("%w: %s is in no allowed range", errAddress, address)
	}
}
