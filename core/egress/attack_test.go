package egress

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/railhead-hub/railhead/core/secret"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func addrs(texts ...string) (out []netip.Addr) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// TestRebinding: a name that resolves to an allowed address once and to another the
// next time is refused the next time, because the address is checked when it is
// connected to. What stands beside an allowed address in one answer is not reached
// either.
func TestRebinding(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	inside := listener(t, "127.0.0.2:"+port) // what the attacker is after
	around := Surroundings{Resolver: hostileDNS(t, func(name string, before int) []netip.Addr {
		switch {
		case name == "both.example":
			return addrs("127.0.0.2", "169.254.169.254", "127.0.0.1")
		case before == 0:
			return addrs("127.0.0.1")
		}
		return addrs("127.0.0.2")
	})}
	e := bind(t, "http://bank.example:"+port, nil, around)
	if out := e.Do(t.Context(), post("/"), "", false); out.State != done {
		t.Fatalf("before: %+v", out)
	}
	for range 3 {
		if out := e.Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureForbidden || out.State != refused {
			t.Fatalf("after: %+v", out)
		}
	}
	if out := bind(t, "http://both.example:"+port, nil, around).Do(t.Context(), post("/"), "", false); out.State != done && failureCode(out) != abi.FailureForbidden {
		t.Errorf("one of several: %+v", out)
	}
	if inside.Load() != 0 {
		t.Errorf("%d connections were made to an address that is not allowed", inside.Load())
	}
}

// TestResolvedAddresses: whatever a name resolves to, only what is allowed is
// connected to, even by the widest list.
func TestResolvedAddresses(t *testing.T) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	for _, text := range []string{
		"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", // clouds' credentials
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
		"::1", "::", "fe80::1", "ff02::1", "fec0::1",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fd00:a9fe:a9fe::1", "fd00:100::100:200",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", // mapped
		"::127.0.0.1", "::169.254.169.254", "::ffff:0:127.0.0.1", // compatible, translated
		"64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::a9fe:a9fe", // NAT64
		"2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", // 6to4, Teredo
		"2400::5efe:127.0.0.1", "2400::200:5efe:169.254.169.254", // ISATAP
	} {
		address := netip.MustParseAddr(text)
		e := bind(t, "http://name.example:8080", func(c *Config) { c.Allow = everything },
			Surroundings{Resolver: hostileDNS(t, func(string, int) []netip.Addr { return []netip.Addr{address} })})
		out := e.Do(t.Context(), post("/"), "", false)
		if failureCode(out) != abi.FailureForbidden || out.State != refused {
			t.Errorf("%s: %+v", text, out)
		}
		// Written as it is, it is not even bound.
		literal := Config{URL: "http://" + net.JoinHostPort(text, "8080"), Allow: everything}
		if _, err := New(literal, Surroundings{}); !errors.Is(err, errAddress) {
			t.Errorf("%s as the url's host: %v", text, err)
		}
	}
}

func TestPermit(t *testing.T) {
	none, lan, local := []netip.Prefix(nil), []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, loopback
	six := []netip.Prefix{netip.MustParsePrefix("fd12::/16"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		address string
		allow   []netip.Prefix
		ok      bool
	}{
		{"8.8.8.8", none, true}, {"2606:4700::1111", none, true},
		{"10.1.2.3", none, false}, {"192.168.1.1", none, false}, {"100.64.0.1", none, false}, {"127.0.0.1", none, false},
		{"64:ff9b::8.8.8.8", none, true}, {"64:ff9b::10.1.2.3", none, false}, {"fd12::1", none, false},
		{"10.1.2.3", lan, true}, {"::ffff:10.1.2.3", lan, true}, {"64:ff9b::10.1.2.3", lan, true},
		{"10.2.0.1", lan, false}, {"8.8.8.8", lan, false}, {"64:ff9b::8.8.8.8", lan, false},
		{"127.0.0.1", local, true}, {"::ffff:127.0.0.1", local, true}, {"127.0.0.2", local, false}, {"::1", local, false},
		{"fd12::1", six, true}, {"::1", six, true}, {"fd13::1", six, false}, {"fe80::1%eth0", six, false},
	} {
		if err := permit(netip.MustParseAddr(c.address), c.allow); (err == nil) != c.ok {
			t.Errorf("%s with %v: %v", c.address, c.allow, err)
		}
	}
}

// TestHostForms: a host that programs read differently is not bound at all.
func TestHostForms(t *testing.T) {
	for _, host := range []string{
		"2130706433", "0177.0.0.1", "0x7f000001", "0x7f.0.0.1", "127.1", "127.0.1", "0", "1.1.1.1.", "bank.0x7f", "300.1.2.3",
		"127.0.0.1.", "bank.example.", "bank..example", ".bank.example", "[fe80::1%25eth0]", "bank%2eexample", "bänk.example",
		"bank\u3002example", "bank_.exa mple", "user@bank.example", "user:pass@bank.example", "bank.example:0", "bank.example:65536",
		"bank.example:80:80", "[::1", "{{secret:bank_token}}.example", "bank.example/{{secret:bank_token}}", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 130) + "example",
	} {
		if _, err := New(Config{URL: "http://" + host + "/", Allow: loopback}, Surroundings{}); err == nil {
			t.Errorf("%s: accepted", host)
		}
	}
	lan := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd12::/16")}
	for _, host := range []string{"bank.example", "BANK.example:8443", "core_bank.svc", "xn--bnk-qla.example", "10.1.2.3", "[fd12::1]:443", "[::ffff:10.1.2.3]", "bank.e2"} {
		if _, err := New(Config{URL: "http://" + host + "/", Allow: lan}, Surroundings{}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestRedirectsToInside: whatever a peer points at, it is data.
func TestRedirectsToInside(t *testing.T) {
	target := listener(t, "127.0.0.3:0")
	for _, location := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://2130706433/", "http://[::ffff:a9fe:a9fe]/", "http://metadata.google.internal/",
		"http://127.0.0.3/", "//127.0.0.3/", "file:///etc/passwd", "gopher://127.0.0.3/",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			e := bind(t, srv.URL, func(c *Config) { c.Mode = enginev1.Mode_MODE_SAFE }, Surroundings{})
			out := e.Do(t.Context(), &sdkv1.Http{Method: "GET", Path: "/"}, "", false)
			if out.Answer.GetHttp().GetStatus() != uint32(status) || requests.Load() != 1 {
				t.Errorf("%s by %d: %+v after %d requests", location, status, out, requests.Load())
			}
			srv.Close()
		}
	}
	if target.Load() != 0 {
		t.Errorf("%d connections were made to where the peer pointed", target.Load())
	}
}

const canary = "kq83/zx71+mm02=pl55&w"

// vault is a store with the canary as greenbank's bank_token.
func vault(t *testing.T, log *slog.Logger) *secret.Store {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "greenbank"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "greenbank", "bank_token"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.NewStore(dir, log)
}

// TestSecretToAnotherHost: an endpoint that a secret is not bound to never sends it,
// and one that it is bound to sends it as a header only: what customers write ends up
// in paths and bodies.
func TestSecretToAnotherHost(t *testing.T) {
	var got strings.Builder
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintln(&got, r.URL, r.Header, string(body))
	}))
	defer srv.Close()
	around := Surroundings{Secrets: vault(t, nil)}
	other := bind(t, srv.URL, nil, around)
	own := bind(t, srv.URL, func(c *Config) { c.Secrets = []string{"bank_token"} }, around)
	const ref = "{{secret:bank_token}}"
	for name, r := range map[string]*sdkv1.Http{
		"header":      {Method: "POST", Path: "/", Headers: []*sdkv1.Header{{Key: "X-A", Value: ref}}},
		"header name": {Method: "POST", Path: "/", Headers: []*sdkv1.Header{{Key: ref, Value: "a"}}},
		"path":        {Method: "POST", Path: "/" + ref},
		"query":       {Method: "POST", Path: "/?a=" + ref},
		"method":      {Method: ref, Path: "/"},
	} {
		if out := other.Do(t.Context(), r, "", false); failureCode(out) != abi.FailureInvalid || out.State != refused {
			t.Errorf("%s: %+v", name, out)
		}
		if name == "header" {
			continue
		}
		if out := own.Do(t.Context(), r, "", false); failureCode(out) != abi.FailureInvalid {
			t.Errorf("%s of the endpoint it is bound to: %+v", name, out)
		}
	}
	for _, e := range []*Endpoint{other, own} {
		out := e.Do(t.Context(), &sdkv1.Http{Method: "POST", Path: "/", Body: []byte(ref)}, "", false)
		if out.State != done {
			t.Errorf("body: %+v", out)
		}
	}
	if strings.Contains(got.String(), canary) || strings.Count(got.String(), ref) != 2 {
		t.Errorf("the server was sent %s", got.String())
	}
}

// shown are the ways in which a canary may be recognised.
func shown(text string) bool {
	raw := []byte(canary)
	for _, form := range []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), html.EscapeString(canary), hex.EncodeToString(raw),
		base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), strings.ReplaceAll(canary, "/", `\/`),
		base64.StdEncoding.EncodeToString([]byte("Bearer " + canary)), "kq83/zx71+", "mm02=pl55&w",
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// unpacked is what a guest would find that unpacked what it was answered.
func unpacked(answered []byte) string {
	_, packed, found := bytes.Cut(answered, []byte("\x1f\x8b\x08"))
	if !found {
		return ""
	}
	z, err := gzip.NewReader(io.MultiReader(strings.NewReader("\x1f\x8b\x08"), bytes.NewReader(packed)))
	if err != nil {
		return ""
	}
	text, _ := io.ReadAll(z) // what follows the packed text does not matter
	return string(text)
}

// TestSecretEchoed: a peer that shows what it was sent, in whatever way, tells the
// guest, the log of commands and the node's log nothing.
func TestSecretEchoed(t *testing.T) {
	wire := func(body string, headers ...string) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n" + strings.Join(append(headers, "\r\n"), "\r\n") + body
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("you sent " + canary))
	_ = z.Close()
	b64 := base64.StdEncoding.EncodeToString([]byte("Bearer " + canary))
	for name, answer := range map[string]string{
		"body":                wire("you sent " + canary),
		"header":              wire("", "X-Echo: Bearer "+canary),
		"header name":         wire("", "X-kq83: zx71", "X-Q: "+canary),
		"two headers":         wire("", "X-A: kq83/zx71+", "X-B: mm02=pl55&w"),
		"one header, twice":   wire("", "X-A: kq83/zx71+", "X-A: mm02=pl55&w"),
		"folded":              wire("", "X-A: kq83/zx71+\r\n mm02=pl55&w"),
		"percent":             wire(url.QueryEscape(canary)),
		"percent, lower case": wire(strings.ToLower(url.QueryEscape(canary))),
		"HTML":                wire("<b>" + html.EscapeString(canary) + "</b>"),
		"JSON":                wire(`{"t":"kq83\/zx71+mm02=pl55\u0026w"}`),
		"base64":              wire(b64),
		"base64url":           wire(base64.RawURLEncoding.EncodeToString([]byte(canary))),
		"base64 in a URL":     wire(url.QueryEscape(b64)),
		"hex":                 wire(hex.EncodeToString([]byte(canary))),
		"hex, upper case":     wire(strings.ToUpper(hex.EncodeToString([]byte(canary)))),
		"gzip":                wire(packed.String(), "Content-Encoding: gzip"),
		"gzip said second":    wire(packed.String(), "Content-Encoding: identity", "Content-Encoding: gzip"),
		"an unknown coding":   wire("you sent "+canary, "Content-Encoding: br"),
		"a reason":            "HTTP/1.1 500 " + canary + "\r\nContent-Length: 0\r\n\r\n",
		"a bad status line":   "HTTP/1.1 " + canary + "\r\n\r\n",
		"a bad header":        "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"a bad length":        "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
		"a redirect":          "HTTP/1.1 307 X\r\nLocation: https://x.example/?t=" + url.QueryEscape(canary) + "\r\nContent-Length: 0\r\n\r\n",
		"a trailer":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n0\r\nX-T: " + canary + "\r\n\r\n",
		"an early hint":       "HTTP/1.1 103 Early\r\nLink: " + canary + "\r\n\r\n" + wire("ok"),
		"nothing but it":      canary,
	} {
		for _, mode := range []enginev1.Mode{enginev1.Mode_MODE_SAFE, enginev1.Mode_MODE_ASK} {
			address, requests := raw(t, func(conn net.Conn, br *bufio.Reader, requests *atomic.Int32) {
				r, err := http.ReadRequest(br)
				if err != nil || r.Header.Get("Authorization") != "Bearer "+canary {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				requests.Add(1)
				_, _ = io.WriteString(conn, answer)
			})
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			e := bind(t, address, func(c *Config) {
				c.Mode = mode
				c.Secrets = []string{"bank_token"}
				c.Headers = []*sdkv1.Header{{Key: "authorization", Value: "Bearer {{secret:bank_token}}"}}
			}, Surroundings{Secrets: vault(t, log), Logger: log})
			out := e.Do(t.Context(), post("/"), "", false)
			if requests.Load() == 0 {
				t.Fatalf("%s: the peer was not sent the secret", name)
			}
			var answered []byte
			if out.Answer != nil {
				var err error
				if answered, err = out.Answer.MarshalVTStrict(); err != nil {
					t.Fatal(err)
				}
			}
			if shown(string(answered)) || shown(unpacked(answered)) || shown(out.Reason) || shown(logged.String()) {
				t.Errorf("%s, %v: %q %q %q", name, mode, answered, out.Reason, logged.String())
			}
		}
	}
}

// TestSmuggling: two header lines that a lenient server reads as framing are one
// request to it all the same.
func TestSmuggling(t *testing.T) {
	address, requests := raw(t, func(conn net.Conn, br *bufio.Reader, requests *atomic.Int32) {
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			requests.Add(1)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	e := bind(t, address, nil, Surroundings{})
	r := post("/")
	r.Body = []byte("0\r\n\r\nPOST /admin HTTP/1.1\r\nHost: x\r\n\r\n")
	r.Headers = []*sdkv1.Header{{Key: "X-Note", Value: "Transfer-Encoding: chunked"}}
	if out := e.Do(t.Context(), r, "", false); out.State != done || requests.Load() != 1 {
		t.Errorf("%+v, %d requests", out, requests.Load())
	}
}
