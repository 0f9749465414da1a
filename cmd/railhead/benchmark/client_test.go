package benchmark

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestClient: what the client sends is what a server of net/http understands, and
// it understands the answers, on one connection.
func TestClient(t *testing.T) {
	var from string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || from != "" && r.RemoteAddr != from {
			t.Error(r.RemoteAddr, err)
		}
		from = r.RemoteAddr
		if r.URL.Path == "/empty" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		answer := fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, r.Host, r.Header.Get("X-CorrelationID"), body)
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	c, err := newClient(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	long := strings.Repeat("x", 20_000)
	for _, r := range []struct{ method, path, body, want string }{
		{"POST", "/a", "one", "POST /a " + c.address + " key one"},
		{"POST", "/b?c=d", "", "POST /b?c=d " + c.address + " key "},
		{"GET", "/empty", "", ""},
		{"POST", "/a", long, "POST /a " + c.address + " key " + long},
		{"GET", "/a", "", "GET /a " + c.address + " key "},
	} {
		status, got, err := c.do(t.Context(), r.method, r.path, []header{{"X-CorrelationID", "key"}}, r.body)
		want := 200
		if r.path == "/empty" {
			want = 202
		}
		if err != nil || status != want || string(got) != r.want {
			t.Fatalf("%s %s: %d %q %v", r.method, r.path, status, got, err)
		}
	}
}

// TestClientRefuses: an answer that does not say where it ends is no answer, and
// the next request has a connection of its own.
func TestClientRefuses(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 x\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", responseMax) + "\r\n\r\n",
		"",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}()
		c, err := newClient("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := c.do(t.Context(), "GET", "/", nil, "")
		if err == nil || c.conn != nil {
			t.Errorf("%q: %d %q", answer[:min(80, len(answer))], status, body)
		}
		_ = l.Close()
	}
}
