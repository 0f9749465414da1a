package opsd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

func config(t testing.TB) opsd.Config {
	cfg := opsd.Default()
	cfg.Listen, cfg.Admin = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Store = filepath.Join(t.TempDir(), "data", "opsd.db")
	return cfg
}

// serve runs a server until the test ends or stop is called.
func serve(t testing.TB, cfg opsd.Config) (s *opsd.Server, stop func()) {
	t.Helper()
	s, err := opsd.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// A payment's events go into Kafka and come out of the API, over HTTP/1.1 and
// over HTTP/2 without TLS, and are still there after a restart.
func TestFromKafkaToTheAPI(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "railhead.events.v1"), kfake.SeedTopics(1, "railhead.audit.v1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := config(t)
	cfg.Kafka.Brokers = cluster.ListenAddrs()
	server, stop := serve(t, cfg)

	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for name, client := range map[string]opsv1connect.OpsServiceClient{
		"HTTP/1.1": opsv1connect.NewOpsServiceClient(http.DefaultClient, server.URL()),
		"gRPC":     opsv1connect.NewOpsServiceClient(&http.Client{Transport: &http.Transport{Protocols: h2c}}, server.URL(), connect.WithGRPC()),
	} {
		if status, err := client.GetStatus(t.Context(), &opsv1.GetStatusRequest{}); err != nil || status.Store != "sqlite" {
			t.Errorf("%s: %v, %v", name, status, err)
		}
	}
	client := opsv1connect.NewOpsServiceClient(http.DefaultClient, server.URL())
	stream, err := client.Watch(t.Context(), &opsv1.WatchRequest{})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}

	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	for i, e := range []*enginev1.Event{
		{Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, Payment: 9, Seq: 1, Uuid: "uuid-9", Type: "flow", Tenant: "greenbank"},
		{Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, Payment: 9, Seq: 2, Result: enginev1.Result_RESULT_COMPLETED, Tenant: "greenbank"},
		{Kind: enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED, Type: "flow", Tenant: "greenbank", Actor: &enginev1.Actor{Name: "ada"}},
	} {
		e.Cluster, e.Incarnation, e.Index, e.TimeMs = 1, 1, uint64(i+1), 1_700_000_000_000
		value, err := e.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		topic := "railhead.events.v1"
		if e.Payment == 0 {
			topic = "railhead.audit.v1"
		}
		r := &kgo.Record{Topic: topic, Key: fmt.Append(nil, e.Payment), Value: value, Headers: []kgo.RecordHeader{{Key: "id", Value: []byte(store.EventID(e).String())}}}
		if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for stream.Receive() {
		if p := stream.Msg().Payment; p.GetState() == opsv1.PaymentState_PAYMENT_STATE_ENDED {
			break
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	_ = stream.Close()
	until(t, "nothing left in Kafka and the act audited", func() bool {
		status, err := client.GetStatus(t.Context(), &opsv1.GetStatusRequest{})
		lag := int64(0)
		for _, p := range status.GetPositions() {
			lag += max(p.Lag, 0)
		}
		return err == nil && lag == 0 && status.AuditEntries == 1 && status.Consumer == "consuming"
	})
	metrics := fetch(t, server.AdminURL()+"/metrics")
	for _, want := range []string{
		`railhead_opsd_records_total{outcome="stored"} 2`, `railhead_opsd_payments{state="ended"} 1`, "railhead_opsd_lag_records",
		"railhead_opsd_missing_events 0", "railhead_opsd_dead_letters 0", "railhead_opsd_consuming 1",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	stop()

	server, _ = serve(t, cfg)
	client = opsv1connect.NewOpsServiceClient(http.DefaultClient, server.URL())
	got, err := client.GetPayment(t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: "uuid-9"}})
	if err != nil || len(got.Timeline) != 2 || got.Payment.Result != opsv1.PaymentResult_PAYMENT_RESULT_COMPLETED {
		t.Errorf("after a restart: %v, %v", got, err)
	}
}

func fetch(t testing.TB, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", url, response.Status, body, err)
	}
	return string(body)
}

func TestHealthAndReflection(t *testing.T) {
	server, _ := serve(t, config(t))
	for _, path := range []string{"/livez", "/readyz"} {
		if got := fetch(t, server.AdminURL()+path); got != "ok\n" {
			t.Errorf("%s: %q", path, got)
		}
	}
	health, err := grpchealth.NewClient(http.DefaultClient, server.URL()).Check(t.Context(), &grpchealth.CheckRequest{Service: opsv1connect.OpsServiceName})
	if err != nil || health.Status != grpchealth.StatusServing {
		t.Errorf("%v, %v", health, err)
	}
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	stream := grpcreflect.NewClient(&http.Client{Transport: &http.Transport{Protocols: h2c}}, server.URL()).NewStream(t.Context())
	names, err := stream.ListServices()
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
	_, _ = stream.Close()
}

// A page on another site cannot make a browser call the API.
func TestForeignPagesAreRefused(t *testing.T) {
	server, _ := serve(t, config(t))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+opsv1connect.OpsServiceGetStatusProcedure, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("answered %s", response.Status)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*opsd.Config){
		"listen: 0.0.0.0:8403 is not loopback": func(c *opsd.Config) { c.Listen = "0.0.0.0:8403" },
		"listen: :8403 is not loopback":        func(c *opsd.Config) { c.Listen = ":8403" },
		`listen: "8403" is not host:port`:      func(c *opsd.Config) { c.Listen = "8403" },
		"is not loopback":                      func(c *opsd.Config) { c.Listen, c.TLS.Cert, c.TLS.Key = "10.0.0.1:1", "c", "k" },
		"cert and key belong together":         func(c *opsd.Config) { c.TLS.Cert = "c" },
		"a ca without cert":                    func(c *opsd.Config) { c.TLS.CA = "ca" },
		"replicas: 2 opsd cannot share":        func(c *opsd.Config) { c.Replicas = 2 },
		"replicas: 0":                          func(c *opsd.Config) { c.Replicas = 0 },
		"store: name a SQLite file":            func(c *opsd.Config) { c.Store = "" },
		"batch_max: 0":                         func(c *opsd.Config) { c.BatchMax = 0 },
		"readers: 0":                           func(c *opsd.Config) { c.Readers = 0 },
		"must be named, and differ": func(c *opsd.Config) {
			c.Kafka.Brokers, c.Kafka.AuditTopic = []string{"127.0.0.1:9092"}, c.Kafka.EventsTopic
		},
	} {
		cfg := config(t)
		spoil(&cfg)
		if _, err := opsd.Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	cfg := opsd.Default()
	if err := cfg.Check(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	cfg.Store, cfg.Replicas = "postgres://opsd@db/opsd", 3
	if err := cfg.Check(); err != nil {
		t.Errorf("three on Postgres are refused: %v", err)
	}
}

// Beyond loopback every client shows a certificate.
func TestClientsMustShowACertificate(t *testing.T) {
	dir := t.TempDir()
	pool, client := authority(t, dir)
	cfg := config(t)
	cfg.TLS = opsd.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	cfg.Listen = "0.0.0.0:0"
	server, _ := serve(t, cfg)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL(), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		certs []tls.Certificate
		ok    bool
	}{{"with a certificate", []tls.Certificate{client}, true}, {"without one", nil, false}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: tc.certs}}
		ops := opsv1connect.NewOpsServiceClient(&http.Client{Transport: transport}, "https://127.0.0.1:"+port)
		if _, err := ops.GetStatus(t.Context(), &opsv1.GetStatusRequest{}); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// authority writes ca.pem, cert.pem and key.pem and answers a client's pair.
func authority(t testing.TB, dir string) (*x509.CertPool, tls.Certificate) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey := key()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) tls.Certificate {
		k := key()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, ca, &k.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
	}
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := issue("opsd")
	keyDER, err := x509.MarshalECPrivateKey(server.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	write("ca.pem", "CERTIFICATE", caDER)
	write("cert.pem", "CERTIFICATE", server.Certificate[0])
	write("key.pem", "EC PRIVATE KEY", keyDER)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}))
	return pool, issue("client")
}
