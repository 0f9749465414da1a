package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// raw listens and hands every connection to serve, with the number of requests
// that were read from all of them.
func raw(t *testing.T, serve func(net.Conn, *bufio.Reader, *atomic.Int32)) (url string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	requests = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn), requests)
			}()
		}
	}()
	return "http://" + l.Addr().String(), requests
}

// TestSwitchingProtocolsDoesNotHang: net/http hands the bare connection over with
// a 101 and forgets its deadlines, so a peer that then says nothing would hold a
// worker for ever.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	gone := make(chan struct{})
	url, _ := raw(t, func(conn net.Conn, br *bufio.Reader, requests *atomic.Int32) {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		requests.Add(1)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(io.Discard, br) // until the node closes its side
		close(gone)
	})
	e := bind(t, url, nil, Surroundings{})
	answered := make(chan Outcome, 1)
	go func() { answered <- e.Do(t.Context(), post("/"), "key-1", false) }()
	select {
	case out := <-answered:
		if out.State != open || out.Answer != nil {
			t.Fatalf("got %+v", out)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the call does not return")
	}
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection stays open")
	}
}

// TestNothingIsSentTwiceUnasked: net/http repeats requests that it takes for
// repeatable when a kept connection goes away under them. Whether a request may
// be repeated is the endpoint's mode to say, whatever the method and the body.
func TestNothingIsSentTwiceUnasked(t *testing.T) {
	for _, c := range []struct{ method, body, key string }{
		{"GET", "", ""}, {"GET", "", "key-2"}, {"HEAD", "", ""}, {"DELETE", "", "key-2"},
		{"OPTIONS", "", ""}, {"POST", "", "key-2"}, {"PUT", "", "key-2"}, {"POST", "{}", "key-2"},
	} {
		t.Run(c.method+c.body+c.key, func(t *testing.T) {
			var framing atomic.Value
			url, requests := raw(t, func(conn net.Conn, br *bufio.Reader, requests *atomic.Int32) {
				for i := 0; ; i++ {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					requests.Add(1)
					if i == 1 {
						framing.Store(strings.Join(r.TransferEncoding, ",") + r.Header.Get("Content-Length"))
						return // the second request of a connection gets no answer
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			e := bind(t, url, nil, Surroundings{})
			if out := e.Do(t.Context(), post("/"), "key-1", false); out.State != done {
				t.Fatalf("first: %+v", out)
			}
			r := &sdkv1.Http{Method: c.method, Path: "/", Body: []byte(c.body)}
			if out := e.Do(t.Context(), r, c.key, false); out.State != open {
				t.Errorf("second: %+v", out)
			}
			if requests.Load() != 2 {
				t.Errorf("the peer saw %d requests, want 2", requests.Load())
			}
			if got := framing.Load(); got == "chunked" {
				t.Errorf("a body whose length is known is sent in chunks")
			}
		})
	}
}

// TestPathsOfOtherParsers: what other servers take for a step up is one.
func TestPathsOfOtherParsers(t *testing.T) {
	var asked atomic.Int32
	url, _ := raw(t, func(net.Conn, *bufio.Reader, *atomic.Int32) { asked.Add(1) })
	e := bind(t, url+"/api", func(c *Config) { c.Mode = enginev1.Mode_MODE_SAFE }, Surroundings{})
	for _, path := range []string{"/..;/admin", "/a/..;x=y/../admin", "/%2e%2e;/admin", "/..%5cadmin", "/a%5c..%5c..%5cadmin", "/.%3b/admin"} {
		out := e.Do(t.Context(), &sdkv1.Http{Method: "GET", Path: path}, "", false)
		if failureCode(out) != abi.FailureInvalid {
			t.Errorf("%s: %+v", path, out)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d connections were made", asked.Load())
	}
}

// TestURLsWithoutAHost: a port alone would reach this machine, and a trailing
// question mark would turn paths into queries.
func TestURLsWithoutAHost(t *testing.T) {
	for _, url := range []string{"http://:8080", "https://:443/api", "https://bank.example/?", "https://bank.example?"} {
		if _, err := New(Config{URL: url, Allow: loopback}, Surroundings{}); err == nil {
			t.Errorf("%s: accepted", url)
		}
	}
}
