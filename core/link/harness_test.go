package link_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/link/framing"
	"github.com/railhead-hub/railhead/core/secret"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	guest "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// The frames of these tests are texts: "?07 …" asks and "!07 …" answers it.
func init() {
	guest.Serve(guest.Connector{Links: map[string]guest.Link{"network": {
		Key: func(_ *guest.Context, data []byte) string {
			if bytes.HasPrefix(data, []byte("key-panic")) {
				panic("no")
			}
			key, _, _ := strings.Cut(string(data), " ")
			if answer, is := strings.CutPrefix(key, "!"); is {
				return answer
			}
			return ""
		},
		Frame: takeFrame,
	}}})
}

// held is what "hold" waits for, outside of the connector's purity.
var held = make(chan struct{})

func takeFrame(c *guest.Context, f *guest.Frame) [][]byte {
	switch text := string(f.Data); {
	case f.Event == guest.LinkOpened:
		return [][]byte{[]byte("sign on")}
	case f.Event == guest.LinkIdle:
		return [][]byte{[]byte("echo")}
	case strings.HasPrefix(text, "?"):
		n, err := c.Sequence("answers")
		if err != nil {
			panic(err)
		}
		return [][]byte{fmt.Appendf(nil, "!%s first %d", text[1:], n), fmt.Appendf(nil, "!%s second", text[1:])}
	case strings.HasPrefix(text, "!"): // nobody waits for it any more
		return [][]byte{[]byte("late " + text)}
	case strings.HasPrefix(text, "panic"):
		panic("no")
	case strings.HasPrefix(text, "forbidden"):
		_, err := c.RoundTrip(guest.RoundTrip{Link: "network", Data: []byte("x"), MatchKey: "x"})
		return [][]byte{[]byte(err.Error())}
	case strings.HasPrefix(text, "hold"):
		<-held
		return [][]byte{[]byte("held")}
	}
	return nil
}

// native is the connector, outside of a sandbox.
type native struct{ manifest *sdkv1.Manifest }

func (n native) Manifest() *sdkv1.Manifest   { return n.manifest }
func (n native) Close(context.Context) error { return nil }
func (n native) Step(_ context.Context, _ string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	encoded, err := request.MarshalVTStrict()
	if err != nil {
		return nil, err
	}
	reply := new(sdkv1.StepReply)
	return reply, reply.UnmarshalVT(guest.Step(encoded))
}

// hub is a log over the engine in memory, and the links of its leader.
type hub struct {
	t        *testing.T
	registry *connector.Registry
	links    *link.Links

	mu     sync.Mutex
	engine *engine.Engine
	tx     *enginetest.MemTx
	index  uint64
	nowMS  int64
	epoch  uint64
	events []*enginev1.Event
	fail   error

	resign context.CancelFunc
	led    sync.WaitGroup
}

var place = link.Place{Tenant: "green", Connector: "cards", Link: "network"}

const linkFraming = `{"kind":"length","length_bytes":2,"length_encoding":"big"}`

// newHub starts a leader whose tenant has bound the link with these members of its
// configuration.
func newHub(t *testing.T, config string) *hub {
	t.Helper()
	h := &hub{t: t, engine: engine.New(), tx: enginetest.NewMemTx(), nowMS: 1_000_000, resign: func() {}}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	var err error
	h.registry, err = connector.Open(connector.Config{
		Dir: t.TempDir(), View: h.View, Logger: log,
		Egress: egress.Surroundings{Secrets: secret.NewStore(secretsDir(t), log)},
		Load: func(_ context.Context, module []byte) (connector.Stepper, error) {
			return native{&sdkv1.Manifest{
				Name: "cards", Version: "1.0.0", Kind: "scheme", Description: string(module),
				Jobs:  []*sdkv1.JobType{{Type: "reverse"}},
				Links: []*sdkv1.Link{{Name: "network", Mode: "keyed", Outstanding: 2, FrameMax: 8000}},
			}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.must(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: make([]byte, 32), Version: engine.Version}}})
	h.configure(config)
	h.activate("one")
	h.links = link.New(link.Config{Log: h, Connectors: h.registry, Now: func() int64 { return time.Now().UnixMilli() }, Logger: log})
	h.lead()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *hub) configure(config string) {
	text := `{"connectors":{"cards":{"links":{"network":{"framing":` + linkFraming + `,"timeout_ms":300,` + config + `}}}}}`
	if err := connector.CheckTenant("green", []byte(text), h.registry.Egress); err != nil {
		h.t.Fatal(err)
	}
	h.must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "green", Config: []byte(text)},
	}}})
}

func (h *hub) activate(module string) {
	row, err := h.registry.Install(h.t.Context(), []byte(module), sha256.Sum256([]byte(module)), "", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.must(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: row}}})
	h.must(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "green", Connector: "cards", Digest: row.Digest,
	}}})
}

// lead begins a term.
func (h *hub) lead() {
	h.epoch++
	h.must(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{Epoch: h.epoch, Node: "n"}}})
	ctx, cancel := context.WithCancel(context.Background())
	h.resign = cancel
	h.led.Go(func() {
		if err := h.links.Lead(ctx); err != nil {
			h.t.Error(err)
		}
	})
}

// stop ends the term.
func (h *hub) stop() {
	h.resign()
	h.led.Wait()
}

func (h *hub) must(cmd *enginev1.Command) *enginev1.Event {
	h.t.Helper()
	reply, err := h.Propose(h.t.Context(), cmd)
	if err != nil || reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		h.t.Fatal(reply, err)
	}
	return reply
}

func (h *hub) Propose(_ context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	h.mu.Lock()
	if h.fail != nil {
		defer h.mu.Unlock()
		return nil, h.fail
	}
	h.index++
	h.nowMS++
	result := h.engine.Apply(h.tx, engine.Stamp{Index: h.index, TimeMS: h.nowMS}, cmd).Keep()
	h.events = append(h.events, result.Events...)
	h.mu.Unlock()
	if h.links != nil {
		h.links.OnHints(result.Hints)
	}
	return result.Reply, nil
}

func (h *hub) View(read func(engine.Tx) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return read(h.tx)
}

func (h *hub) CatchUp(context.Context) error { return nil }

func (h *hub) Await(uint64) (<-chan struct{}, func()) { return nil, func() {} }

func (h *hub) told(kind enginev1.EventKind) []*enginev1.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*enginev1.Event
	for _, ev := range h.events {
		if ev.Kind == kind {
			out = append(out, ev)
		}
	}
	return out
}

func (h *hub) state() link.State {
	states, _ := h.links.States()
	if len(states) != 1 {
		return link.State{State: "none"}
	}
	return states[0]
}

func (h *hub) roundTrip(ctx context.Context, text string, mode enginev1.Mode) egress.Outcome {
	key, _, _ := strings.Cut(strings.TrimPrefix(text, "?"), " ")
	return h.links.RoundTrip(ctx, place, &sdkv1.RoundTrip{Link: "network", Data: []byte(text), MatchKey: key}, mode, false, leads)
}

func leads(context.Context) error { return nil }

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

// counterparty is the other side of a connection.
type counterparty struct {
	t       *testing.T
	conn    net.Conn
	framing *framing.Framing
	decoder *framing.Decoder
}

func newCounterparty(t *testing.T, conn net.Conn) *counterparty {
	t.Helper()
	f, err := framing.New(&sdkv1.Framing{Kind: "length", LengthBytes: 2, LengthEncoding: "big"}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &counterparty{t: t, conn: conn, framing: f, decoder: f.NewDecoder()}
}

// read is the next frame, or why there is none.
func (c *counterparty) read() (string, error) {
	for {
		data, ok, err := c.decoder.Next()
		if err != nil || ok {
			return string(data), err
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return "", err
		}
		chunk := make([]byte, 100)
		n, err := c.conn.Read(chunk)
		c.decoder.Feed(chunk[:n])
		if n == 0 && err != nil {
			return "", err
		}
	}
}

func (c *counterparty) hears(want ...string) {
	c.t.Helper()
	for _, text := range want {
		if got, err := c.read(); err != nil || got != text {
			c.t.Fatalf("heard %q %v, want %q", got, err, text)
		}
	}
}

func (c *counterparty) says(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		wire, err := c.framing.Append(nil, []byte(text))
		if text == "" {
			wire, err = []byte{0, 0}, nil // a sign of life
		}
		if err == nil {
			_, err = c.conn.Write(wire)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// closed waits until the hub has closed the connection.
func (c *counterparty) closed() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
				c.t.Fatalf("the connection is not closed: %v", err)
			}
			return
		}
	}
}

// station is where a hub connects to.
type station struct {
	t        *testing.T
	listener net.Listener
}

func newStation(t *testing.T) *station {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &station{t, listener}
}

// config is what a tenant writes to reach it.
func (s *station) config() string {
	return fmt.Sprintf(`"connect":%q,"allow":["127.0.0.1"]`, s.listener.Addr())
}

// accept is the next connection, signed on.
func (s *station) accept() *counterparty {
	s.t.Helper()
	c := s.acceptRaw()
	c.hears("sign on")
	return c
}

// acceptRaw is the next connection.
func (s *station) acceptRaw() *counterparty {
	s.t.Helper()
	conn, err := s.listener.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	return newCounterparty(s.t, conn)
}
