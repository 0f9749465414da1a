package leader

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// memoryLog is a log of one node in memory: every proposal is applied at once by
// the real engine.
type memoryLog struct {
	mu     sync.Mutex
	engine *engine.Engine
	tx     *enginetest.MemTx
	index  uint64
	timeMS int64
	events []*enginev1.Event
	clock  *Clock
	hints  func([]engine.Hint)
	queue  []func() // enqueued and not applied
	// intercept may answer a proposal in the log's place; apply false keeps it from
	// being applied.
	intercept func(*enginev1.Command) (apply bool, err error)
	// after is called between applying a proposal and telling its reply.
	after func(*enginev1.Command)
	// latest is the epoch that Confirm knows of; 0: the asker's.
	latest uint64
}

func newMemoryLog(clock *Clock) *memoryLog {
	return &memoryLog{engine: engine.New(), tx: enginetest.NewMemTx(), clock: clock}
}

func (l *memoryLog) Propose(_ context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	l.mu.Lock()
	intercept := l.intercept
	l.mu.Unlock()
	var failure error
	if intercept != nil {
		apply, err := intercept(cmd)
		if !apply {
			return nil, err
		}
		failure = err
	}
	l.mu.Lock()
	l.index++
	l.timeMS = max(l.timeMS, l.clock.NowMS())
	res := l.engine.Apply(l.tx, engine.Stamp{Index: l.index, TimeMS: l.timeMS}, cmd)
	l.events = append(l.events, res.Keep().Events...)
	hints := l.hints
	l.mu.Unlock()
	if hints != nil && len(res.Hints) > 0 {
		hints(res.Hints)
	}
	if l.after != nil {
		l.after(cmd)
	}
	if failure != nil {
		return nil, failure
	}
	return res.Reply, nil
}

// Enqueue applies commands one after the other, in a goroutine that lasts as long
// as there are any.
func (l *memoryLog) Enqueue(cmd *enginev1.Command, reply func(*enginev1.Event, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, func() { reply(l.Propose(context.Background(), cmd)) })
	if len(l.queue) == 1 {
		go l.drain()
	}
	return nil
}

func (l *memoryLog) drain() {
	for {
		l.mu.Lock()
		queue := l.queue
		l.mu.Unlock()
		for _, apply := range queue {
			apply()
		}
		l.mu.Lock()
		l.queue = l.queue[len(queue):]
		rest := len(l.queue)
		l.mu.Unlock()
		if rest == 0 {
			return
		}
	}
}

func (l *memoryLog) View(read func(engine.Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return read(l.tx)
}

func (l *memoryLog) Confirm(_ context.Context, epoch uint64, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest > epoch {
		return replica.ErrNotLeader
	}
	return nil
}

func (l *memoryLog) onHints(f func([]engine.Hint)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints = f
}

func (l *memoryLog) onPropose(f func(*enginev1.Command) (bool, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intercept = f
}

// told returns the events of a kind so far.
func (l *memoryLog) told(kind enginev1.EventKind) []*enginev1.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*enginev1.Event
	for _, e := range l.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// guest runs a connector's function natively, by the replay rules of sdk/abi.
type guest struct {
	request *sdkv1.StepRequest
	next    int
	nowMS   int64
}

type unwound struct{ reply *sdkv1.StepReply }

func (g *guest) do(kind *sdkv1.Effect) *sdkv1.Answer {
	kind.Ordinal = uint32(g.next) + 1
	if len(g.request.State) > 0 {
		kind.Ordinal = g.request.History[0].Ordinal + uint32(g.next)
	}
	if g.next == len(g.request.History) {
		panic(unwound{&sdkv1.StepReply{Effects: []*sdkv1.Effect{kind}}})
	}
	entry := g.request.History[g.next]
	if entry.Digest != abi.EffectDigest(kind) || entry.Ordinal != kind.Ordinal {
		panic(unwound{&sdkv1.StepReply{Mismatch: &sdkv1.Mismatch{Ordinal: kind.Ordinal, Effect: kind}}})
	}
	g.next++
	g.nowMS = entry.TimeMs
	return entry.Answer
}

func (g *guest) http(endpoint, path, key string) *sdkv1.Answer {
	call := &sdkv1.Http{Endpoint: endpoint, Method: "POST", Path: path, Key: key,
		// A time in the request makes every step depend on the history's times.
		Body: fmt.Appendf(nil, `{"at":%d}`, g.nowMS)}
	if key != "" {
		call.Terms = &sdkv1.Terms{Amount: "100.00", Currency: "USD"}
	}
	return g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: call}})
}

func (g *guest) job() *sdkv1.Job { return g.request.Trigger.GetJob() }

func complete(pairs ...string) *sdkv1.Outcome {
	var vars []*sdkv1.Variable
	for i := 0; i < len(pairs); i += 2 {
		vars = append(vars, &sdkv1.Variable{Name: pairs[i], Json: []byte(pairs[i+1])})
	}
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{Variables: vars}}}
}

// native is a connector compiled into the test.
type native struct {
	manifest *sdkv1.Manifest
	run      func(*guest) *sdkv1.Outcome
}

func (n *native) Manifest() *sdkv1.Manifest   { return n.manifest }
func (n *native) Close(context.Context) error { return nil }

func (n *native) Step(_ context.Context, _ string, request *sdkv1.StepRequest) (reply *sdkv1.StepReply, err error) {
	// The request crosses the border as bytes, as it does to a guest.
	copied := new(sdkv1.StepRequest)
	if err := copied.UnmarshalVT(encode(request)); err != nil {
		return nil, err
	}
	g := &guest{request: copied, nowMS: copied.Trigger.TimeMs}
	if len(copied.State) > 0 {
		g.next, g.nowMS = 1, copied.History[0].TimeMs
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case unwound:
			reply = p.reply
		case error:
			err = p
		default:
			panic(p)
		}
	}()
	return &sdkv1.StepReply{Outcome: n.run(g)}, nil
}

// cluster is one node's worth of core without a network.
type cluster struct {
	t        testing.TB
	log      *memoryLog
	clock    *Clock
	registry *connector.Registry
	epoch    uint64
	stop     func()
	done     chan struct{}
	leader   *Leader
	links    *link.Links // nil: none
}

const oneTask = `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
  <bpmn:process id="pay" isExecutable="true">
    <bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="book"/>
    <bpmn:serviceTask id="book">
      <bpmn:extensionElements><zeebe:taskDefinition type="book-funds-greenbank" retries="3"/></bpmn:extensionElements>
      <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
    </bpmn:serviceTask>
    <bpmn:sequenceFlow id="f2" sourceRef="book" targetRef="done"/>
    <bpmn:endEvent id="done"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>`

// newCluster has a tenant with a one-task flow whose job the function serves, and
// endpoints "ledger" of the mode, and "enquiry" which is safe, at url.
func newCluster(t testing.TB, url, mode string, run func(*guest) *sdkv1.Outcome) *cluster {
	t.Helper()
	return newClusterWith(t, setup{url: url, mode: mode}, run)
}

// setup is what is not the same in every test.
type setup struct {
	url, mode string
	keys      keys.Surroundings
	// JSON of the connector's configuration and of the tenant's, each with a comma.
	more, tokens string
	manifest     func(*sdkv1.Manifest)
	frameMax     uint32 // of the link; 0: 1000
}

func newClusterWith(t testing.TB, s setup, run func(*guest) *sdkv1.Outcome) *cluster {
	t.Helper()
	manifest := &sdkv1.Manifest{
		Name: "bank", Version: "1.0.0", Kind: "ams",
		Jobs:      []*sdkv1.JobType{{Type: "book-funds-{tenant}"}},
		Endpoints: []*sdkv1.Endpoint{{Name: "ledger", Mode: s.mode}, {Name: "enquiry", Mode: "safe"}},
		Keys:      []string{"jws", "mac"},
	}
	if s.manifest != nil {
		s.manifest(manifest)
	}
	c := &cluster{t: t, clock: NewClock()}
	c.log = newMemoryLog(c.clock)
	c.must(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: make([]byte, 32), Version: engine.Version}}})
	var err error
	c.registry, err = connector.Open(connector.Config{
		Dir: t.TempDir(), View: c.log.View, Logger: slog.New(slog.DiscardHandler), Egress: egress.Surroundings{}, Keys: s.keys,
		Load: func(context.Context, []byte) (connector.Stepper, error) {
			return &native{manifest: manifest, run: run}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	row, err := c.registry.Install(t.Context(), []byte("a module"), sha256.Sum256([]byte("a module")), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{%s"connectors":{"bank":{"config":{},%s"endpoints":{
		"ledger":{"url":%q,"allow":["127.0.0.1"],"timeout_ms":10000},
		"enquiry":{"url":%q,"allow":["127.0.0.1"],"timeout_ms":10000}}}}}`, s.tokens, s.more, s.url, s.url)
	c.must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "greenbank", Config: []byte(config)}}}})
	c.must(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: row}}})
	c.must(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "greenbank", Connector: "bank", Digest: row.Digest}}})
	c.must(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
		Tenant: "greenbank", File: "pay.bpmn", Xml: []byte(oneTask),
		Ends: []*enginev1.EndResult{{Element: "done", Result: enginev1.Result_RESULT_COMPLETED, Code: "paid"}}}}})
	t.Cleanup(func() { c.resign() })
	return c
}

func (c *cluster) must(cmd *enginev1.Command) *enginev1.Event {
	c.t.Helper()
	reply, err := c.log.Propose(c.t.Context(), cmd)
	if err != nil || reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		c.t.Fatalf("%v %v", reply, err)
	}
	return reply
}

// elect begins a new term with a leader that knows nothing.
func (c *cluster) elect() {
	c.t.Helper()
	c.epoch++
	c.must(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{Epoch: c.epoch, Node: "n1"}}})
	l := New(Config{Log: c.log, Connectors: c.registry, Clock: c.clock, Logger: slog.New(slog.DiscardHandler), Workers: 8, Links: c.links})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.log.onHints(func(hints []engine.Hint) {
		l.OnHints(hints)
		if c.links != nil {
			c.links.OnHints(hints)
		}
	})
	var links sync.WaitGroup
	if c.links != nil {
		links.Go(func() {
			if err := c.links.Lead(ctx); err != nil {
				c.t.Error(err)
			}
		})
	}
	go func() {
		defer close(done)
		defer links.Wait()
		if err := l.Lead(ctx); err != nil {
			c.t.Error(err)
		}
	}()
	c.leader, c.done = l, done
	c.stop = cancel
}

// resign ends the term and waits until nothing of it is left.
func (c *cluster) resign() {
	if c.stop != nil {
		c.stop()
		<-c.done
		c.stop = nil
	}
}

func (c *cluster) start(key string) uint64 {
	c.t.Helper()
	return c.must(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "greenbank", Flow: "pay", Channel: "test", ClientKey: key, UuidVariable: "transactionId",
	}}}).Payment
}

// until polls a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen in 20 s", what)
		}
	}
}

func (c *cluster) receipt(payment uint64) *enginev1.Receipt {
	c.t.Helper()
	var receipt *enginev1.Receipt
	until(c.t, "the payment's end", func() bool {
		_ = c.log.View(func(tx engine.Tx) error {
			if row, ok := tx.Get(engine.Key{Table: engine.TableReceipt, A: payment}); ok {
				receipt = row.(*enginev1.Receipt)
			}
			return nil
		})
		return receipt != nil
	})
	return receipt
}
