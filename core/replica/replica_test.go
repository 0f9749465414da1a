package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// tally is a small machine: Count adds one, Emit starts a payment that lives for
// its JSON's first byte of Counts, and everything makes an event. It is enough
// to see order, loss and repetition.
type tally struct{}

func (tally) Apply(tx engine.Tx, stamp engine.Stamp, cmd *enginev1.Command) engine.Result {
	key := engine.Key{Table: engine.TableMeta}
	meta := new(enginev1.Meta)
	if row, found := tx.Get(key); found {
		*meta = *row.(*enginev1.Meta)
	}
	ev := &enginev1.Event{Index: stamp.Index, N: stamp.N, TimeMs: stamp.TimeMS}
	res := engine.Result{Reply: ev, Events: []*enginev1.Event{ev}}
	switch v := cmd.Verb.(type) {
	case *enginev1.Command_LeaderStarted:
		meta.Epoch, meta.Leader = v.LeaderStarted.Epoch, v.LeaderStarted.Node
		ev.Kind = enginev1.EventKind_EVENT_KIND_LEADER_STARTED
	case *enginev1.Command_Count:
		meta.Counted++
		ev.Kind, ev.Payment, ev.Request = enginev1.EventKind_EVENT_KIND_COUNTED, meta.Counted, v.Count.Padding
		tx.Put(engine.Key{Table: engine.TableJob, A: meta.Counted}, &enginev1.Job{Payment: meta.Counted, Type: "count"})
		tx.Put(engine.Key{Table: engine.TableStartID, A: meta.Counted}, &enginev1.StartID{HashHigh: meta.Counted, HashLow: 1})
		tx.Delete(engine.Key{Table: engine.TableJob, A: meta.Counted - 100})
		res.Hints = []engine.Hint{{Kind: engine.HintJob, Payment: meta.Counted}}
	case *enginev1.Command_CancelPayment:
		ev.Kind, ev.Payment = enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, v.CancelPayment.Payment
		tx.Put(engine.Key{Table: engine.TableReceipt, A: ev.Payment}, &enginev1.Receipt{Payment: ev.Payment})
	case *enginev1.Command_Exported:
		meta.ExportedIndex, meta.ExportedN = v.Exported.Index, v.Exported.N
		res.Events = nil
	}
	tx.Put(key, meta)
	return res
}

func count(padding ...byte) *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_Count{Count: &enginev1.Count{Padding: padding}}}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testConfig(t testing.TB, dir string) Config {
	t.Helper()
	return Config{
		ID: "a", Dir: dir, Bind: "127.0.0.1:0", Machine: tally{}, Logger: quiet(),
		CheckpointEvery: time.Hour, MapBytes: 1 << 24, ElectionTimeout: 50 * time.Millisecond,
	}
}

func open(t testing.TB, cfg Config) *Replica {
	t.Helper()
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// eventually polls until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func leads(t testing.TB, r *Replica) {
	t.Helper()
	eventually(t, func() error {
		if !r.IsLeader() {
			return errors.New("the replica does not lead")
		}
		return nil
	})
}

func propose(t testing.TB, r *Replica, cmd *enginev1.Command) *enginev1.Event {
	t.Helper()
	reply, err := r.Propose(context.Background(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func status(t testing.TB, r *Replica) Status {
	t.Helper()
	st, err := r.Status()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func meta(t testing.TB, r *Replica) *enginev1.Meta {
	t.Helper()
	got := new(enginev1.Meta)
	if err := r.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
			got = row.(*enginev1.Meta)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// checkHash compares the incremental hash with one computed from all rows.
func checkHash(t testing.TB, r *Replica) {
	t.Helper()
	var want uint64
	r.store.mu.Lock()
	x := tx{store: r.store}
	want = hashOf(&x)
	x.end()
	got := make(chan uint64, 1)
	r.store.rehash(func(h uint64) { got <- h })
	r.store.mu.Unlock()
	if h := <-got; h != want {
		t.Fatalf("the state hash is %x, the rows hash to %x", h, want)
	}
}

func events(t testing.TB, r *Replica) []string {
	t.Helper()
	reader := r.Outbox().Reader(outbox.Cursor{})
	defer reader.Close()
	var all []string
	for {
		rec, ok, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		var ev enginev1.Event
		if err := ev.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d-%d %s %d", rec.Index, rec.N, ev.Kind, ev.Payment))
	}
}

func TestProposeAppliesAndReplies(t *testing.T) {
	r := open(t, testConfig(t, t.TempDir()))
	leads(t, r)
	if lead := <-r.LeaderCh(); !lead {
		t.Fatal("the first change of leadership is a loss")
	}
	for n := uint64(1); n <= 10; n++ {
		if reply := propose(t, r, count()); reply.Payment != n {
			t.Fatalf("command %d counted %d", n, reply.Payment)
		}
	}
	if m := meta(t, r); m.Counted != 10 || m.Epoch != r.Epoch() || m.Leader != "a" {
		t.Fatalf("the state is %v, the epoch %d", m, r.Epoch())
	}
	checkHash(t, r)
}

func TestRepliesComeInLogOrder(t *testing.T) {
	r := open(t, testConfig(t, t.TempDir()))
	leads(t, r)
	const callers, each = 16, 500
	var mu sync.Mutex
	var order []uint64
	var done sync.WaitGroup
	done.Add(callers * each)
	for range callers {
		go func() {
			for range each {
				if err := r.Enqueue(count(), func(reply *enginev1.Event, err error) {
					mu.Lock()
					defer mu.Unlock()
					defer done.Done()
					if err != nil {
						t.Error(err)
						return
					}
					order = append(order, reply.Payment)
				}); err != nil {
					t.Error(err)
					done.Done()
				}
			}
		}()
	}
	done.Wait()
	for i, n := range order {
		if n != uint64(i+1) {
			t.Fatalf("reply %d is for command %d", i+1, n)
		}
	}
	if len(order) != callers*each {
		t.Fatalf("%d replies of %d", len(order), callers*each)
	}
}

func TestEntryBytesAreCanonical(t *testing.T) {
	commands := []*enginev1.Command{count(), count(1, 2, 3), {Verb: &enginev1.Command_Exported{Exported: &enginev1.Exported{Index: 300}}}}
	var batch []proposal
	for _, c := range commands {
		b, err := c.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, proposal{bytes: b})
	}
	for _, now := range []int64{0, 1, 1_790_000_000_000} {
		want, err := (&enginev1.Entry{TimeMs: now, Commands: commands}).MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		if got := pack(now, batch); !slices.Equal(got, want) {
			t.Fatalf("packed %x, encoded %x", got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.CommandBytes, cfg.DeltaMaxBytes = 1000, 4000
	r := open(t, cfg)
	if _, err := r.Propose(context.Background(), count()); err != nil && !errors.Is(err, ErrNotLeader) {
		t.Fatalf("before the election: %v", err)
	}
	leads(t, r)
	if _, err := r.Propose(context.Background(), count(make([]byte, 2000)...)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a command of 2000 bytes: %v", err)
	}
	var err error
	for range 100 {
		if _, err = r.Propose(context.Background(), count(make([]byte, 500)...)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrOverloaded) {
		t.Fatalf("without checkpoints: %v", err)
	}
	if err := r.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	propose(t, r, count())
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Propose(context.Background(), count()); !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUnknown) {
		t.Fatalf("after closing: %v", err)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no id":         func(c *Config) { c.ID = "" },
		"no dir":        func(c *Config) { c.Dir = "" },
		"no address":    func(c *Config) { c.Bind = "" },
		"no machine":    func(c *Config) { c.Machine = nil },
		"foreign peers": func(c *Config) { c.Peers = map[string]string{"b": "127.0.0.1:1"} },
		"big cluster":   func(c *Config) { c.Cluster = 1024 },
	} {
		cfg := testConfig(t, t.TempDir())
		spoil(&cfg)
		if r, err := Open(cfg); err == nil {
			r.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAwait(t *testing.T) {
	r := open(t, testConfig(t, t.TempDir()))
	leads(t, r)
	end := func(payment uint64) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{Payment: payment}}}
	}
	ended, cancel := r.Await(7)
	defer cancel()
	other, cancelOther := r.Await(8)
	select {
	case <-ended:
		t.Fatal("the payment has not ended yet")
	default:
	}
	propose(t, r, end(7))
	<-ended
	past, cancelPast := r.Await(7)
	defer cancelPast()
	<-past
	cancelOther()
	propose(t, r, end(8))
	select {
	case <-other:
		t.Fatal("told after cancelling")
	default:
	}
	if n := r.applier.ended.waiting.Load(); n != 0 {
		t.Fatalf("%d still wait", n)
	}
}

func TestSkewed(t *testing.T) {
	s := time.Second
	for _, c := range []struct {
		voters int
		ahead  []time.Duration
		wrong  bool
	}{
		{1, nil, false},
		{3, []time.Duration{0, 0}, false},
		{3, []time.Duration{3 * s, 0}, false},    // one of three
		{3, []time.Duration{3 * s, 3 * s}, true}, // both others
		{3, []time.Duration{-3 * s, -4 * s}, true},
		{3, []time.Duration{3 * s, -3 * s}, false}, // they disagree: ours is the median
		{3, []time.Duration{3 * s}, false},         // one is away
		{5, []time.Duration{3 * s, 3 * s}, false},
		{5, []time.Duration{3 * s, 3 * s, 3 * s}, true},
		{3, []time.Duration{2 * s, 2 * s}, false}, // at the limit
	} {
		if _, wrong := skewed(c.voters, c.ahead, 2*s); wrong != c.wrong {
			t.Errorf("%d voters, %v ahead: wrong is %v", c.voters, c.ahead, wrong)
		}
	}
}

func TestDifferingStatesAreNoticed(t *testing.T) {
	ours := []Point{{256, 1}, {512, 2}, {768, 3}}
	if p, differ := differing(ours, []Point{{512, 2}, {768, 4}, {1024, 5}}); !differ || p.Index != 768 {
		t.Fatalf("%v, %v", p, differ)
	}
	if _, differ := differing(ours, []Point{{512, 2}, {1024, 5}}); differ {
		t.Fatal("equal states differ")
	}
	want := about{clockMS: -5, index: 7, points: ours}
	got, err := decodeAbout(bytes.NewReader(want.encode()))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, %v", got, err)
	}
	lie := want.encode()
	lie[16] = 0xff
	if _, err := decodeAbout(bytes.NewReader(lie)); !errors.Is(err, errAnswer) {
		t.Fatalf("an endless answer: %v", err)
	}
}

func TestAfterClose(t *testing.T) {
	r := open(t, testConfig(t, t.TempDir()))
	leads(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.View(func(engine.Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatalf("View: %v", err)
	}
	if err := r.Barrier(context.Background()); err == nil {
		t.Fatal("Barrier: no error")
	}
	if st, err := r.Status(); err == nil && st.Role != "shutdown" {
		t.Fatalf("Status: %v", st)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	cfg := testConfig(t, t.TempDir())
	cfg.Metrics = registry
	for range 2 { // the names are free again once the replica is closed
		r := open(t, cfg)
		leads(t, r)
		propose(t, r, count())
		if err := r.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil || len(families) < 10 {
			t.Fatalf("%d families of metrics (%v)", len(families), err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func exportedTo(c outbox.Cursor) *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_Exported{Exported: &enginev1.Exported{Index: c.Index, N: c.N}}}
}
