package core

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// authority signs certificates for tests.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))
	a.cert = must(x509.ParseCertificate(der))
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		panic(err)
	}
	return path
}

func (a *authority) issue(name string) TLS {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, &key.PublicKey, a.key))
	return TLS{
		Cert: a.write(name+".pem", "CERTIFICATE", der),
		Key:  a.write(name+".key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))),
		CA:   filepath.Join(a.dir, "ca.pem"),
	}
}

func TestNodesKnowEachOtherByCertificate(t *testing.T) {
	a := newAuthority(t)
	s := newSite(t, 3, func(c *Config) { c.TLS = a.issue(c.ID) })
	client := func(certificates *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: certificates, ForceAttemptHTTP2: true}}
	}
	follower := (s.leader() + 1) % 3
	url := "https://" + s.configs[follower].Control
	admin := client(must(a.issue("administrator").load()))
	// A command through a follower crosses from node to node.
	control := corev1connect.NewControlServiceClient(admin, url)
	if _, err := control.PutTenant(t.Context(), &corev1.PutTenantRequest{Tenant: &corev1.Tenant{Id: "greenbank"}}); err != nil {
		t.Fatal(err)
	}
	nodes := corev1connect.NewNodeServiceClient(admin, url)
	if _, err := nodes.Propose(t.Context(), &corev1.ProposeRequest{Commands: [][]byte{{1}}}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("an administrator at the nodes' door: %v", err)
	}
	node := corev1connect.NewNodeServiceClient(client(must(s.configs[follower].TLS.load())), url)
	if _, err := node.Propose(t.Context(), &corev1.ProposeRequest{Commands: [][]byte{{1}}}); reasonOf(err) != "BAD_COMMAND" {
		t.Errorf("a node with a command that does not decode: %v", err)
	}
	// At Raft's address a node is told what this one is about, and may do anything.
	ask := func(certificates *tls.Config) string {
		conn, err := tls.Dial("tcp", s.configs[follower].Raft, certificates)
		if err != nil {
			return ""
		}
		defer conn.Close()
		check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		if _, err := conn.Write([]byte{'a'}); err != nil {
			return ""
		}
		said, _ := io.ReadAll(conn) // an alert in place of an answer is an error
		return string(said)
	}
	if ask(must(s.configs[s.leader()].TLS.load())) == "" {
		t.Error("a node was not answered at Raft's address")
	}
	if said := ask(must(a.issue("administrator").load())); said != "" {
		t.Errorf("an administrator was answered %q at Raft's address", said)
	}
	stranger := must(a.issue("stranger").load())
	stranger.Certificates = nil
	if _, err := corev1connect.NewControlServiceClient(client(stranger), url).Status(t.Context(), &corev1.StatusRequest{}); err == nil {
		t.Error("a caller without a certificate was let in")
	}
}

func TestBadCertificateFiles(t *testing.T) {
	a := newAuthority(t)
	good := a.issue("n1")
	empty := filepath.Join(a.dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, files := range []TLS{
		{Cert: good.Cert, Key: a.issue("n2").Key, CA: good.CA},
		{Cert: good.Cert, Key: good.Key, CA: empty},
		a.issue("n2"), // a default node's id is n1
		{Cert: "nowhere.pem", Key: good.Key, CA: good.CA},
	} {
		c := Default()
		c.Dir, c.TLS = t.TempDir(), files
		if _, err := Open(c, Options{}); err == nil || !strings.Contains(err.Error(), "tls:") {
			t.Errorf("%v", err)
		}
	}
}
