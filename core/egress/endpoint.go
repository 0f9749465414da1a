package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/railhead-hub/railhead/core/secret"
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
	// Allow are the only addresses that may be connected to. Empty: public ones. Some
	// are never connected to, and loopback ones only if they are named; address.go
	// says which.
	Allow []netip.Prefix
	TLS   TLS // of https
	// Timeout bounds one attempt, from dialling to the last byte. 0: 10 s.
	Timeout time.Duration
	// Headers are set on every request and win over the guest's.
	Headers []*sdkv1.Header
	// Secrets are the names that this endpoint's headers may refer to. A reference
	// anywhere else is sent as it stands, or refused: what customers write ends up in
	// paths and bodies.
	Secrets []string
	// RequestHeaders are those a guest may set, ResponseHeaders those it gets to see.
	RequestHeaders, ResponseHeaders HeaderRules
	// RequestMax and ResponseMax bound a body in bytes. 0: 4 MiB, 1 MiB.
	RequestMax, ResponseMax int64
	// Retries is how often a request is sent again when that is harmless: it was
	// not sent, or the mode is safe or keyed. 0 to 5.
	Retries int
	// RatePerSecond bounds the requests; 0: no bound.
	RatePerSecond float64
	// Connections bounds the open connections, and the requests under way. 0: 64.
	Connections int
	// WaitMax bounds how long a request waits for room, before an attempt's own time
	// begins. 0: Timeout.
	WaitMax time.Duration
	Breaker Breaker
	// Version is the tenant's configuration's. The limits of the newest count.
	Version uint64
}

// Surroundings are what all endpoints of a node share.
type Surroundings struct {
	Secrets  *secret.Store  // nil: there are none
	RootCAs  *x509.CertPool // nil: the system's
	Resolver *net.Resolver  // nil: the system's
	Metrics  *Metrics
	Gates    *Gates       // nil: every endpoint has its own
	Logger   *slog.Logger // nil: slog.Default
}

// Endpoint is one address that one tenant has bound for one connector. It is
// safe for concurrent use.
type Endpoint struct {
	config  Config
	base    *url.URL
	key     gateKey
	limits  limits
	secrets *secret.Set
	sends   rules
	shows   rules
	trust   *trust
	dialer  *net.Dialer
	gates   *Gates
	metrics *Metrics
	log     *slog.Logger

	line atomic.Pointer[line]
	// renewing is held by whoever makes a new line.
	renewing sync.Mutex
	refused  versions // those that the log was last told about
}

// line holds the connections that were made with one state of the TLS files.
type line struct {
	transport *http.Transport
	versions  versions
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
	if c.URL == "" {
		return nil, errors.New("url is missing")
	}
	if strings.Contains(c.URL, secret.Opening) {
		return nil, errors.New("the url may not refer to a secret; a header may")
	}
	base, err := url.Parse(c.URL)
	if err != nil || base.Hostname() == "" || base.Opaque != "" {
		// The url is not shown: it may have a password in it.
		return nil, errors.New("the url is not of the form https://host:port/path")
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
		return nil, fmt.Errorf("the url's scheme is %q; http and https are known", base.Scheme)
	}
	if base.Scheme == "http" && len(c.Allow) == 0 {
		return nil, errors.New("an http url needs an allow list; without one use https")
	}
	if err := reachable(base.Hostname(), c.Allow); err != nil {
		return nil, err
	}
	portNumber, err := strconv.ParseUint(port, 10, 16)
	if err != nil || portNumber == 0 {
		return nil, fmt.Errorf("port %q is not one", port)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	e := &Endpoint{
		config: c, base: base,
		key:    gateKey{c.Tenant, c.Connector, c.Name, net.JoinHostPort(strings.ToLower(base.Hostname()), port)},
		limits: limits{breaker: c.Breaker, inFlight: c.Connections, perSecond: c.RatePerSecond},
		gates:  around.Gates, metrics: around.Metrics, log: cmp.Or(around.Logger, slog.Default()),
		dialer: &net.Dialer{
			Timeout: c.Timeout, Resolver: around.Resolver,
			ControlContext: control(c.Allow, uint16(portNumber)),
		},
	}
	if e.gates == nil {
		e.gates = NewGates(nil)
	}
	if e.sends, err = c.RequestHeaders.read(); err != nil {
		return nil, fmt.Errorf("request headers: %w", err)
	}
	if e.shows, err = c.ResponseHeaders.read(); err != nil {
		return nil, fmt.Errorf("response headers: %w", err)
	}
	if e.secrets, err = around.Secrets.Set(c.Tenant, c.Secrets); err != nil {
		return nil, err
	}
	if e.trust, err = newTrust(c.TLS, c.Tenant, c.Allow, around); err != nil {
		return nil, err
	}
	first, err := e.newLine()
	if err != nil {
		return nil, err
	}
	e.line.Store(first)
	// A request with the tenant's headers alone must be buildable, so that a bad
	// reference is found now and not by the first payment.
	if _, err := e.build(context.Background(), &sdkv1.Http{Method: http.MethodGet, Path: "/"}, "key"); err != nil {
		return nil, err
	}
	return e, nil
}

func (c *Config) check() error {
	if c.Retries < 0 || c.Retries > 5 {
		return fmt.Errorf("retries is %d; 0 to 5 are allowed", c.Retries)
	}
	if c.KeyHeader != "" && (!token(c.KeyHeader) || forbiddenHeader(http.CanonicalHeaderKey(c.KeyHeader)) &&
		!strings.EqualFold(c.KeyHeader, "X-Idempotency-Key")) {
		return fmt.Errorf("key header %q is not allowed", c.KeyHeader)
	}
	if c.RequestMax > bodyMax {
		return fmt.Errorf("a request may have %d bytes; up to %d are allowed", c.RequestMax, bodyMax)
	}
	if c.TLS.set() && !strings.HasPrefix(strings.ToLower(c.URL), "https:") {
		return errors.New("tls is for an https url")
	}
	return c.Breaker.check()
}

func (c Config) withDefaults() Config {
	if c.KeyHeader == "" {
		c.KeyHeader = "Idempotency-Key"
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.WaitMax <= 0 {
		c.WaitMax = c.Timeout
	}
	if c.RequestMax <= 0 {
		c.RequestMax = bodyMax
	}
	if c.ResponseMax <= 0 {
		c.ResponseMax = 1 << 20
	}
	if c.Connections <= 0 {
		c.Connections = 64
	}
	c.Breaker = c.Breaker.withDefaults()
	return c
}

// newLine makes a transport with the TLS files as they are now.
func (e *Endpoint) newLine() (*line, error) {
	now := e.trust.versions()
	config, err := e.trust.client()
	if err != nil {
		return nil, err
	}
	return &line{versions: now, transport: &http.Transport{
		Proxy:                  nil, // never from the environment
		DialContext:            e.dialer.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    e.config.Timeout,
		DisableCompression:     true, // a small compressed body may be a large one
		MaxConnsPerHost:        e.config.Connections,
		MaxIdleConnsPerHost:    e.config.Connections,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// HTTP/2 repeats requests on its own when a connection goes away.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}, nil
}

// transport is the one for requests sent from now on: when a certificate has been
// replaced, no request goes out on a connection that was made with the old one.
// Files that do not fit together, as when one of two has been replaced, change
// nothing.
func (e *Endpoint) transport() *http.Transport {
	old := e.line.Load()
	now := e.trust.versions()
	if now == old.versions || !e.renewing.TryLock() {
		return old.transport
	}
	defer e.renewing.Unlock()
	next, err := e.newLine()
	if err != nil {
		if now != e.refused {
			e.refused = now
			e.log.Warn("an endpoint's new certificates cannot be used; those from before stay in use",
				"tenant", e.config.Tenant, "connector", e.config.Connector, "endpoint", e.config.Name, "err", err)
		}
		return old.transport
	}
	e.line.Store(next)
	old.transport.CloseIdleConnections()
	return next.transport
}

// Mode is the mode the tenant bound the endpoint with.
func (e *Endpoint) Mode() enginev1.Mode { return e.config.Mode }

// Close lets go of idle connections; requests under way are not disturbed.
func (e *Endpoint) Close() { e.line.Load().transport.CloseIdleConnections() }
