package connector

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/link/framing"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// linkConfig is the tenant's side of a TCP link.
//
//	"links": {"network": {
//	  "connect": "switch.network.example:5000", "allow": ["10.9.0.0/24"],
//	  "tls": {"ca": "network_ca", "certificate": "own_cert"},
//	  "mode": "ask", "timeout_ms": 10000, "idle_ms": 60000}}
type linkConfig struct {
	// Connect is host:port, or Listen the address and port to listen on: one of both.
	Connect string `json:"connect"`
	Listen  string `json:"listen"`
	// Allow are address ranges or addresses: the only ones that are connected to, or
	// that may connect. Without TLS and for listening they must be named.
	Allow []string   `json:"allow"`
	TLS   *tlsConfig `json:"tls"`
	// Framing replaces the manifest's.
	Framing *framingConfig `json:"framing"`
	// Mode is keyed, ask or never. The manifest's counts too: the more careful of the
	// two is used. Empty: the manifest's.
	Mode string `json:"mode"`
	// TimeoutMS bounds a round trip that names no time, and is how long a forwarded
	// frame waits for its acknowledgement before it is sent again. 0: 10 s.
	TimeoutMS int64 `json:"timeout_ms"`
	// IdleMS replaces the manifest's; 0: never.
	IdleMS *int64 `json:"idle_ms"`
	// Concurrent is how many frames that came in are worked on at once. 0: 32; with 1
	// they are answered in the order in which they came.
	Concurrent int `json:"concurrent"`
	// ForwardTries is how often one leader sends a forwarded frame before it parks
	// it. 0: until its time is over.
	ForwardTries int `json:"forward_tries"`
}

// framingConfig is sdk.v1.Framing as a configuration writes it; bytes in base64, as in
// a manifest.
type framingConfig struct {
	Kind                 string `json:"kind"`
	LengthBytes          uint32 `json:"length_bytes"`
	LengthEncoding       string `json:"length_encoding"`
	LengthIncludesItself bool   `json:"length_includes_itself"`
	Header               []byte `json:"header"`
	Start                []byte `json:"start"`
	Delimiter            []byte `json:"delimiter"`
}

// Link is a TCP link that a connector's manifest declares and a tenant has bound.
type Link struct {
	Connector, Name string
	Peer            egress.PeerConfig
	Framing         *framing.Framing
	Mode            enginev1.Mode // KEYED, ASK or NEVER
	Timeout         time.Duration
	Idle            time.Duration // 0: never
	// Outstanding is how many round trips may wait at once, Concurrent how many frames
	// that came in are worked on at once.
	Outstanding, Concurrent int
	ForwardTries            int // 0: until its time is over
	// Definition is what all of this was made of: a link whose definition has not
	// changed need not be opened anew.
	Definition string
}

const (
	linkTimeout    = 10 * time.Second
	linkConcurrent = 32
)

// bind joins the tenant's side of a link with the manifest's.
func (c linkConfig) bind(tenant, connector string, declared *sdkv1.Link) (*Link, error) {
	l, err := c.join(declared)
	if err != nil {
		return nil, fmt.Errorf("link %s of connector %s: %w", declared.Name, connector, err)
	}
	l.Peer.Tenant, l.Connector, l.Name = tenant, connector, declared.Name
	encoded, err := declared.MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("link %s of connector %s: %w", declared.Name, connector, err)
	}
	own, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("link %s of connector %s: %w", declared.Name, connector, err)
	}
	l.Definition = string(own) + "\x00" + string(encoded)
	return l, nil
}

func (c linkConfig) join(declared *sdkv1.Link) (*Link, error) {
	address := cmp.Or(c.Connect, c.Listen)
	if (c.Connect == "") == (c.Listen == "") {
		return nil, errors.New("a link either connects or listens: name one address")
	}
	host, service, err := net.SplitHostPort(address)
	port, bad := strconv.ParseUint(service, 10, 16)
	if err != nil || bad != nil || host == "" || port == 0 && c.Connect != "" {
		return nil, fmt.Errorf("address %q is not a host and a port", address)
	}
	l := &Link{
		Peer:    egress.PeerConfig{Host: host, Port: uint16(port), Listens: c.Listen != ""},
		Timeout: time.Duration(c.TimeoutMS) * time.Millisecond, Idle: time.Duration(declared.IdleMs) * time.Millisecond,
		Outstanding: manifest.Outstanding(declared), Concurrent: c.Concurrent, ForwardTries: c.ForwardTries,
	}
	if c.TLS != nil {
		l.Peer.TLS = (*egress.TLS)(c.TLS)
	}
	if l.Peer.Allow, err = prefixes(c.Allow); err != nil {
		return nil, err
	}
	if l.Framing, err = framing.New(c.framing(declared), manifest.FrameMax(declared)); err != nil {
		return nil, err
	}
	if l.Mode, err = linkMode(declared.Mode, c.Mode); err != nil {
		return nil, err
	}
	if c.TimeoutMS < 0 || c.TimeoutMS > timeoutMaxMS {
		return nil, fmt.Errorf("timeout_ms is %d; 0 to %d are allowed", c.TimeoutMS, timeoutMaxMS)
	}
	l.Timeout = cmp.Or(l.Timeout, linkTimeout)
	if c.IdleMS != nil {
		if *c.IdleMS < 0 || *c.IdleMS > manifest.IdleMaxMillis {
			return nil, fmt.Errorf("idle_ms is %d; 0 to %d are allowed", *c.IdleMS, manifest.IdleMaxMillis)
		}
		l.Idle = time.Duration(*c.IdleMS) * time.Millisecond
	}
	if c.Concurrent < 0 || c.Concurrent > 1000 || c.ForwardTries < 0 {
		return nil, errors.New("concurrent is from 0 to 1000, and forward_tries is not negative")
	}
	l.Concurrent = cmp.Or(l.Concurrent, linkConcurrent)
	return l, nil
}

func (c linkConfig) framing(declared *sdkv1.Link) *sdkv1.Framing {
	if f := c.Framing; f != nil {
		return &sdkv1.Framing{
			Kind: f.Kind, LengthBytes: f.LengthBytes, LengthEncoding: f.LengthEncoding,
			LengthIncludesItself: f.LengthIncludesItself, Header: f.Header, Start: f.Start, Delimiter: f.Delimiter,
		}
	}
	return declared.Framing
}

// linkMode is the more careful of the manifest's mode and the tenant's. A round trip
// over a link is never safe: a frame that was sent was sent.
func linkMode(declared, own string) (enginev1.Mode, error) {
	mode := max(modes[cmp.Or(declared, "ask")], enginev1.Mode_MODE_KEYED)
	if own == "" {
		return mode, nil
	}
	if own != "keyed" && own != "ask" && own != "never" {
		return 0, fmt.Errorf("mode %q is none of keyed, ask and never", own)
	}
	return max(mode, modes[own]), nil // the numbers ascend from safe to never
}

func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%q in allow is neither an address nor a range such as 10.1.0.0/16", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%q in allow would match nothing; write its IPv4 range", text)
		}
		out = append(out, prefix)
	}
	return out, nil
}

// checkLinks reports the first fault of a connector's links, as CheckTenant does. What
// a manifest says about them is not known here.
func (c connectorConfig) checkLinks(tenant, connector string, around egress.Surroundings) error {
	for _, name := range slices.Sorted(maps.Keys(c.Links)) {
		declared := &sdkv1.Link{Name: name, Mode: "keyed", Framing: &sdkv1.Framing{
			Kind: "length", LengthBytes: 2, LengthEncoding: "big",
		}}
		l, err := c.Links[name].bind(tenant, connector, declared)
		if err != nil {
			return err
		}
		if _, err := egress.NewPeer(l.Peer, around); err != nil {
			return fmt.Errorf("link %s of connector %s: %w", name, connector, err)
		}
	}
	return nil
}

// bindLinks binds the links that the manifest declares. One that is not bound, or not
// well, does not take the others with it.
func (c connectorConfig) bindLinks(tenant string, m *sdkv1.Manifest) map[string]boundLink {
	bound := make(map[string]boundLink, len(m.Links))
	for _, declared := range m.Links {
		own, ok := c.Links[declared.Name]
		if !ok {
			bound[declared.Name] = boundLink{fault: fmt.Errorf("tenant %s has not bound link %s of connector %s", tenant, declared.Name, m.Name)}
			continue
		}
		l, err := own.bind(tenant, m.Name, declared)
		bound[declared.Name] = boundLink{l, err}
	}
	return bound
}

// boundLink is a link, or why there is none.
type boundLink struct {
	link  *Link
	fault error
}

// Link is a link that the manifest declares and the tenant has bound.
func (b *Binding) Link(name string) (*Link, error) {
	l, declared := b.links[name]
	if !declared {
		return nil, fmt.Errorf("the manifest of connector %s declares no link %q", b.connector, name)
	}
	return l.link, l.fault
}

// ActiveLink is a link of a connector that serves a tenant now.
type ActiveLink struct {
	Tenant, Connector, Name string
	Version                 uint64 // of the tenant's configuration
	Digest                  Digest // of the module that works on its frames
	Link                    *Link  // nil: it cannot be opened, Fault says why
	Fault                   error
}

// Links lists the links of all connectors that serve a tenant, in order of tenant,
// connector and name.
func (r *Registry) Links() ([]ActiveLink, error) {
	type active struct {
		tenant    *enginev1.Tenant
		connector *enginev1.Connector
	}
	var all []active
	err := r.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableActivation}, func(_ engine.Key, row engine.Row) bool {
			a := row.(*enginev1.Activation)
			tenant, known := tx.Get(engine.Key{Table: engine.TableTenant, S: a.Tenant})
			module, installed := tx.Get(engine.Key{Table: engine.TableConnector, S: a.Connector + "\x00" + string(a.Digest)})
			if known && installed {
				all = append(all, active{tenant.(*enginev1.Tenant), module.(*enginev1.Connector)})
			}
			return true
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var links []ActiveLink
	for _, a := range all {
		digest, ok := ToDigest(a.connector.Digest)
		m := r.manifest(a.connector)
		if !ok || m == nil || len(m.Links) == 0 {
			continue
		}
		config, err := parseTenant(a.tenant.Config)
		var bound map[string]boundLink
		if err == nil {
			bound = config.Connectors[m.Name].bindLinks(a.tenant.Id, m)
		}
		for _, declared := range m.Links {
			l := ActiveLink{
				Tenant: a.tenant.Id, Connector: m.Name, Name: declared.Name, Version: a.tenant.Version, Digest: digest,
				Link: bound[declared.Name].link, Fault: cmp.Or(err, bound[declared.Name].fault),
			}
			links = append(links, l)
		}
	}
	slices.SortFunc(links, func(x, y ActiveLink) int {
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Connector, y.Connector), cmp.Compare(x.Name, y.Name))
	})
	return links, nil
}
