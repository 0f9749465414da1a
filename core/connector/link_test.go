package connector

import (
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func TestCheckLinks(t *testing.T) {
	link := func(body string) string { return `{"connectors":{"cards":{"links":{"network":{` + body + `}}}}}` }
	for _, c := range []struct{ name, text, says string }{
		{"to connect", link(`"connect":"10.9.0.1:5000","allow":["10.9.0.0/24"]`), ""},
		{"to listen", link(`"listen":"127.0.0.1:0","allow":["10.9.0.1"]`), ""},
		{"TLS to a public address", link(`"connect":"switch.example:5000","tls":{}`), ""},
		{"all of it", link(`"connect":"switch.example:5000","allow":["10.9.0.0/24"],"mode":"never","timeout_ms":5000,"idle_ms":0,
			"concurrent":1,"forward_tries":3,"framing":{"kind":"delimiter","start":"Ag==","delimiter":"Aw=="}`), ""},
		{"neither", link(`"allow":["10.9.0.1"]`), "either connects or listens"},
		{"both", link(`"connect":"a:1","listen":"127.0.0.1:1","allow":["10.9.0.1"]`), "either connects or listens"},
		{"no port", link(`"connect":"switch.example","allow":["10.9.0.1"]`), "a host and a port"},
		{"port 0", link(`"connect":"switch.example:0","allow":["10.9.0.1"]`), "a host and a port"},
		{"no allow list", link(`"connect":"switch.example:5000"`), "allow list"},
		{"nobody may connect", link(`"listen":"127.0.0.1:1","tls":{"certificate":"c","ca":"a"}`), "allow list"},
		{"an address outside", link(`"connect":"10.9.1.1:5000","allow":["10.9.0.0/24"]`), "no allowed range"},
		{"the cloud's credentials", link(`"connect":"169.254.169.254:80","allow":["0.0.0.0/0"]`), "never connected to"},
		{"a name to listen on", link(`"listen":"switch.example:5000","allow":["10.9.0.1"]`), "address of this machine"},
		{"listening without a certificate", link(`"listen":"127.0.0.1:1","allow":["10.9.0.1"],"tls":{"ca":"a"}`), "needs a certificate"},
		{"a secret that is not there", link(`"connect":"a.example:1","tls":{"certificate":"own"}`), "secrets_dir"},
		{"a mode of endpoints", link(`"connect":"a.example:1","tls":{},"mode":"safe"`), "keyed, ask and never"},
		{"a long timeout", link(`"connect":"a.example:1","tls":{},"timeout_ms":999999`), "timeout_ms"},
		{"a negative silence", link(`"connect":"a.example:1","tls":{},"idle_ms":-1`), "idle_ms"},
		{"too many at once", link(`"connect":"a.example:1","tls":{},"concurrent":9999`), "concurrent"},
		{"a framing that is none", link(`"connect":"a.example:1","tls":{},"framing":{"kind":"length","length_bytes":9}`), "length_bytes"},
		{"a range that is none", link(`"connect":"a.example:1","allow":["10.9.0.0/99"]`), "allow"},
		{"an unknown key", link(`"connect":"a.example:1","allows":["10.9.0.1"]`), "unknown field"},
	} {
		c2, err := parseTenant([]byte(c.text))
		if err == nil {
			err = c2.Connectors["cards"].checkLinks("green", "cards", egress.Surroundings{})
		}
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want something about %q", c.name, err, c.says)
		}
	}
}

func TestLinksAreBoundOneByOne(t *testing.T) {
	framing := &sdkv1.Framing{Kind: "length", LengthBytes: 2, LengthEncoding: "big"}
	m := &sdkv1.Manifest{Name: "cards", Links: []*sdkv1.Link{
		{Name: "network", Framing: framing, IdleMs: 1000, Outstanding: 7},
		{Name: "unbound", Framing: framing},
		{Name: "unframed"},
	}}
	own := linkConfig{Connect: "10.9.0.1:5000", Allow: []string{"10.9.0.0/24"}, Mode: "keyed"}
	bound := connectorConfig{Links: map[string]linkConfig{"network": own, "unframed": own}}.bindLinks("green", m)
	b := &Binding{connector: "cards", links: bound}
	l, err := b.Link("network")
	if err != nil {
		t.Fatal(err)
	}
	// The manifest says nothing of the mode, which is ask; the more careful one counts.
	if l.Mode != enginev1.Mode_MODE_ASK || l.Idle != time.Second || l.Outstanding != 7 || l.Timeout != linkTimeout || l.Peer.Tenant != "green" {
		t.Fatalf("%+v", l)
	}
	for name, says := range map[string]string{"unbound": "has not bound", "unframed": "how frames are told apart", "other": "declares no link"} {
		if _, err := b.Link(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want something about %q", name, err, says)
		}
	}
	changed := own
	changed.Concurrent = 5
	if again := (connectorConfig{Links: map[string]linkConfig{"network": changed}}).bindLinks("green", m)["network"]; again.link.Definition == l.Definition {
		t.Error("another configuration has the same definition")
	}
}
