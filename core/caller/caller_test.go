package caller

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/railhead-hub/railhead/core/secret"
)

var now = time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)

func store(t testing.TB, files map[string]string) (*secret.Store, func(name, value string)) {
	t.Helper()
	dir := t.TempDir()
	put := func(name, value string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "green"), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "green", name)
		if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range files {
		put(name, value)
	}
	return secret.NewStore(dir, slog.New(slog.DiscardHandler)), put
}

func rule(t testing.TB, config string, secrets *secret.Store) *Rule {
	t.Helper()
	r, err := New([]byte(config), "green", secrets)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// with is a request with these headers: name, value, ...
func with(headers ...string) *Request {
	return &Request{
		Method: "POST", Path: "/transfers", Query: "a=1", Body: []byte(`{"amount":"10.00"}`), Now: now,
		Header: func(name string) (value string, lines int) {
			for i := 0; i < len(headers); i += 2 {
				if strings.EqualFold(headers[i], name) {
					if lines == 0 {
						value = headers[i+1]
					}
					lines++
				}
			}
			return value, lines
		},
	}
}

func expect(t *testing.T, name string, r *Rule, in *Request, principal string, want error) {
	t.Helper()
	got, err := r.Identify(in)
	if got != principal || !errors.Is(err, want) {
		t.Errorf("%s: %q, %v; want %q, %v", name, got, err, principal, want)
	}
}

func TestBadConfigurations(t *testing.T) {
	secrets, _ := store(t, map[string]string{"k": "a-long-enough-key", "jwks": `{"keys":[]}`, "text": "no certificate"})
	for _, c := range []struct{ config, says string }{
		{`{}`, "none of none"},
		{`null`, "none of none"},
		{`{"kind":"magic"}`, "none of none"},
		{`{"kind":"none","keys":[]}`, "unknown field"},
		{`{"kind":"none"} x`, "no object"},
		{`"none"`, "no object"},
		{`{"kind":"api_key"}`, "0 keys"},
		{`{"kind":"api_key","keys":[{"secret":"missing"}]}`, "not in secrets_dir"},
		{`{"kind":"api_key","keys":[{"secret":"k","principal":"a\nb"}]}`, "printable"},
		{`{"kind":"api_key","header":"a b","keys":[{"secret":"k"}]}`, "no header's name"},
		{`{"kind":"basic","users":[{"name":"a:b","secret":"k"}]}`, "colon"},
		{`{"kind":"hmac","keys":[{"secret":"k"}],"signed":["body"]}`, "timestamp"},
		{`{"kind":"hmac","keys":[{"secret":"k"}],"signed":["body","timestamp"]}`, "the last"},
		{`{"kind":"hmac","keys":[{"secret":"k"}],"separator":"."}`, "where a path ends"},
		{`{"kind":"hmac","keys":[{"secret":"k"}],"algorithm":"md5"}`, "neither sha256"},
		{`{"kind":"hmac","keys":[{"secret":"k"}],"tolerance_ms":99999999}`, "tolerance_ms"},
		{`{"kind":"jwt","jwks":"jwks"}`, "issuer and audience"},
		{`{"kind":"jwt","jwks":"jwks","issuer":"i","audience":"a"}`, "no public key"},
		{`{"kind":"jwt","jwks":"jwks","issuer":"i","audience":"a","algorithms":["HS256"]}`, "HS256"},
		{`{"kind":"jwt","jwks":"jwks","issuer":"i","audience":"a","algorithms":["none"]}`, "none"},
		{`{"kind":"mtls"}`, "a ca, or pins"},
		{`{"kind":"mtls","ca":"text"}`, "no certificate"},
		{`{"kind":"mtls","pins":["abc"]}`, "32 bytes"},
		{`{"kind":"mtls","names":["dns:a"],"pins":["` + strings.Repeat("A", 43) + `="]}`, "vouches"},
	} {
		if _, err := New([]byte(c.config), "green", secrets); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", c.config, err, c.says)
		}
	}
}

func TestAPIKey(t *testing.T) {
	secrets, put := store(t, map[string]string{"gate": "gate-key-1", "shop": "shop-key-1"})
	r := rule(t, `{"kind":"api_key","keys":[{"secret":"gate","principal":"the gate"},{"secret":"shop"}]}`, secrets)
	expect(t, "none", r, with(), "", missing)
	expect(t, "the first", r, with("x-api-key", "gate-key-1"), "the gate", nil)
	expect(t, "the second", r, with("X-API-Key", "shop-key-1"), "shop", nil)
	expect(t, "a part", r, with("X-API-Key", "gate-key"), "", wrong)
	expect(t, "two", r, with("X-API-Key", "gate-key-1", "X-API-Key", "x"), "", malformed)
	put("gate", "gate-key-2")
	expect(t, "the old one", r, with("X-API-Key", "gate-key-1"), "", wrong)
	expect(t, "the new one", r, with("X-API-Key", "gate-key-2"), "the gate", nil)
}

func TestBasic(t *testing.T) {
	secrets, _ := store(t, map[string]string{"p1": "pass:word-1", "p2": "password-2"})
	r := rule(t, `{"kind":"basic","users":[{"name":"ann","secret":"p1"},{"name":"bob","secret":"p2"}]}`, secrets)
	basic := func(text string) *Request {
		return with("Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte(text)))
	}
	expect(t, "ann", r, basic("ann:pass:word-1"), "ann", nil)
	expect(t, "bob", r, basic("bob:password-2"), "bob", nil)
	expect(t, "another's password", r, basic("ann:password-2"), "", wrong)
	expect(t, "nobody", r, basic(":password-2"), "", wrong)
	expect(t, "no colon", r, basic("ann"), "", malformed)
	expect(t, "no base64", r, with("Authorization", "Basic %%%"), "", malformed)
	expect(t, "another scheme", r, with("Authorization", "Bearer x"), "", missing)
	if r.Challenge == "" || r.Credential != "authorization" {
		t.Errorf("%+v", r)
	}
}

func TestHMAC(t *testing.T) {
	secrets, _ := store(t, map[string]string{"hook": "hook-secret"})
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte("hook-secret"))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	at := strconv.FormatInt(now.Unix(), 10)
	r := rule(t, `{"kind":"hmac","keys":[{"secret":"hook","principal":"switch"}]}`, secrets)
	good := sign(at + "\nPOST\n/transfers?a=1\n" + `{"amount":"10.00"}`)
	expect(t, "good", r, with("X-Signature", good, "X-Timestamp", at), "switch", nil)
	expect(t, "upper case", r, with("X-Signature", strings.ToUpper(good), "X-Timestamp", at), "switch", nil)
	expect(t, "no time", r, with("X-Signature", good), "", missing)
	expect(t, "another time", r, with("X-Signature", good, "X-Timestamp", strconv.FormatInt(now.Unix()+1, 10)), "", wrong)
	other := with("X-Signature", good, "X-Timestamp", at)
	other.Body = []byte(`{"amount":"99.00"}`)
	expect(t, "another body", r, other, "", wrong)
	other = with("X-Signature", good, "X-Timestamp", at)
	other.Path = "/refunds"
	expect(t, "another path", r, other, "", wrong)
	late := with("X-Signature", good, "X-Timestamp", at)
	late.Now = now.Add(6 * time.Minute)
	expect(t, "long past", r, late, "", expired)
	early := with("X-Signature", good, "X-Timestamp", at)
	early.Now = now.Add(-6 * time.Minute)
	expect(t, "to come", r, early, "", expired)
	expect(t, "no hex", r, with("X-Signature", "zz", "X-Timestamp", at), "", malformed)
	expect(t, "no number", r, with("X-Signature", good, "X-Timestamp", "-"+at), "", malformed)

	webhook := rule(t, `{"kind":"hmac","keys":[{"secret":"hook"}],"signed":["timestamp","body"],"separator":".",
		"header":"Hook-Signature","timestamp_header":"Hook-Time","prefix":"v0="}`, secrets)
	millis := strconv.FormatInt(now.UnixMilli(), 10)
	expect(t, "a webhook", webhook, with("Hook-Signature", "v0="+sign(millis+`.{"amount":"10.00"}`), "Hook-Time", millis), "hook", nil)
	expect(t, "without prefix", webhook, with("Hook-Signature", sign(millis+`.{"amount":"10.00"}`), "Hook-Time", millis), "", malformed)
	if !r.Signed || r.None() {
		t.Errorf("%+v", r)
	}
}

func signer(t *testing.T, alg jose.SignatureAlgorithm, key crypto.PrivateKey, kid string) jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func token(t *testing.T, s jose.Signer, change func(map[string]any)) *Request {
	t.Helper()
	claims := map[string]any{
		"iss": "https://idp", "aud": []string{"railhead", "x"}, "sub": "gateway", "exp": now.Add(time.Minute).Unix(),
	}
	if change != nil {
		change(claims)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return with("Authorization", "Bearer "+text)
}

func jwks(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestJWT(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all := []jose.JSONWebKey{
		{Key: ec.Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"},
		{Key: ed.Public(), KeyID: "ed"}, {Key: rs.Public(), KeyID: "rs"},
		{Key: []byte("a shared key of thirty-two bytes"), KeyID: "shared"},
	}
	secrets, put := store(t, map[string]string{"idp": jwks(t, all...)})
	r := rule(t, `{"kind":"jwt","jwks":"idp","issuer":"https://idp","audience":"railhead"}`, secrets)
	es := signer(t, jose.ES256, ec, "ec")
	expect(t, "ES256", r, token(t, es, nil), "gateway", nil)
	expect(t, "EdDSA", r, token(t, signer(t, jose.EdDSA, ed, "ed"), nil), "gateway", nil)
	expect(t, "RS256", r, token(t, signer(t, jose.RS256, rs, "rs"), nil), "gateway", nil)
	expect(t, "PS256", r, token(t, signer(t, jose.PS256, rs, "rs"), nil), "gateway", nil)
	expect(t, "no key id", r, token(t, signer(t, jose.ES256, ec, ""), nil), "gateway", nil)

	expect(t, "a stranger's key", r, token(t, signer(t, jose.ES256, stranger, "ec"), nil), "", unverified)
	expect(t, "an unknown key id", r, token(t, signer(t, jose.ES256, ec, "other"), nil), "", unverified)
	expect(t, "the shared key", r, token(t, signer(t, jose.HS256, []byte("a shared key of thirty-two bytes"), "shared"), nil), "", malformed)
	public, err := x509.MarshalPKIXPublicKey(rs.Public())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "a public key as a shared one", r, token(t, signer(t, jose.HS256, public, "rs"), nil), "", malformed)
	expect(t, "an algorithm not asked for", r, token(t, signer(t, jose.RS512, rs, "rs"), nil), "", malformed)
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   error
	}{
		"another issuer":    {func(c map[string]any) { c["iss"] = "https://evil" }, wrong},
		"no issuer":         {func(c map[string]any) { delete(c, "iss") }, wrong},
		"another audience":  {func(c map[string]any) { c["aud"] = "x" }, wrong},
		"no audience":       {func(c map[string]any) { delete(c, "aud") }, wrong},
		"no end":            {func(c map[string]any) { delete(c, "exp") }, malformed},
		"ended":             {func(c map[string]any) { c["exp"] = now.Add(-2 * time.Minute).Unix() }, expired},
		"not begun":         {func(c map[string]any) { c["nbf"] = now.Add(2 * time.Minute).Unix() }, expired},
		"no subject":        {func(c map[string]any) { delete(c, "sub") }, malformed},
		"a breaking header": {func(c map[string]any) { c["sub"] = "a\r\nx: y" }, malformed},
		"no text":           {func(c map[string]any) { c["sub"] = 7 }, unverified},
	} {
		expect(t, name, r, token(t, es, c.change), "", c.want)
	}
	none := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin"}`)) + "."
	expect(t, "unsigned", r, with("Authorization", "Bearer "+none), "", malformed)
	expect(t, "no token", r, with("Authorization", "Bearer x"), "", malformed)
	expect(t, "a large one", r, with("Authorization", "Bearer "+strings.Repeat("x", tokenMax+1)), "", malformed)
	expect(t, "none", r, with(), "", missing)

	// The provider changes its keys.
	put("idp", jwks(t, jose.JSONWebKey{Key: stranger.Public(), KeyID: "ec"}))
	expect(t, "a key that was taken out", r, token(t, es, nil), "", unverified)
	expect(t, "a key that was put in", r, token(t, signer(t, jose.ES256, stranger, "ec"), nil), "gateway", nil)
	put("idp", `{"keys": "none"}`)
	expect(t, "a file of no use", r, token(t, signer(t, jose.ES256, stranger, "ec"), nil), "gateway", nil)
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// leaf is a request over a connection whose peer showed such a certificate.
func (a *authority) leaf(t *testing.T, change func(*x509.Certificate)) (*Request, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gateway"}, DNSNames: []string{"gw.bank.example"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Minute),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	in := with()
	in.TLS = func() *tls.ConnectionState { return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}} }
	pin := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return in, base64.StdEncoding.EncodeToString(pin[:])
}

func TestMTLS(t *testing.T) {
	good, evil := newAuthority(t), newAuthority(t)
	secrets, put := store(t, map[string]string{"ca": good.pem()})
	anyOfIt := rule(t, `{"kind":"mtls","ca":"ca"}`, secrets)
	named := rule(t, `{"kind":"mtls","ca":"ca","names":["uri:spiffe://bank/gw","cn:gateway"]}`, secrets)

	in, pin := good.leaf(t, nil)
	expect(t, "any", anyOfIt, in, "dns:gw.bank.example", nil)
	expect(t, "any, again", anyOfIt, in, "dns:gw.bank.example", nil)
	expect(t, "by name", named, in, "cn:gateway", nil)
	pinned := rule(t, `{"kind":"mtls","pins":["pin-sha256=\"`+pin+`\""]}`, secrets)
	expect(t, "by key", pinned, in, "pin-sha256:"+pin, nil)

	for _, name := range []string{"dns:GW.bank.example", "ip:2001:DB8::0:1", "ip:::ffff:192.0.2.7"} {
		written := rule(t, `{"kind":"mtls","ca":"ca","names":["`+name+`"]}`, secrets)
		in, _ := good.leaf(t, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1"), net.ParseIP("192.0.2.7")}
		})
		if _, err := written.Identify(in); err != nil {
			t.Errorf("%s, which the certificate has in another form: %v", name, err)
		}
	}
	expect(t, "no TLS", anyOfIt, with(), "", missing)
	bare := with()
	bare.TLS = func() *tls.ConnectionState { return &tls.ConnectionState{} }
	expect(t, "no certificate", anyOfIt, bare, "", missing)
	in, _ = evil.leaf(t, nil)
	expect(t, "another authority", anyOfIt, in, "", unverified)
	expect(t, "another authority, the right name", named, in, "", unverified)
	expect(t, "another key", pinned, in, "", wrong)
	in, _ = good.leaf(t, func(c *x509.Certificate) { c.Subject.CommonName = "other" })
	expect(t, "another name", named, in, "", wrong)
	in, _ = good.leaf(t, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "bank", Path: "/gw"}} })
	expect(t, "a URI", named, in, "uri:spiffe://bank/gw", nil)
	in, _ = good.leaf(t, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })
	expect(t, "ended", anyOfIt, in, "", expired)
	in, _ = good.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	expect(t, "a server's", anyOfIt, in, "", unverified)

	in, _ = good.leaf(t, nil)
	expect(t, "before", anyOfIt, in, "dns:gw.bank.example", nil)
	put("ca", evil.pem())
	expect(t, "after the authority was replaced", anyOfIt, in, "", unverified)
	put("ca", "not a certificate at all")
	in, _ = evil.leaf(t, nil)
	expect(t, "a file of no use", anyOfIt, in, "dns:gw.bank.example", nil)
}

func TestNone(t *testing.T) {
	r := rule(t, `{"kind":"none"}`, nil)
	expect(t, "anybody", r, with(), "", nil)
	if !r.None() {
		t.Error("asks for something")
	}
}

// FuzzRules: no configuration and no credential makes a rule panic, and nobody is let
// in who shows nothing that was given out.
func FuzzRules(f *testing.F) {
	for _, kind := range []string{"none", "api_key", "basic", "hmac", "jwt", "mtls"} {
		f.Add(`{"kind":"`+kind+`","keys":[{"secret":"k"}]}`, "Basic YTpi", "1763643600")
	}
	f.Add(`{"kind":"basic","users":[{"name":"a","secret":"k"}]}`, "Basic YTpi", "1")
	f.Add(`{"kind":"jwt","jwks":"idp","issuer":"i","audience":"a"}`, "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AA", "1")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	if err != nil {
		f.Fatal(err)
	}
	secrets, _ := store(f, map[string]string{"k": rand.Text(), "idp": string(public)})
	f.Fuzz(func(t *testing.T, config, credential, at string) {
		r, err := New([]byte(config), "green", secrets)
		if err != nil || r.None() {
			return
		}
		principal, err := r.Identify(with("authorization", credential, "x-api-key", credential,
			"x-signature", credential, "x-timestamp", at))
		if err == nil {
			t.Fatalf("%s let %q in as %q", config, credential, principal)
		}
	})
}

// FuzzKeys: no JWKS file makes the reader panic, and what it takes is for verifying.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := readKeys(text)
		if err != nil {
			return
		}
		for _, k := range keys {
			if !k.IsPublic() {
				t.Errorf("%q: a key that signs", text)
			}
		}
	})
}
