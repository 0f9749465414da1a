package ingress

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want verdict
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", plain},
		{"POST /a/b%2Fc;x=1?q=1&r=%20 HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 2\r\nX-A:  b \r\nx-a:\r\n\r\n{}", plain},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", plain},

		{"", partial},
		{"GET / HT", partial},
		{"GET / HTTP/1.1\r\nHost: a\r\n", partial},

		// What another server might read differently is not for this one.
		{"GET / HTTP/1.1\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", other},
		{"GET / HTTP/1.1\nHost: a\n\n", other},
		{"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", other},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", other},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET /% HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET /é HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"GET ? HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", other},
		{"\x16\x03\x01", other},
		{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n", other},
		{"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\n X: a\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00\r\n\r\n", other},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", other},
	} {
		if _, _, got := parse([]byte(c.in)); got != c.want {
			t.Errorf("%q: %d, want %d", c.in, got, c.want)
		}
		agree(t, []byte(c.in))
	}
}

// FuzzParse: what the parser takes, net/http takes too, and reads the same in it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("POST /a/b%2Fc;x=1?q=1&r=%20 HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 2\r\nX-A:  b \r\nx-a:\r\n\r\n{}"))
	f.Add([]byte("GET //a?b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nCookie: a\r\ncookie: b\r\n\r\nGET"))
	f.Fuzz(func(t *testing.T, in []byte) { agree(t, in) })
}

func agree(t *testing.T, in []byte) {
	t.Helper()
	given := bytes.Clone(in)
	h, size, v := parse(given)
	if v != plain {
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
	if err != nil {
		t.Fatalf("%q: net/http does not take it: %v", in, err)
	}
	if h.method != r.Method || h.path != r.URL.EscapedPath() || h.query != r.URL.RawQuery || r.Close {
		t.Fatalf("%q: %+v, but net/http reads %+v", in, h, r)
	}
	if r.ContentLength != int64(h.length) || len(r.TransferEncoding) > 0 || r.Trailer != nil {
		t.Fatalf("%q: a body of %d, but net/http reads %d", in, h.length, r.ContentLength)
	}
	ours, theirs := &incoming{lines: h.lines}, &incoming{lines: linesOf(r.Header)}
	flat := func(in *incoming) (out []string) {
		for _, line := range in.headers(visitor{}) {
			out = append(out, line.Key+": "+line.Value)
		}
		return out
	}
	if a, b := flat(ours), flat(theirs); !slices.Equal(a, b) {
		t.Fatalf("%q: the headers are %q, but net/http's %q", in, a, b)
	}
	body, err := io.ReadAll(r.Body)
	rest := in[size:]
	if short := len(rest) < h.length; short != (err != nil) || !short && string(body) != string(rest[:h.length]) {
		t.Fatalf("%q: net/http reads the body %q, %v", in, body, err)
	}
	// Handed on, the bytes mean the same: only the case of names has changed.
	if !bytes.EqualFold(given, in) || !bytes.HasSuffix(given, rest) {
		t.Fatalf("%q: became %q", in, given)
	}
}
