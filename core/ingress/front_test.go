package ingress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// echo replies with what a connector sees of the request.
func echo(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	in := r.Trigger.GetHttp()
	body := fmt.Sprintf("%s %s %d", in.Method, in.Path, len(in.Body))
	for _, q := range in.Query {
		body += " ?" + q.Key + "=" + q.Value
	}
	for _, h := range in.Headers {
		if strings.HasPrefix(h.Key, "x-") {
			body += " " + h.Key + "=" + h.Value
		}
	}
	return reply(&sdkv1.Reply{Status: 200, Body: []byte(body), Headers: []*sdkv1.Header{{Key: "x-is", Value: "echo"}}})
}

// site is a Front before a server that counts what is left to it.
type site struct {
	*Front
	server *http.Server
	mu     sync.Mutex
	left   int // requests
}

func (s *site) others() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

func newSite(t testing.TB, step steps, certificates *tls.Config, change func(*Config)) *site {
	t.Helper()
	return newCrowdedSite(t, 0, step, certificates, change)
}

// newCrowdedSite has room for so many connections.
func newCrowdedSite(t testing.TB, room int, step steps, certificates *tls.Config, change func(*Config)) *site {
	t.Helper()
	h, _ := newHandler(t, step, change)
	return newSiteOf(t, h, room, certificates)
}

// newSiteOf is a Front before that handler.
func newSiteOf(t testing.TB, h *Handler, room int, certificates *tls.Config) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Front: NewFront(l, certificates)}
	s.Connections = room
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.server = &http.Server{Protocols: &protocols, ConnContext: ConnContext, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.left++
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	})}
	s.Handle(h)
	go func() { _ = s.server.Serve(s.Front) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Shutdown(ctx)
	})
	return s
}

func (s *site) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func answer(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// TestFront: the plain requests of one connection are answered one after the
// other, and from the first that is not, net/http does it.
func TestFront(t *testing.T) {
	s := newSite(t, echo, nil, nil)
	c, r := s.dial(t)
	large := strings.Repeat("x", 100_000)
	for i, request := range []struct {
		text string
		want string
		left int
	}{
		{"POST /r?a=1 HTTP/1.1\r\nHost: h\r\nT: green\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc", "POST /r 3 ?a=1 x-a=1, 2", 0},
		{"POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\n\r\n", "POST /r 0", 0},
		{"POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nContent-Length: 50000\r\n\r\n" + large[:50_000], "POST /r 50000", 0},
		{"POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nContent-Length: 1\r\n\r\n1", "POST /r 1", 0},
		{"GET /r HTTP/1.1\r\nHost: h\r\nT: green\r\n\r\n", `{"code":"METHOD_NOT_ALLOWED","text":"The path does not take this method."}`, 0},
		{"POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nX-B: 1\r\nContent-Length: 100000\r\n\r\n" + large, "POST /r 100000 x-b=1", 1},
		{"POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nContent-Length: 1\r\n\r\n1", "POST /r 1", 2},
	} {
		if _, err := io.WriteString(c, request.text); err != nil {
			t.Fatal(err)
		}
		response, body := answer(t, r)
		if body != request.want || s.others() != request.left || response.Header.Get("Date") == "" ||
			response.StatusCode == 200 && response.Header.Get("X-Is") != "echo" {
			t.Fatalf("request %d: %v %q, %d left", i, response, body, s.others())
		}
	}
}

// TestPipeline: requests that are sent without waiting are answered in order, also
// when a plain one is followed by another kind.
func TestPipeline(t *testing.T) {
	s := newSite(t, echo, nil, nil)
	c, r := s.dial(t)
	var text strings.Builder
	const requests = 2000 // more than a buffer holds
	for i := range requests {
		fmt.Fprintf(&text, "POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nX-N: %d\r\nContent-Length: 5\r\n\r\nhello", i)
	}
	text.WriteString("POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
	go func() { _, _ = io.WriteString(c, text.String()) }()
	for i := range requests {
		if _, body := answer(t, r); body != fmt.Sprintf("POST /r 5 x-n=%d", i) {
			t.Fatalf("%d: %s", i, body)
		}
	}
	if _, body := answer(t, r); body != "POST /r 2" || s.others() != 1 {
		t.Fatal(body, s.others())
	}
}

// TestByteByByte: a request may come in any pieces.
func TestByteByByte(t *testing.T) {
	s := newSite(t, echo, nil, nil)
	c, r := s.dial(t)
	for _, b := range []byte("POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nContent-Length: 3\r\n\r\nabc") {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if _, body := answer(t, r); body != "POST /r 3" || s.others() != 0 {
		t.Fatal(body)
	}
}

// TestProtocols: whatever a client speaks, it is understood.
func TestProtocols(t *testing.T) {
	template := httptest.NewUnstartedServer(nil)
	template.StartTLS()
	certificates, pool := template.TLS.Clone(), x509.NewCertPool()
	pool.AddCert(template.Certificate())
	template.Close()
	for _, c := range []struct {
		name      string
		tls       bool
		protocols func(*http.Protocols)
		major     int
		left      int
	}{
		{"HTTP/1.1", false, func(p *http.Protocols) { p.SetHTTP1(true) }, 1, 0},
		{"HTTP/2", false, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, 2, 3},
		{"HTTP/1.1 over TLS", true, func(p *http.Protocols) { p.SetHTTP1(true) }, 1, 0},
		{"HTTP/2 over TLS", true, func(p *http.Protocols) { p.SetHTTP2(true) }, 2, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			own, scheme := (*tls.Config)(nil), "http"
			if c.tls {
				own, scheme = certificates, "https"
			}
			s := newSite(t, echo, own, nil)
			var protocols http.Protocols
			c.protocols(&protocols)
			transport := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"}}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for range 3 {
				request, err := http.NewRequestWithContext(t.Context(), "POST", scheme+"://"+s.Addr().String()+"/r", strings.NewReader("abc"))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("T", "green")
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err != nil || string(body) != "POST /r 3" || response.ProtoMajor != c.major {
					t.Fatal(response.Proto, string(body), err)
				}
				_ = response.Body.Close()
			}
			if s.others() != c.left {
				t.Fatalf("%d were left to net/http", s.others())
			}
		})
	}
}

// TestFrontEndsWhatTakesTooLong: a body that does not come is answered 408, a
// request that is not answered in time 504, and then the connection ends.
func TestFrontEndsWhatTakesTooLong(t *testing.T) {
	s := newSite(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		return effect(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_AwaitResult{
			AwaitResult: &sdkv1.AwaitResult{Payment: paymentUUID, TimeoutMs: 3600_000}}})
	}, nil, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	for text, status := range map[string]int{
		"POST /r HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 9\r\n\r\n{":         408,
		"POST /r HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 9\r\n\r\n123456789": 504,
	} {
		c, r := s.dial(t)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if response, body := answer(t, r); response.StatusCode != status || !response.Close {
			t.Errorf("%v %s", response, body)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Error(err)
		}
	}
	if s.others() != 0 {
		t.Error(s.others())
	}
}

// TestTheBodyIsPartOfTheTime: a request whose body came late has no more time than
// any other.
func TestTheBodyIsPartOfTheTime(t *testing.T) {
	s := newSite(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) { return reply(&sdkv1.Reply{Status: 200}) }, nil, nil)
	local, remote := net.Pipe()
	defer remote.Close()
	defer local.Close()
	c := newConn(s.Front, s.admit(local))
	c.enter(reading, 1000)
	c.goOn(serving)
	c.look(c.since+1001, false)
	if ended := context.Cause(c.ctx); !errors.Is(ended, context.DeadlineExceeded) {
		t.Errorf("the request goes on: %v", ended)
	}
}

// waiting is a step that says it has begun and lasts until it is released.
func waiting(begun, release chan struct{}) steps {
	return func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		begun <- struct{}{}
		<-release
		return echo(r)
	}
}

// TestFrontShutdown: who is served gets an answer that says it is the last, and
// who asks nothing is let go at once.
func TestFrontShutdown(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := newSite(t, waiting(begun, release), nil, nil)
	_, lazy := s.dial(t)
	c, r := s.dial(t)
	if _, err := io.WriteString(c, "POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	ended := make(chan struct{})
	go func() {
		s.Shutdown(context.Background())
		close(ended)
	}()
	if _, err := lazy.ReadByte(); err != io.EOF {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("a request under way was not waited for")
	default:
	}
	close(release)
	if response, body := answer(t, r); !response.Close || body != "POST /r 0" {
		t.Fatal(response, body)
	}
	<-ended
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Fatal("connections are still taken")
	}
}

// TestWhoHasGoneIsNotWaitedFor: the place of a request whose sender has gone is
// free again long before its time is over; one whose sender is there is answered,
// and so is what was sent meanwhile.
func TestWhoHasGoneIsNotWaitedFor(t *testing.T) {
	s := newSite(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		if len(r.History) == 0 && len(r.Trigger.GetHttp().Body) > 0 {
			return effect(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_AwaitResult{
				AwaitResult: &sdkv1.AwaitResult{Payment: paymentUUID, TimeoutMs: 3_000}}})
		}
		return echo(r)
	}, nil, nil)
	const request = "POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nContent-Length: 4\r\n\r\nwait"
	gone, _ := s.dial(t)
	stays, r := s.dial(t)
	for _, c := range []net.Conn{gone, stays} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
	}
	h := s.handler.Load()
	until(t, "both are served", func() bool { return h.serving.Load() == 2 })
	_ = gone.Close()
	until(t, "the watch", func() bool {
		watched := 0
		for _, c := range s.all() {
			c.mu.Lock()
			if c.watch != nil {
				watched++
			}
			c.mu.Unlock()
		}
		return watched > 0
	})
	if _, err := io.WriteString(stays, "POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the place of the one that has gone", func() bool { return h.serving.Load() == 1 })
	if _, body := answer(t, r); body != "POST /r 4" {
		t.Fatal(body)
	}
	if _, body := answer(t, r); body != "POST /r 0" {
		t.Fatal(body)
	}
}

func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so", what)
		}
	}
}

// BenchmarkServe is one request and its answer over 16 connections, with a client
// that costs next to nothing; cpu-ns/op is the processor time of both.
func BenchmarkServe(b *testing.B) {
	for _, way := range []string{"front", "net-http"} {
		b.Run(way, func(b *testing.B) {
			s := newSite(b, echo, nil, nil)
			request := "POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nX-CorrelationID: 1234567890\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200)
			var workers sync.WaitGroup
			const connections = 16
			b.ReportAllocs()
			for range connections {
				c, _ := s.dial(b)
				_ = c.SetDeadline(time.Time{})
				in := make([]byte, 4096)
				ask := func(request string) {
					if _, err := io.WriteString(c, request); err != nil {
						b.Error(err)
					}
					for n := 0; !bytes.Contains(in[:n], []byte("POST /r ")); {
						more, err := c.Read(in[n:])
						if n += more; err != nil {
							b.Error(err)
							return
						}
					}
				}
				if way == "net-http" {
					ask("POST /r HTTP/1.1\r\nHost: h\r\nT: green\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
				}
				workers.Go(func() {
					for range b.N / connections {
						ask(request)
					}
				})
			}
			before := processorTime()
			workers.Wait()
			b.ReportMetric(float64((processorTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
