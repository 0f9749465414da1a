package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/secret"
	"github.com/railhead-hub/railhead/sdk/abi"
)

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; without an issuer it signs itself and is an authority.
func issue(t *testing.T, by *pair, name string, names ...string) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if net.ParseIP(name) != nil {
		template.IPAddresses = []net.IP{net.ParseIP(name)}
	}
	parent, signer := template, key
	if by == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = by.cert, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{cert, key}
}

func (p *pair) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
}

func (p *pair) keyPEM(t *testing.T) string {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func (p *pair) pin() string {
	sum := sha256.Sum256(p.cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (p *pair) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

// serve is a peer with this certificate that answers with the name in the client's.
func serve(t *testing.T, own *pair, clients *x509.CertPool) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}}, ClientCAs: clients}
	if clients != nil {
		srv.TLS.ClientAuth = tls.RequireAndVerifyClientCert
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestPins(t *testing.T) {
	ca := issue(t, nil, "ca")
	own := issue(t, ca, "127.0.0.1")
	other := issue(t, nil, "other")
	url := serve(t, own, nil)
	for _, c := range []struct {
		name string
		pins []string
		code string
	}{
		{"none", nil, ""},
		{"the leaf's", []string{`pin-sha256="` + own.pin() + `"`}, ""},
		{"the authority's", []string{"sha256/" + ca.pin()}, ""},
		{"one of two", []string{other.pin(), own.pin()}, ""},
		{"another's", []string{other.pin()}, abi.FailureForbidden},
	} {
		e := bind(t, url, func(b *Config) { b.TLS.Pins = c.pins }, Surroundings{RootCAs: ca.pool()})
		out := e.Do(t.Context(), post("/"), "", false)
		if failureCode(out) != c.code || c.code != "" && out.State != refused {
			t.Errorf("%s: %+v", c.name, out)
		}
		if text := out.Answer.GetFailure().GetText(); c.code != "" && !strings.Contains(text, own.pin()) {
			t.Errorf("%s: %q does not say which key the peer has", c.name, text)
		}
	}
	// A pin does not replace the chain: one that only lies beside it proves nothing.
	e := bind(t, url, func(b *Config) { b.TLS.Pins = []string{own.pin()} }, Surroundings{RootCAs: other.pool()})
	if out := e.Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureUnreachable {
		t.Errorf("an unknown authority: %+v", out)
	}
}

func TestServerName(t *testing.T) {
	ca := issue(t, nil, "ca")
	url := serve(t, issue(t, ca, "ledger", "ledger.bank.example"), nil)
	around := Surroundings{RootCAs: ca.pool()}
	if out := bind(t, url, nil, around).Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureUnreachable {
		t.Errorf("the certificate is for another name: %+v", out)
	}
	named := func(name string) func(*Config) { return func(c *Config) { c.TLS.ServerName = name } }
	if out := bind(t, url, named("ledger.bank.example"), around).Do(t.Context(), post("/"), "", false); out.State != done {
		t.Errorf("the name it is for: %+v", out)
	}
	if out := bind(t, url, named("other.bank.example"), around).Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureUnreachable {
		t.Errorf("a name it is not for: %+v", out)
	}
	if _, err := New(Config{URL: "https://bank.example", TLS: TLS{ServerName: "ledger.bank.example"}}, around); err == nil {
		t.Error("another name without an allow list is accepted")
	}
}

// TestClientCertificate: it is read again when its file is replaced, without a
// restart, and no request goes out under the old one; files that do not fit change
// nothing.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "greenbank"), 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, "greenbank", name)
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	servers, clients := issue(t, nil, "servers"), issue(t, nil, "clients")
	first, second, third := issue(t, clients, "first"), issue(t, clients, "second"), issue(t, clients, "third")
	url := serve(t, issue(t, servers, "127.0.0.1"), clients.pool())
	put("one_file", first.certPEM()+first.keyPEM(t))
	put("cert", first.certPEM())
	put("key", first.keyPEM(t))
	put("ca", servers.certPEM())
	var logged strings.Builder
	log := slog.New(slog.NewTextHandler(&logged, nil))
	around := Surroundings{Secrets: secret.NewStore(dir, log), RootCAs: clients.pool(), Logger: log} // not the server's
	asks := func(e *Endpoint, want string) {
		t.Helper()
		out := e.Do(t.Context(), post("/"), "", false)
		if got := string(out.Answer.GetHttp().GetBody()); got != want {
			t.Errorf("the peer saw %q, want %q: %+v", got, want, out)
		}
	}
	bare := bind(t, url, func(c *Config) { c.TLS.CA = "ca" }, around)
	if out := bare.Do(t.Context(), post("/"), "", false); out.State == done {
		t.Errorf("without a certificate: %+v", out)
	}
	one := bind(t, url, func(c *Config) { c.TLS = TLS{Certificate: "one_file", CA: "ca"} }, around)
	two := bind(t, url, func(c *Config) { c.TLS = TLS{Certificate: "cert", Key: "key", CA: "ca"} }, around)
	asks(one, "first")
	asks(two, "first")

	put("one_file", second.certPEM()+second.keyPEM(t))
	asks(one, "second")
	put("cert", third.certPEM()) // the key is still the first's
	asks(two, "first")
	asks(two, "first")
	if n := strings.Count(logged.String(), "cannot be used"); n != 1 {
		t.Errorf("the log says %d times that files do not fit, want once:\n%s", n, logged.String())
	}
	put("key", third.keyPEM(t))
	asks(two, "third")
	put("one_file", "no certificate at all")
	asks(one, "second")
	if strings.Contains(logged.String(), "PRIVATE") {
		t.Error("the log shows a key")
	}

	for name, c := range map[string]TLS{
		"a missing file":             {Certificate: "missing"},
		"no key":                     {Certificate: "cert"},
		"a key that does not fit":    {Certificate: "cert", Key: "one_file"},
		"a key alone":                {Key: "key"},
		"no authority":               {CA: "key"},
		"a pin that is none":         {Pins: []string{"abc"}},
		"a pin with half its quote":  {Pins: []string{`pin-sha256="` + first.pin()}},
		"many pins":                  {Pins: make([]string, pinsMax+1)},
		"a server name that is none": {ServerName: "a b"},
	} {
		if _, err := New(Config{URL: url, Tenant: "greenbank", Allow: loopback, TLS: c}, around); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{URL: "http://127.0.0.1", Tenant: "greenbank", Allow: loopback, TLS: TLS{CA: "ca"}}, around); err == nil {
		t.Error("tls without https is accepted")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ca := issue(t, nil, "ca")
	own := issue(t, ca, "127.0.0.1")
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}},
		MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	}
	srv.StartTLS()
	defer srv.Close()
	out := bind(t, srv.URL, nil, Surroundings{RootCAs: ca.pool()}).Do(t.Context(), post("/"), "", false)
	if failureCode(out) != abi.FailureUnreachable || out.State != refused {
		t.Errorf("%+v", out)
	}
}

// FuzzHost: a host that is taken is an address, or a name that no program takes for
// one.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"bank.example", "127.1", "0x7f.1", "1.1.1.1.", "::1", "fe80::1%eth0"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if checkHost(host) != nil {
			return
		}
		if net.ParseIP(host) == nil && (strings.ContainsAny(host, " \t\r\n%/\\@:?#[]") || strings.HasSuffix(host, ".")) {
			t.Errorf("%q is taken", host)
		}
	})
}
