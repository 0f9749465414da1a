package ingress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
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
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// guarded is a handler whose tenant says that of its callers; the connector replies
// with the headers it was given.
func guarded(t *testing.T, connector string, files map[string]string) *Handler {
	t.Helper()
	dir := t.TempDir()
	for name, value := range files {
		if err := os.MkdirAll(filepath.Join(dir, "green"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "green", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, log := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		got := make(map[string]string)
		for _, h := range r.Trigger.GetHttp().Headers {
			got[h.Key] = h.Value
		}
		body, err := json.Marshal(got)
		if err != nil {
			return nil, err
		}
		return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Reply{Reply: &sdkv1.Reply{Status: 200, Body: body}}}}, nil
	}, nil)
	h.Now = func() int64 { return time.Now().UnixMilli() }
	h.Connectors.Egress.Secrets = secret.NewStore(dir, nil)
	_, err := log.Propose(t.Context(), &enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "green", Config: []byte(`{"connectors":{"ch":` + connector + `}}`)}}}})
	if err != nil {
		t.Fatal(err)
	}
	h.Connectors.Refresh()
	return h
}

// TestCallers: who may call is what the tenant says, for the route first, and the
// connector learns who it is from the host only.
func TestCallers(t *testing.T) {
	keys := map[string]string{"gate_key": "a-long-gate-key", "other_key": "another-long-key"}
	const byKey = `{"kind":"api_key","keys":[{"secret":"gate_key","principal":"gate"}]}`
	for _, c := range []struct {
		name, connector string
		headers         []string // name, value, ...
		status          int
		principal, code string
	}{
		{"nothing is said", `{}`, nil, 401, "", "AUTH_NOT_CONFIGURED"},
		{"only of another route", `{"routes":{"x":{"auth":{"kind":"none"}}}}`, nil, 401, "", "AUTH_NOT_CONFIGURED"},
		{"anybody", `{"auth":{"kind":"none"}}`, nil, 200, "", ""},
		{"anybody on this route", `{"auth":` + byKey + `,"routes":{"r":{"auth":{"kind":"none"}}}}`, nil, 200, "", ""},
		{"a key on this route", `{"auth":{"kind":"none"},"routes":{"r":{"auth":` + byKey + `}}}`, nil, 401, "", "UNAUTHENTICATED"},
		{"no key", `{"auth":` + byKey + `}`, nil, 401, "", "UNAUTHENTICATED"},
		{"the key", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key"}, 200, "gate", ""},
		{"another key", `{"auth":` + byKey + `}`, []string{"X-API-Key", "another-long-key"}, 401, "", "UNAUTHENTICATED"},
		{"the key twice", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key", "x-api-key", "a-long-gate-key"}, 401, "", "UNAUTHENTICATED"},
		{"a name of one's own", `{"auth":` + byKey + `}`, []string{"X-API-Key", "a-long-gate-key", "X-Railhead-Principal", "admin"}, 200, "gate", ""},
		{"a name of one's own, anybody", `{"auth":{"kind":"none"}}`, []string{"x-railhead-principal", "admin", "X-RAILHEAD-Role", "admin"}, 200, "", ""},
		{"a rule that cannot be kept", `{"auth":{"kind":"api_key","keys":[{"secret":"missing"}]}}`, []string{"X-API-Key", "x"}, 503, "", "UNAVAILABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := guarded(t, c.connector, keys)
			r := httptest.NewRequest("POST", "/r", strings.NewReader("{}"))
			r.Header.Set("T", "green")
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var said map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || said["x-railhead-principal"] != c.principal || c.status != 200 && said["code"] != c.code {
				t.Fatalf("got %d %v", w.Code, said)
			}
			for name, value := range said {
				if strings.Contains(value, "a-long-gate-key") || name == "x-railhead-role" {
					t.Errorf("the connector is given %s", name)
				}
			}
		})
	}
}

// TestClientCertificates: the certificate of a connection counts, whichever server
// reads its requests.
func TestClientCertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	authority := x509.NewCertPool()
	authority.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	own := tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}

	guard := guarded(t, `{"auth":{"kind":"mtls","ca":"clients","names":["cn:gateway"]}}`,
		map[string]string{"clients": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))})
	s := newSiteOf(t, guard, 0, &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12})
	for _, c := range []struct {
		name    string
		shows   []tls.Certificate
		h2      bool
		expects string // a header by which the front leaves the request to net/http
		status  int
	}{
		{"the front", []tls.Certificate{own}, false, "", 200},
		{"HTTP/2", []tls.Certificate{own}, true, "", 200},
		{"handed on", []tls.Certificate{own}, false, "no-cache", 200},
		{"the front, nothing shown", nil, false, "", 401},
		{"HTTP/2, nothing shown", nil, true, "", 401},
		{"handed on, nothing shown", nil, false, "no-cache", 401},
	} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: authority, Certificates: c.shows}, ForceAttemptHTTP2: c.h2,
		}}
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+s.Addr().String()+"/r", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("T", "green")
		if c.expects != "" {
			r.Header.Set("Pragma", c.expects)
		}
		before := s.others()
		response, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		client.CloseIdleConnections()
		known := strings.Contains(string(body), `"x-railhead-principal":"cn:gateway"`)
		if response.StatusCode != c.status || known != (c.status == 200) {
			t.Errorf("%s: %d %s", c.name, response.StatusCode, body)
		}
		if byOther := s.others() > before; byOther != (c.h2 || c.expects != "") {
			t.Errorf("%s: read by net/http: %v", c.name, byOther)
		}
	}
}
