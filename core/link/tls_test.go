package link_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/link"
)

// authority signs the certificates of both sides.
var authority = sync.OnceValue(func() *signer { return newSigner(nil, "an authority") })

// signer is a certificate with its key.
type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newSigner(by *signer, name string) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, BasicConstraintsValid: true, IsCA: by == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent := &signer{key, template}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &signer{key, cert}
}

func (s *signer) pem() []byte {
	key, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
	_ = pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	return out.Bytes()
}

func (s *signer) pin() string {
	hash := sha256.Sum256(s.cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(hash[:])
}

// secretsDir holds the tenant's certificate and the authority.
func secretsDir(t *testing.T) string {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "green"), 0o700); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority().cert.Raw})
	for name, content := range map[string][]byte{"ca": ca, "own": newSigner(authority(), "green").pem()} {
		if err := os.WriteFile(filepath.Join(dir, "green", name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// secured is the other side's TLS.
func secured(own *signer) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(authority().cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "127.0.0.1",
		MinVersion: tls.VersionTLS12,
	}
}

func TestTLSBothWays(t *testing.T) {
	network := newSigner(authority(), "network")
	s := newStation(t)
	s.listener = tls.NewListener(s.listener, secured(network))
	newHub(t, s.config()+`,"tls":{"ca":"ca","certificate":"own","pins":["`+network.pin()+`"]}`)
	c := s.accept()
	state := c.conn.(*tls.Conn).ConnectionState()
	if name := state.PeerCertificates[0].Subject.CommonName; name != "green" {
		t.Fatal(name)
	}
	c.says("?01")
	c.hears("!01 first 1", "!01 second")
}

func TestAPinThatDiffers(t *testing.T) {
	s := newStation(t)
	s.listener = tls.NewListener(s.listener, secured(newSigner(authority(), "network")))
	h := newHub(t, s.config()+`,"tls":{"ca":"ca","certificate":"own","pins":["`+newSigner(authority(), "other").pin()+`"]}`)
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	until(t, "the refusal", func() bool { return strings.Contains(h.state().Reason, "pinned") })
}

func TestListeningAsksForACertificate(t *testing.T) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	_ = probe.Close()
	h := newHub(t, fmt.Sprintf(`"listen":%q,"allow":["127.0.0.1"],"tls":{"ca":"ca","certificate":"own"}`, address))
	until(t, "the link", func() bool { return h.state().State == link.StateListening })
	// Nobody knows a stranger, and one who says nothing keeps nobody out.
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stranger := secured(newSigner(nil, "stranger"))
	if conn, err := tls.Dial("tcp", address, stranger); err == nil {
		newCounterparty(t, conn).refused()
	}
	conn, err := tls.Dial("tcp", address, secured(newSigner(authority(), "network")))
	if err != nil {
		t.Fatal(err)
	}
	newCounterparty(t, conn).hears("sign on")
}

// refused waits until the hub has turned the connection away.
func (c *counterparty) refused() {
	c.t.Helper()
	if text, err := c.read(); err == nil {
		c.t.Fatalf("a stranger heard %q", text)
	}
}
