package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/secret"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

const (
	open    = enginev1.EffectState_EFFECT_STATE_OPEN
	done    = enginev1.EffectState_EFFECT_STATE_DONE
	refused = enginev1.EffectState_EFFECT_STATE_REFUSED
)

func bind(t *testing.T, url string, change func(*Config), around Surroundings) *Endpoint {
	t.Helper()
	c := Config{
		Connector: "bank", Tenant: "greenbank", Name: "ledger", URL: url,
		Mode: enginev1.Mode_MODE_ASK, Allow: loopback, Timeout: 5 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	e, err := New(c, around)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func post(path string) *sdkv1.Http {
	return &sdkv1.Http{Endpoint: "ledger", Method: "POST", Path: path, Body: []byte(`{"amount":"1.00"}`)}
}

func failureCode(o Outcome) string { return o.Answer.GetFailure().GetCode() }

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		status       int
		first, again enginev1.EffectState
	}{
		{200, done, done}, {202, done, done}, {204, done, done},
		{301, refused, open}, {302, open, open}, {303, open, open}, {307, refused, open},
		{400, refused, refused}, {401, refused, open}, {402, refused, refused}, {404, refused, open},
		{408, open, open}, {409, refused, open}, {422, refused, refused}, {425, open, open}, {429, open, open},
		{500, open, open}, {502, open, open}, {503, open, open}, {504, open, open}, {999, open, open},
	} {
		if got := classify(c.status, false); got != c.first {
			t.Errorf("%d, first sent: %v, want %v", c.status, got, c.first)
		}
		if got := classify(c.status, true); got != c.again {
			t.Errorf("%d, sent again: %v, want %v", c.status, got, c.again)
		}
	}
}

func TestRedirectIsData(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	out := bind(t, srv.URL, nil, Surroundings{}).Do(t.Context(), post("/holds"), "", false)
	if out.Answer.GetHttp().GetStatus() != 307 || out.State != refused || elsewhere.Load() != 0 {
		t.Fatalf("got %+v, %d requests at the redirect's target", out, elsewhere.Load())
	}
}

func TestAddresses(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	for _, c := range []struct {
		name, url string
		allow     []netip.Prefix
		code      string
	}{
		{"allowed", srv.URL, loopback, ""},
		{"not in range", "http://localhost:" + port, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, abi.FailureForbidden},
		{"loopback is not public", "https://localhost:" + port, nil, abi.FailureForbidden},
		{"a mapped address is its v4 self", "http://[::ffff:127.0.0.1]:" + port, loopback, ""},
		{"nobody listens", "http://127.0.0.1:1", loopback, abi.FailureUnreachable},
		{"no such name", "http://nowhere.invalid", loopback, abi.FailureUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := bind(t, c.url, func(b *Config) { b.Allow = c.allow }, Surroundings{})
			out := e.Do(t.Context(), post("/"), "", false)
			if failureCode(out) != c.code || out.State != refused {
				t.Fatalf("got %+v, want failure %q", out, c.code)
			}
		})
	}
}

func TestRefusedRequestsAreNotSent(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	e := bind(t, srv.URL+"/api", nil, Surroundings{})
	header := func(k, v string) *sdkv1.Http {
		r := post("/x")
		r.Headers = []*sdkv1.Header{{Key: k, Value: v}}
		return r
	}
	for name, r := range map[string]*sdkv1.Http{
		"header injection":        header("X-Note", "a\r\nX-Admin: 1"),
		"header name injection":   header("X-Note\r\nX-Admin", "1"),
		"empty header name":       header("", "1"),
		"framing":                 header("transfer-encoding", "chunked"),
		"virtual host":            header("host", "internal"),
		"the host's key":          header("idempotency-key", "mine"),
		"a misspelt reference":    header("authorization", "{{secret:Token}}"),
		"half a reference":        header("authorization", "{{secret:token"),
		"a secret of another":     header("authorization", "{{secret:other}}"),
		"climbing":                post("/../admin"),
		"climbing, escaped":       post("/%2e%2e/admin"),
		"a reference in a path":   post("/{{secret:token}}"),
		"a NUL":                   header("X-Note", "a\x00b"),
		"a folded line":           header("X-Note", "a\r\n b"),
		"a bare line feed":        header("X-Note", "a\n b"),
		"a bare carriage return":  header("X-Note", "a\rX-Admin: 1"),
		"a name with a blank":     header("Transfer-Encoding ", "chunked"),
		"a name with a colon":     header("X-Note: 1\r\nX", "1"),
		"a name that is folded":   header(" X-Note", "1"),
		"framing, underscored":    header("transfer_encoding", "chunked"),
		"a length":                header("Content-Length", "0"),
		"a protocol":              header("Upgrade", "h2c"),
		"hop by hop":              header("Connection", "X-Idempotency-Key"),
		"a proxy's":               header("Proxy-Authorization", "Basic x"),
		"another sender":          header("X-Forwarded-For", "10.0.0.1"),
		"another method":          header("X-HTTP-Method-Override", "DELETE"),
		"another path":            header("X-Original-URL", "/admin"),
		"another encoding":        header("Accept-Encoding", "gzip"),
		"too many headers":        {Method: "POST", Path: "/", Headers: slices.Repeat([]*sdkv1.Header{{Key: "a", Value: "b"}}, headersMax+1)},
		"too large headers":       {Method: "POST", Path: "/", Headers: slices.Repeat([]*sdkv1.Header{{Key: "a", Value: strings.Repeat("b", headerValueMax)}}, 5)},
		"another host":            post("@evil.example/"),
		"another host, slashes":   post("x//evil.example/"),
		"a line feed in the path": post("/a\nb"),
		"a space in the path":     post("/a b"),
		"a fragment":              post("/a#b"),
		"a bad escape":            post("/%zz"),
		"a tunnel":                {Method: "CONNECT", Path: "/"},
		"an echo of the secrets":  {Method: "TRACE", Path: "/"},
		"a method injection":      {Method: "GET / HTTP/1.1\r\nX: y", Path: "/"},
		"a large body":            {Method: "POST", Path: "/", Body: make([]byte, bodyMax+1)},
	} {
		out := e.Do(t.Context(), r, "6b0c8e0e-0000-4000-8000-000000000001", false)
		if failureCode(out) != abi.FailureInvalid || out.State != refused {
			t.Errorf("%s: got %+v", name, out)
		}
	}
	if asked.Load() != 0 {
		t.Fatalf("%d requests were sent", asked.Load())
	}
}

func TestSecretsAreSubstitutedAndScrubbed(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "greenbank"), 0o700); err != nil {
		t.Fatal(err)
	}
	const value = "s3cr3t-t0ken/=="
	if err := os.WriteFile(filepath.Join(dir, "greenbank", "bank_token"), []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A peer that shows what it was given, in a header and in the body.
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		io.WriteString(w, r.Header.Get("Authorization")+"|"+r.Header.Get("Idempotency-Key"))
		if r.Header.Get("Authorization") != "Bearer "+value {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	with := Surroundings{Secrets: secret.NewStore(dir, nil)}
	e := bind(t, srv.URL, func(c *Config) {
		c.Secrets = []string{"bank_token"}
		c.Headers = []*sdkv1.Header{{Key: "authorization", Value: "Bearer {{secret:bank_token}}"}}
	}, with)
	r := post("/")
	r.Headers = []*sdkv1.Header{{Key: "Authorization", Value: "Bearer the guest's own"}}
	out := e.Do(t.Context(), r, "key-1", false)
	http := out.Answer.GetHttp()
	if string(http.GetBody()) != "Bearer {{secret:bank_token}}|key-1" || http.Status != 200 {
		t.Fatalf("body %q, status %d", http.GetBody(), http.Status)
	}
	for _, h := range http.Headers {
		if strings.Contains(h.Value, value) {
			t.Errorf("header %s shows the secret", h.Key)
		}
	}
	_, err := New(Config{URL: srv.URL, Tenant: "bluebank", Allow: loopback, Secrets: []string{"bank_token"}}, with)
	if err == nil || strings.Contains(err.Error(), value) {
		t.Fatalf("another tenant's secret: %v", err)
	}
	_, err = New(Config{URL: srv.URL, Tenant: "greenbank", Allow: loopback, Secrets: []string{"../greenbank/bank_token"}}, with)
	if err == nil {
		t.Fatal("a secret's name climbed out of its folder")
	}
}

func TestUnknownOutcomesStayOpen(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"cut connection": func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		},
		"cut body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(200)
			io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		},
		"big body": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 2000))
		},
		"server error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				handler(w, r)
			}))
			defer srv.Close()
			e := bind(t, srv.URL, func(c *Config) {
				c.ResponseMax, c.Timeout, c.Retries = 1000, 200*time.Millisecond, 2
			}, Surroundings{})
			out := e.Do(t.Context(), post("/"), "key", false)
			if out.State != open || out.Answer != nil || out.Reason == "" {
				t.Fatalf("got %+v", out)
			}
			if asked.Load() != 1 {
				t.Fatalf("an endpoint of mode ask was asked %d times", asked.Load())
			}
		})
	}
}

// TestStaleConnection: a peer that closes a kept connection while a request is
// on its way must not make net/http send the request twice by itself.
func TestStaleConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var requests atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				for i := 0; ; i++ {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					requests.Add(1)
					if i == 1 {
						return // the second request of a connection gets no answer
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}()
		}
	}()
	e := bind(t, "http://"+l.Addr().String(), nil, Surroundings{})
	if out := e.Do(t.Context(), post("/"), "key-1", false); out.State != done {
		t.Fatalf("first: %+v", out)
	}
	if out := e.Do(t.Context(), post("/"), "key-2", false); out.State != open {
		t.Fatalf("second: %+v", out)
	}
	if requests.Load() != 2 {
		t.Fatalf("the peer saw %d requests, want 2", requests.Load())
	}
}

func TestKeyedIsSentAgainUnderTheSameKey(t *testing.T) {
	var keys []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("X-Bank-Key"))
		switch len(keys) {
		case 1:
			w.WriteHeader(503)
		case 2:
			w.WriteHeader(409) // still at work on the first
		}
	}))
	defer srv.Close()
	e := bind(t, srv.URL, func(c *Config) {
		c.Mode, c.Retries, c.KeyHeader = enginev1.Mode_MODE_KEYED, 3, "X-Bank-Key"
	}, Surroundings{})
	out := e.Do(t.Context(), post("/"), "key-1", false)
	if out.State != done || strings.Join(keys, " ") != "key-1 key-1 key-1" {
		t.Fatalf("got %+v after keys %v", out, keys)
	}
}

func TestSafeAnswersAreData(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer srv.Close()
	e := bind(t, srv.URL, func(c *Config) { c.Mode = enginev1.Mode_MODE_SAFE }, Surroundings{})
	out := e.Do(t.Context(), &sdkv1.Http{Method: "GET", Path: "?id=1"}, "", false)
	if out.Answer.GetHttp().GetStatus() != 500 {
		t.Fatalf("got %+v", out)
	}
}

func TestBadBindings(t *testing.T) {
	for name, c := range map[string]Config{
		"no url":                 {},
		"a file":                 {URL: "file:///etc/passwd"},
		"a user in the url":      {URL: "https://me:pw@bank.example"},
		"a query in the url":     {URL: "https://bank.example/?x=1"},
		"http on the open net":   {URL: "http://bank.example"},
		"port 0":                 {URL: "https://bank.example:0"},
		"too many retries":       {URL: "https://bank.example", Retries: 6},
		"a framing key header":   {URL: "https://bank.example", KeyHeader: "Content-Length"},
		"an unbound secret":      {URL: "https://bank.example", Headers: []*sdkv1.Header{{Key: "a", Value: "{{secret:x}}"}}},
		"a misspelt reference":   {URL: "https://bank.example", Headers: []*sdkv1.Header{{Key: "a", Value: "{{secret:X}}"}}},
		"a secret without a dir": {URL: "https://bank.example", Secrets: []string{"x"}},
	} {
		if _, err := New(c, Surroundings{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
