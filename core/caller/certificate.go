package caller

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/secret"
)

// certified is a client certificate's rule read in.
type certified struct {
	file  *secret.File // nil: pins alone decide
	names []string
	pins  map[secret.Pin]bool

	mu      sync.Mutex
	version uint64
	roots   *x509.CertPool
	// verified are leaves whose chain was verified, until when: a chain costs as much as
	// the rest of a request.
	verified map[[sha256.Size]byte]time.Time
}

const (
	verifiedMax = 1024
	verifiedFor = 10 * time.Minute
)

func newMTLS(in reader) (*Rule, error) {
	var c struct {
		Kind  string   `json:"kind"`
		CA    string   `json:"ca"`
		Names []string `json:"names"`
		Pins  []string `json:"pins"`
	}
	if err := in.into(&c); err != nil {
		return nil, err
	}
	if c.CA == "" && len(c.Pins) == 0 {
		return nil, errors.New("it needs a ca, or pins")
	}
	if c.CA == "" && len(c.Names) > 0 {
		return nil, errors.New("names need a ca that vouches for them")
	}
	if len(c.Names) > listMax || len(c.Pins) > listMax {
		return nil, fmt.Errorf("%d names and pins are allowed at most", listMax)
	}
	k := &certified{verified: make(map[[sha256.Size]byte]time.Time)}
	for _, text := range c.Names {
		name, err := parseName(text)
		if err != nil {
			return nil, err
		}
		k.names = append(k.names, name)
	}
	for _, text := range c.Pins {
		pin, err := secret.ParsePin(text)
		if err != nil {
			return nil, err
		}
		if k.pins == nil {
			k.pins = make(map[secret.Pin]bool)
		}
		k.pins[pin] = true
	}
	if c.CA != "" {
		file, err := in.open(c.CA)
		if err != nil {
			return nil, err
		}
		k.file = file
		if k.pool() == nil {
			return nil, fmt.Errorf("ca %s holds no certificate in PEM", c.CA)
		}
	}
	return &Rule{identify: k.identify}, nil
}

// pool is the authorities as they are now. A file without any changes nothing.
func (k *certified) pool() *x509.CertPool {
	version := k.file.Version()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.roots != nil && k.version == version {
		return k.roots
	}
	k.version = version
	next := x509.NewCertPool()
	if next.AppendCertsFromPEM([]byte(k.file.Value())) {
		k.roots = next
		clear(k.verified)
	} else if k.roots != nil {
		k.file.Unfit(errors.New("it holds no certificate in PEM"))
	}
	return k.roots
}

// identify trusts crypto/tls that the peer holds the leaf's key, and nothing else.
func (k *certified) identify(in *Request) (string, error) {
	if in.TLS == nil {
		return "", missing
	}
	state := in.TLS()
	if state == nil || len(state.PeerCertificates) == 0 {
		return "", missing
	}
	leaf := state.PeerCertificates[0]
	if in.Now.Before(leaf.NotBefore) || in.Now.After(leaf.NotAfter) {
		return "", expired
	}
	if k.file != nil && !k.vouched(leaf, state.PeerCertificates[1:], in.Now) {
		return "", unverified
	}
	pin := secret.PinOf(leaf)
	if k.pins != nil && !k.pins[pin] {
		return "", wrong
	}
	own := namesOf(leaf)
	var principal string
	switch {
	case len(k.names) > 0:
		at := slices.IndexFunc(k.names, func(name string) bool { return slices.Contains(own, name) })
		if at < 0 {
			return "", wrong
		}
		principal = k.names[at]
	case k.file != nil && len(own) > 0 && checkPrincipal(own[0]) == nil:
		principal = own[0]
	default:
		// Nobody vouches for the names of a certificate that is known by its key.
		principal = "pin-sha256:" + base64.StdEncoding.EncodeToString(pin[:]) // a quote would need escaping
	}
	return principal, nil
}

// vouched verifies the chain, or remembers that it did.
func (k *certified) vouched(leaf *x509.Certificate, others []*x509.Certificate, now time.Time) bool {
	roots := k.pool()
	id := sha256.Sum256(leaf.Raw)
	k.mu.Lock()
	until, known := k.verified[id]
	k.mu.Unlock()
	if known && now.Before(until) {
		return true
	}
	between := x509.NewCertPool()
	for _, c := range others {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.roots != roots {
		return true // the authorities have just been replaced: this one is not remembered
	}
	if len(k.verified) >= verifiedMax {
		clear(k.verified)
	}
	k.verified[id] = now.Add(verifiedFor)
	return true
}

// parseName reads a name of a configuration, and writes it as namesOf does: one that
// only looks different would let nobody in.
func parseName(text string) (string, error) {
	kind, value, _ := strings.Cut(text, ":")
	known := checkPrincipal(value) == nil
	switch kind {
	case "dns":
		value = strings.ToLower(value)
	case "ip":
		address, err := netip.ParseAddr(value)
		known = err == nil && address.Zone() == ""
		value = address.Unmap().String()
	case "uri", "email", "cn":
	default:
		known = false
	}
	if !known {
		return "", fmt.Errorf("name %q is not of the form dns:, uri:, email:, ip: or cn: and a value", text)
	}
	return kind + ":" + value, nil
}

// namesOf are a certificate's names, the subject's last: alternative names are what
// they are checked by nowadays.
func namesOf(c *x509.Certificate) []string {
	var names []string
	for _, u := range c.URIs {
		names = append(names, "uri:"+u.String())
	}
	for _, n := range c.DNSNames {
		names = append(names, "dns:"+strings.ToLower(n))
	}
	for _, n := range c.EmailAddresses {
		names = append(names, "email:"+n)
	}
	for _, ip := range c.IPAddresses {
		names = append(names, "ip:"+ip.String())
	}
	if c.Subject.CommonName != "" {
		names = append(names, "cn:"+c.Subject.CommonName)
	}
	return names
}
