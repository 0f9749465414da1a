package ingress

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// memory is a log over the engine in memory whose proposals can be made to fail.
type memory struct {
	mu     sync.Mutex
	engine *engine.Engine
	tx     *enginetest.MemTx
	index  uint64
	fail   error
	ended  chan struct{}
	told   func(*enginev1.Event)
	asked  atomic.Int64 // by CatchUp
}

func (m *memory) Propose(_ context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.index++
	res := m.engine.Apply(m.tx, engine.Stamp{Index: m.index, TimeMS: int64(m.index)}, cmd)
	for _, ev := range res.Keep().Events {
		if m.told != nil {
			m.told(ev)
		}
	}
	return res.Reply, nil
}

func (m *memory) View(read func(engine.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return read(m.tx)
}

func (m *memory) CatchUp(context.Context) error {
	m.asked.Add(1)
	return m.fail
}

func (m *memory) Await(uint64) (<-chan struct{}, func()) { return m.ended, func() {} }

// paymentUUID is of a payment of newHandler's cluster that never ends.
var paymentUUID = func() string {
	meta := &enginev1.Meta{Cluster: 1, Incarnation: 1, Secret: make([]byte, 32)}
	return engine.PaymentUUID(meta, 1<<53|1<<43|1)
}()

// steps is a connector that is a function of the request.
type steps func(*sdkv1.StepRequest) (*sdkv1.StepReply, error)

func (steps) Manifest() *sdkv1.Manifest {
	return &sdkv1.Manifest{Name: "ch", Version: "1.0.0", Keys: []string{"mac"}, Routes: []*sdkv1.Route{{Name: "r", Method: "POST", Path: "/r", TenantHeader: "T"}}}
}
func (steps) Close(context.Context) error { return nil }
func (s steps) Step(_ context.Context, _ string, r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	return s(r)
}

func newHandler(t testing.TB, step steps, change func(*Config)) (*Handler, *memory) {
	t.Helper()
	registry, log := newRegistry(t, step, keys.Surroundings{}, `{"connectors":{"ch":{"auth":{"kind":"none"}}}}`)
	c := Config{Log: log, Connectors: registry, Now: func() int64 { return 1 }, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	return New(c), log
}

func newHandlerOfKeys(t testing.TB, step steps, around keys.Surroundings, tenant string) (*Handler, *memory) {
	t.Helper()
	registry, log := newRegistry(t, step, around, tenant)
	return New(Config{Log: log, Connectors: registry, Now: func() int64 { return 1 }, Logger: slog.New(slog.DiscardHandler)}), log
}

func newRegistry(t testing.TB, step steps, around keys.Surroundings, tenant string) (*connector.Registry, *memory) {
	t.Helper()
	log := &memory{engine: engine.New(), tx: enginetest.NewMemTx(), ended: make(chan struct{})}
	registry, err := connector.Open(connector.Config{
		Dir: t.TempDir(), View: log.View, Logger: slog.New(slog.DiscardHandler), Keys: around,
		Load: func(context.Context, []byte) (connector.Stepper, error) { return step, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	row, err := registry.Install(t.Context(), []byte("m"), sha256.Sum256([]byte("m")), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: make([]byte, 32)}}},
		{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{
			Id: "green", Config: []byte(tenant)}}}},
		{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: row}}},
		{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
			Tenant: "green", Connector: "ch", Digest: row.Digest}}},
	} {
		if reply, err := log.Propose(t.Context(), cmd); err != nil || reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply, err)
		}
	}
	registry.Refresh()
	return registry, log
}

func post(h http.Handler) (*httptest.ResponseRecorder, problem) {
	r := httptest.NewRequest("POST", "/r", nil)
	r.Header.Set("T", "green")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var p problem
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return w, p
}

func effect(kind *sdkv1.Effect) (*sdkv1.StepReply, error) {
	return &sdkv1.StepReply{Effects: []*sdkv1.Effect{kind}}, nil
}

func reply(r *sdkv1.Reply) (*sdkv1.StepReply, error) {
	return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Reply{Reply: r}}}, nil
}

func TestWhatBecameOfTheCommandIsSaid(t *testing.T) {
	publish := func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		if len(r.History) == 0 {
			return effect(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "m"}}})
		}
		return reply(&sdkv1.Reply{Status: 202})
	}
	for _, c := range []struct {
		fail   error
		status int
		code   string
	}{
		{nil, 202, ""},
		{replica.ErrNotLeader, 503, "UNAVAILABLE"},
		{replica.ErrOverloaded, 503, "OVERLOADED"},
		{fmt.Errorf("%w: the link broke", replica.ErrUnknown), 503, "UNKNOWN_RESULT"},
		{replica.ErrTooLarge, 413, "TOO_LARGE"},
		{errors.New("something else"), 500, "CONNECTOR_FAILED"},
	} {
		h, log := newHandler(t, publish, nil)
		log.fail = c.fail
		w, p := post(h)
		if w.Code != c.status || p.Code != c.code || (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: %d %s", c.fail, w.Code, w.Body)
		}
	}
}

func TestTooManyRequestsAtOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h, _ := newHandler(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		entered <- struct{}{}
		<-release
		return reply(&sdkv1.Reply{Status: 200})
	}, func(c *Config) { c.Concurrent = 1 })
	first := make(chan int)
	go func() { w, _ := post(h); first <- w.Code }()
	<-entered
	if w, p := post(h); w.Code != 503 || p.Code != "OVERLOADED" {
		t.Errorf("%d %s", w.Code, p.Code)
	}
	close(release)
	if code := <-first; code != 200 {
		t.Errorf("the first got %d", code)
	}
}

// TestASlowBodyIsNotWaitedFor: whoever sends a body byte by byte holds one of the
// places for others no longer than a request may take.
func TestASlowBodyIsNotWaitedFor(t *testing.T) {
	h, _ := newHandler(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		return reply(&sdkv1.Reply{Status: 200})
	}, func(c *Config) { c.Concurrent, c.Timeout = 1, 50*time.Millisecond })
	srv := httptest.NewServer(h)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /r HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 9\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var p problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != 408 || p.Code != "TIMEOUT" {
		t.Errorf("%d %s, %v", resp.StatusCode, p.Code, err)
	}
	if w, _ := post(h); w.Code != 200 {
		t.Errorf("the next got %d", w.Code)
	}
}

// TestSlowBodiesKeepNobodyOut: requests whose bodies are still on their way take no
// place from those that are there, and all bodies together have a bound.
func TestSlowBodiesKeepNobodyOut(t *testing.T) {
	h, _ := newHandler(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		return reply(&sdkv1.Reply{Status: 200})
	}, func(c *Config) { c.Concurrent, c.BodiesMax = 1, 100 })
	srv := httptest.NewServer(h)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /r HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 90\r\n\r\n"+strings.Repeat("a", 80)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); h.intake.bytes.Load() != 80; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the slow body is not being read")
		}
	}
	if w, p := post(h); w.Code != 200 {
		t.Errorf("beside a slow body: %d %s", w.Code, p.Code)
	}
	send := func(h *Handler) int {
		r := httptest.NewRequest("POST", "/r", strings.NewReader(strings.Repeat("b", 30)))
		r.Header.Set("T", "green")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	if code := send(h); code != 503 {
		t.Errorf("a second body beside it: %d", code)
	}
	if _, err := io.WriteString(conn, strings.Repeat("a", 10)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for end := time.Now().Add(20 * time.Second); h.intake.bytes.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are held for nobody", h.intake.bytes.Load())
		}
	}
	if code := send(h); resp.StatusCode != 200 || code != 200 || h.serving.Load() != 0 || h.intake.reading.Load() != 0 {
		t.Errorf("in the end: %d %d, %d served, %d read", resp.StatusCode, code, h.serving.Load(), h.intake.reading.Load())
	}
	small := New(h.Config)
	small.BodiesMax = 20
	if code := send(small); code != 503 || small.intake.bytes.Load() != 0 {
		t.Errorf("a body for which there is no room: %d, %d bytes are held", code, small.intake.bytes.Load())
	}
}

func TestRepliesCannotBreakOut(t *testing.T) {
	h, _ := newHandler(t, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		return reply(&sdkv1.Reply{Status: 200, Body: []byte("ok"), Headers: []*sdkv1.Header{
			{Key: "content-type", Value: "text/plain"}, {Key: "x-a", Value: "1\r\nx-b: 2"},
			{Key: "transfer-encoding", Value: "chunked"}, {Key: "content-length", Value: "9"},
		}})
	}, nil)
	w, _ := post(h)
	if w.Header().Get("X-A") != "" || w.Header().Get("Transfer-Encoding") != "" || w.Header().Get("Content-Length") != "2" ||
		w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("%v", w.Header())
	}
}

func TestGuestsThatMisbehave(t *testing.T) {
	for name, step := range map[string]steps{
		"an error":      func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) { return nil, errors.New("trap") },
		"its own error": func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) { return &sdkv1.StepReply{Error: "x"}, nil },
		"nothing":       func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) { return &sdkv1.StepReply{}, nil },
		"a job's outcome": func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
			return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{}}, nil
		},
		"a status of none": func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) { return reply(&sdkv1.Reply{Status: 7}) },
		"no end": func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
			return effect(&sdkv1.Effect{Ordinal: uint32(len(r.History) + 1), Kind: &sdkv1.Effect_Query{Query: &sdkv1.Query{}}})
		},
	} {
		h, _ := newHandler(t, step, nil)
		if w, p := post(h); w.Code != 500 || p.Code != "CONNECTOR_FAILED" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestForbiddenEffectsFail(t *testing.T) {
	for _, kind := range []*sdkv1.Effect{
		{Ordinal: 1, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1}}},
		{Ordinal: 1, Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{}}},
		{Ordinal: 1, Kind: &sdkv1.Effect_Forward{Forward: &sdkv1.Forward{}}},
	} {
		h, _ := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
			if len(r.History) == 0 {
				return effect(kind)
			}
			return reply(&sdkv1.Reply{Status: 200, Body: []byte(r.History[0].Answer.GetFailure().GetCode())})
		}, nil)
		if w, _ := post(h); w.Body.String() != "UNSUPPORTED" {
			t.Errorf("%v: %s", kind, w.Body)
		}
	}
}

func TestAwaitIsBounded(t *testing.T) {
	h, _ := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		if len(r.History) == 0 {
			return effect(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_AwaitResult{
				AwaitResult: &sdkv1.AwaitResult{Payment: paymentUUID, TimeoutMs: 3600_000}}})
		}
		return reply(&sdkv1.Reply{Status: 200, Body: fmt.Append(nil, r.History[0].Answer.GetQuery().GetPending())})
	}, func(c *Config) { c.AwaitMax = 10 * time.Millisecond })
	if w, _ := post(h); w.Body.String() != "true" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHeadersOfOneNameAreOneList(t *testing.T) {
	h, _ := newHandler(t, func(r *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		seen := ""
		for _, header := range r.Trigger.GetHttp().Headers {
			if header.Key == "x-correlationid" {
				seen += "[" + header.Value + "]"
			}
		}
		return reply(&sdkv1.Reply{Status: 200, Body: []byte(seen)})
	}, nil)
	r := httptest.NewRequest("POST", "/r", nil)
	r.Header.Set("T", "green")
	r.Header.Add("X-CorrelationID", "a")
	r.Header.Add("X-CorrelationID", "b")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != "[a, b]" {
		t.Errorf("the connector sees %s", got)
	}
}
