package egress

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
)

// gauge is the sum of a metric over its labels.
func gauge(t *testing.T, from prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// eventually waits for what is bound to come.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + " did not come")
		}
	}
}

// TestBreaker: a peer that fails is left alone, whatever version of configuration or
// module asks, what is not sent certainly did not happen, and it is tried again.
func TestBreaker(t *testing.T) {
	var ill atomic.Bool
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	registry := prometheus.NewRegistry()
	around := Surroundings{Gates: NewGates(registry), Metrics: NewMetrics(registry)}
	config := func(c *Config) {
		c.Version = 1
		c.Breaker = Breaker{Calls: 4, Within: time.Hour, Open: time.Hour, Trials: 2}
	}
	e := bind(t, srv.URL, config, around)
	for range 4 {
		if out := e.Do(t.Context(), post("/"), "", false); out.State != done {
			t.Fatalf("a well peer: %+v", out)
		}
	}
	ill.Store(true)
	for i := 0; gauge(t, registry, "railhead_egress_breaker_state") != 2; i++ {
		if i == 5 {
			t.Fatal("it does not open")
		}
		if out := e.Do(t.Context(), post("/"), "", false); out.State != open {
			t.Fatalf("an ill peer: %+v", out)
		}
	}
	sent := requests.Load()
	// Another module, or a canary, binds the endpoint anew; so does a new version of
	// the configuration. Neither makes the peer well.
	newer := bind(t, srv.URL, func(c *Config) { config(c); c.Version = 2 }, around)
	stricter := func(c *Config) { config(c); c.Version = 3; c.Breaker.Calls = 5; c.Breaker.Open = time.Millisecond }
	for name, e := range map[string]*Endpoint{"the same": e, "another module": bind(t, srv.URL, config, around), "another version": newer} {
		out := e.Do(t.Context(), post("/"), "key-1", false)
		if failureCode(out) != abi.FailureBusy || out.State != refused {
			t.Errorf("%s: %+v", name, out)
		}
		// What may have been done before is not undone by not asking.
		if out := e.Do(t.Context(), post("/"), "key-1", true); out.State != open || out.Answer != nil {
			t.Errorf("%s, again: %+v", name, out)
		}
	}
	if requests.Load() != sent {
		t.Errorf("%d requests were sent through an open breaker", requests.Load()-sent)
	}
	if n := gauge(t, registry, "railhead_egress_held_back_total"); n != 6 {
		t.Errorf("%v requests were held back, want 6", n)
	}
	// Others are not concerned.
	for name, change := range map[string]func(*Config){
		"another tenant":    func(c *Config) { c.Tenant = "bluebank" },
		"another connector": func(c *Config) { c.Connector = "fineract" },
		"another endpoint":  func(c *Config) { c.Name = "query" },
	} {
		if out := bind(t, srv.URL, change, around).Do(t.Context(), post("/"), "", false); out.State != open {
			t.Errorf("%s: %+v", name, out)
		}
	}

	// Other limits do not make the peer well either, but it may be tried sooner.
	e = bind(t, srv.URL, stricter, around)
	e.Do(t.Context(), post("/"), "", false)
	ill.Store(false)
	eventually(t, "the trial", func() bool { return e.Do(t.Context(), post("/"), "", false).State == done })
	if out := e.Do(t.Context(), post("/"), "", false); out.State != done {
		t.Errorf("after the trials: %+v", out)
	}
}

// TestBreakerCountsThePeersFaultsOnly: what the tenant's policy refuses, what the
// peer refuses in good order and what is given up here says nothing about its health.
func TestBreakerCountsThePeersFaultsOnly(t *testing.T) {
	hold := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-hold
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
	}))
	defer srv.Close()
	defer close(hold)
	around := Surroundings{Gates: NewGates(nil)}
	e := bind(t, srv.URL, func(c *Config) { c.Breaker = Breaker{Calls: 1, Within: time.Hour, Open: time.Hour} }, around)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		e.Do(ctx, post("/slow"), "", false)
		if out := e.Do(t.Context(), post("/{{secret:x}}"), "", false); failureCode(out) != abi.FailureInvalid {
			t.Errorf("%+v", out)
		}
		if out := e.Do(t.Context(), post("/"), "", false); out.State != refused || out.Answer.GetHttp().GetStatus() != 422 {
			t.Errorf("%+v", out)
		}
	}
}

// TestRoom: of more requests than the endpoint has room for, the others wait, and
// those that waited too long were certainly not sent.
func TestRoom(t *testing.T) {
	var inside, most atomic.Int32
	hold := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := inside.Add(1)
		defer inside.Add(-1)
		for {
			seen := most.Load()
			if n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		<-hold
	}))
	defer srv.Close()
	registry := prometheus.NewRegistry()
	around := Surroundings{Gates: NewGates(registry)}
	config := func(c *Config) { c.Connections = 3; c.Timeout = time.Minute; c.Breaker.Off = true }
	endpoints := []*Endpoint{bind(t, srv.URL, config, around), bind(t, srv.URL, config, around)}
	var calls sync.WaitGroup
	for i := range 10 {
		calls.Go(func() {
			if out := endpoints[i%2].Do(t.Context(), post("/"), "", false); out.State != done {
				t.Errorf("%+v", out)
			}
		})
	}
	eventually(t, "the third request", func() bool { return inside.Load() == 3 })
	if n := gauge(t, registry, "railhead_egress_in_flight"); n != 3 {
		t.Errorf("%v are in flight, want 3", n)
	}
	impatient := bind(t, srv.URL, func(c *Config) { config(c); c.WaitMax = time.Millisecond }, around)
	if out := impatient.Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureBusy || out.State != refused {
		t.Errorf("one that does not wait: %+v", out)
	}
	close(hold)
	calls.Wait()
	if most.Load() != 3 {
		t.Errorf("%d requests were under way at once, want 3", most.Load())
	}
	if n := gauge(t, registry, "railhead_egress_in_flight"); n != 0 {
		t.Errorf("%v are in flight in the end", n)
	}
}

// TestRateIsShared: two bindings of an endpoint have one rate.
func TestRateIsShared(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	around := Surroundings{Gates: NewGates(nil)}
	config := func(c *Config) { c.RatePerSecond = 0.001; c.WaitMax = time.Millisecond }
	if out := bind(t, srv.URL, config, around).Do(t.Context(), post("/"), "", false); out.State != done {
		t.Errorf("the first: %+v", out)
	}
	if out := bind(t, srv.URL, config, around).Do(t.Context(), post("/"), "", false); failureCode(out) != abi.FailureBusy {
		t.Errorf("the second: %+v", out)
	}
}

// TestModes: how often a request that gets no answer is sent. Whether it may be sent
// again is the endpoint's mode to say, and nothing else's.
func TestModes(t *testing.T) {
	for mode, times := range map[enginev1.Mode]int32{
		enginev1.Mode_MODE_SAFE: 4, enginev1.Mode_MODE_KEYED: 4, enginev1.Mode_MODE_ASK: 1, enginev1.Mode_MODE_NEVER: 1,
	} {
		for name, answer := range map[string]string{"nothing": "", "half of it": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "an error": "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"} {
			var keys sync.Map
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				keys.Store(r.Header.Get("Idempotency-Key"), true)
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}))
			e := bind(t, srv.URL, func(c *Config) { c.Mode = mode; c.Retries = 3 }, Surroundings{})
			out := e.Do(t.Context(), post("/"), "key-1", false)
			if out.State != open || requests.Load() != times {
				t.Errorf("%v, %s: %+v after %d requests, want %d", mode, name, out, requests.Load(), times)
			}
			keys.Range(func(key, _ any) bool {
				if key != "key-1" {
					t.Errorf("%v: sent under %q", mode, key)
				}
				return true
			})
			srv.Close()
		}
	}
}

// TestWhatNeverLeftIsSentAgain: a connection that cannot be made is tried again in
// every mode, for nothing was sent.
func TestWhatNeverLeftIsSentAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	up := make(chan struct{})
	go func() {
		defer close(up)
		again, err := net.Listen("tcp", address)
		if err != nil {
			return
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
		t.Cleanup(func() { _ = srv.Close() })
		go func() { _ = srv.Serve(again) }()
	}()
	e := bind(t, "http://"+address, func(c *Config) { c.Mode = enginev1.Mode_MODE_NEVER; c.Retries = 5 }, Surroundings{})
	out := e.Do(t.Context(), post("/"), "", false)
	<-up
	if out.State != done {
		t.Errorf("%+v", out)
	}
}

// TestGatesForgetTheUnused: a tenant that keeps binding other hosts does not fill the
// memory.
func TestGatesForgetTheUnused(t *testing.T) {
	g := NewGates(nil)
	want := limits{breaker: Breaker{}.withDefaults(), inFlight: 1}
	busy, _ := g.of(gateKey{endpoint: "busy"}, 1, want)
	busy.inFlight.Add(1)
	for i := range 3000 {
		one, _ := g.of(gateKey{endpoint: "e", peer: strings.Repeat("x", i)}, 1, want)
		one.used.Store(0)
		busy.used.Store(0)
	}
	if len(g.gates) > 1100 || g.gates[gateKey{endpoint: "busy"}] != busy {
		t.Errorf("%d gates", len(g.gates))
	}
}

func TestBadLimits(t *testing.T) {
	for name, b := range map[string]Breaker{
		"share": {Share: 1.1}, "negative": {Calls: -1}, "trials": {Trials: 101}, "within": {Within: 2 * time.Hour}, "open": {Open: -1},
	} {
		if _, err := New(Config{URL: "https://b.example", Breaker: b}, Surroundings{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
