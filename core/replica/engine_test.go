package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// clerk runs the real engine on a replica and does the leader's work: it
// completes every job at once, by hints and, after taking over, from the rows.
type clerk struct {
	replica *Replica
	hints   chan engine.Hint
	stop    chan struct{}
	done    sync.WaitGroup
}

func engineConfig(t testing.TB, dir string, c *clerk) Config {
	cfg := testConfig(t, dir)
	cfg.Machine, cfg.Cluster = engine.New(), 1
	c.hints, c.stop = make(chan engine.Hint, 1<<16), make(chan struct{})
	cfg.OnHints = func(hints []engine.Hint) {
		for _, h := range hints {
			if h.Kind == engine.HintJob {
				c.hints <- h
			}
		}
	}
	return cfg
}

// work begins once the replica leads.
func (c *clerk) work(r *Replica) {
	c.replica = r
	var jobs []engine.Hint
	r.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableJob}, func(k engine.Key, _ engine.Row) bool {
			jobs = append(jobs, engine.Hint{Payment: k.A, N: uint32(k.B)})
			return true
		})
		return nil
	})
	c.done.Go(func() {
		for _, h := range jobs {
			c.finish(h)
		}
		for {
			select {
			case h := <-c.hints:
				c.finish(h)
			case <-c.stop:
				return
			}
		}
	})
}

func (c *clerk) finish(h engine.Hint) {
	// A job may be offered twice, by its row and by a hint; the fence refuses the second result.
	c.replica.Enqueue(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin:  &enginev1.Origin{Payment: h.Payment, Job: h.N, Attempt: 1, Epoch: c.replica.Epoch()},
		Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: []*enginev1.Variable{{Name: "done", Json: []byte("true")}}}},
	}}}, func(*enginev1.Event, error) {})
}

func (c *clerk) end() {
	close(c.stop)
	c.done.Wait()
}

func prepareFlow(t testing.TB, r *Replica) {
	t.Helper()
	xml, err := enginetest.Model("one-task", "start s\ntask work type=work\nend paid result=completed code=paid\ns -> work -> paid")
	if err != nil {
		t.Fatal(err)
	}
	actor, digest := &enginev1.Actor{Name: "test"}, bytes.Repeat([]byte{1}, 32)
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}, Actor: actor}}},
		{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
			Connector: &enginev1.Connector{Name: "c", Kind: "ams", Version: "1.0.0", Digest: digest, JobTypes: []string{"work"}}, Actor: actor,
		}}},
		{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{Tenant: "t", Connector: "c", Digest: digest, Actor: actor}}},
		{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "one.bpmn", Xml: []byte(xml), Actor: actor}}},
	} {
		if reply := propose(t, r, cmd); reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatalf("refused: %s: %s", reply.Code, reply.Text)
		}
	}
}

func start(key string) *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "t", Flow: "one-task", Channel: "ch", ClientKey: key, RequestDigest: []byte("digest of the request, 32 bytes.."),
		Variables:    []*enginev1.Variable{{Name: "amount", Json: []byte(`"100.00"`)}, {Name: "currency", Json: []byte(`"USD"`)}},
		UuidVariable: "transactionId",
	}}}
}

// TestPaymentsSurviveRestarts runs payments of the real engine, stops the
// replica in the middle of them again and again, and finds each exactly once.
func TestPaymentsSurviveRestarts(t *testing.T) {
	dir := t.TempDir()
	payments := map[string]uint64{}
	var started []string
	for round := range 6 {
		c := new(clerk)
		cfg := engineConfig(t, dir, c)
		cfg.SegmentBytes = 20_000
		r := open(t, cfg)
		leads(t, r)
		if round == 0 {
			prepareFlow(t, r)
		}
		c.work(r)
		for i := range 40 {
			key := fmt.Sprintf("%d-%d", round, i)
			payments[key] = propose(t, r, start(key)).Payment
			started = append(started, key)
			if i == 20 && round%2 == 0 {
				if err := r.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, key := range started { // the same request again is the same payment
			reply := propose(t, r, start(key))
			if reply.Payment != payments[key] || reply.Kind != enginev1.EventKind_EVENT_KIND_START_REPEATED {
				t.Fatalf("a repeated start gave %s of payment %d, want %d", reply.Kind, reply.Payment, payments[key])
			}
		}
		checkHash(t, r)
		crash(r)
		c.end()
	}
	c := new(clerk)
	r := open(t, engineConfig(t, dir, c))
	leads(t, r)
	c.work(r)
	defer c.end()
	for key, payment := range payments {
		ended, cancel := r.Await(payment)
		<-ended
		cancel()
		_ = key
	}
	checkHash(t, r)
	got := map[uint64]int{}
	seqs := map[uint64][]uint32{}
	for _, rec := range readAfter(t, r, outbox.Cursor{}) {
		var ev enginev1.Event
		if err := ev.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		if ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED {
			got[ev.Payment]++
		}
		if ev.Payment != 0 {
			seqs[ev.Payment] = append(seqs[ev.Payment], ev.Seq)
		}
	}
	for key, payment := range payments {
		if got[payment] != 1 {
			t.Fatalf("payment %s ended %d times", key, got[payment])
		}
		if s := seqs[payment]; !slices.IsSorted(s) || s[0] != 1 || s[len(s)-1] != uint32(len(s)) {
			t.Fatalf("the events of payment %s are numbered %v", key, s)
		}
	}
}

// TestReplicasRunTheEngineAlike runs payments on three nodes, kills the leader
// among them, and compares.
func TestReplicasRunTheEngineAlike(t *testing.T) {
	clerks := map[string]*clerk{}
	c := openTrio(t, func(cfg *Config) {
		clerk := new(clerk)
		clerks[cfg.ID] = clerk
		e := engineConfig(t, cfg.Dir, clerk)
		cfg.Machine, cfg.Cluster, cfg.OnHints = e.Machine, e.Cluster, e.OnHints
	})
	first := c.leader()
	prepareFlow(t, first)
	clerks[first.cfg.ID].work(first)
	var left atomic.Int64
	run := func(from, to int) {
		left.Store(int64(to - from))
		for i := from; i < to; i++ {
			eventually(t, func() error {
				return c.leader().Enqueue(start(fmt.Sprint(i)), func(reply *enginev1.Event, err error) {
					left.Add(-1)
				})
			})
		}
		eventually(t, func() error {
			if n := left.Load(); n > 0 {
				return fmt.Errorf("%d starts are not answered", n)
			}
			return nil
		})
	}
	run(0, 300)
	clerks[first.cfg.ID].end()
	c.stop(first.cfg.ID)
	second := c.leader()
	clerks[second.cfg.ID].work(second)
	defer clerks[second.cfg.ID].end()
	run(0, 400) // those that were lost begin now, the others are repeated
	c.start(first.cfg.ID, nil)
	eventually(t, func() error {
		waiting := errors.New("payments are still running")
		if err := second.View(func(tx engine.Tx) (err error) {
			tx.Ascend(engine.Key{Table: engine.TableInstance}, func(engine.Key, engine.Row) bool {
				err = waiting
				return false
			})
			return err
		}); err != nil {
			return err
		}
		return nil
	})
	c.agree()
	receipts := 0
	second.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableReceipt}, func(engine.Key, engine.Row) bool {
			receipts++
			return true
		})
		return nil
	})
	if receipts != 400 {
		t.Fatalf("%d payments have a receipt, want 400", receipts)
	}
	if _, err := second.Propose(context.Background(), start("0")); err != nil {
		t.Fatal(err)
	}
}
