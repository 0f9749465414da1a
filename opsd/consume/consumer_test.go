package consume_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/consume"
	"github.com/railhead-hub/railhead/opsd/store"
)

const (
	events = "railhead.events.v1"
	audit  = "railhead.audit.v1"
)

// The tests run this binary again as a consumer that can be killed.
func TestMain(m *testing.M) {
	if brokers := os.Getenv("CONSUME_BROKERS"); brokers != "" {
		consumeUntilKilled(brokers, os.Getenv("CONSUME_DB"))
	}
	os.Exit(m.Run())
}

func consumeUntilKilled(brokers, path string) {
	s, err := store.Open(context.Background(), store.Config{Driver: "sqlite", Path: path})
	if err == nil {
		err = newConsumer(strings.Split(brokers, ","), s).Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, "consumer:", err)
	os.Exit(3)
}

func newConsumer(brokers []string, s *store.Store) *consume.Consumer {
	return newConsumerOf(brokers, s, 100)
}

func newConsumerOf(brokers []string, s *store.Store, batchMax int) *consume.Consumer {
	return consume.New(consume.Config{Brokers: brokers, EventsTopic: events, AuditTopic: audit, Group: "railhead-opsd", BatchMax: batchMax},
		s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func broker(t testing.TB, options ...kfake.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, events), kfake.SeedTopics(1, audit)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster, client
}

func openStore(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// run consumes until the test ends or stop is called.
func run(t testing.TB, c *consume.Consumer) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// until polls for something to become true, for a minute at most.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// life is what a cluster exports of some payments, entry by entry.
func life(payments, steps int) []*enginev1.Event {
	var out []*enginev1.Event
	for step := 1; step <= steps; step++ {
		for p := 1; p <= payments; p++ {
			e := &enginev1.Event{
				Cluster: 1, Incarnation: 1, Index: uint64(len(out) + 1), TimeMs: 1_700_000_000_000 + int64(len(out)),
				Tenant: "greenbank", Payment: uint64(p), Seq: uint32(step), Kind: enginev1.EventKind_EVENT_KIND_JOB_CREATED,
			}
			switch step {
			case 1:
				e.Kind, e.Uuid = enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, fmt.Sprintf("uuid-%d", p)
			case steps:
				e.Kind, e.Result = enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, enginev1.Result_RESULT_COMPLETED
			}
			out = append(out, e)
		}
	}
	return out
}

func record(t testing.TB, topic string, e *enginev1.Event) *kgo.Record {
	t.Helper()
	value, err := e.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{
		Topic: topic, Key: fmt.Append(nil, e.Payment), Value: value,
		Headers: []kgo.RecordHeader{{Key: consume.IDHeader, Value: []byte(store.EventID(e).String())}},
	}
}

func produce(t testing.TB, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func export(t testing.TB, client *kgo.Client, lives []*enginev1.Event) {
	t.Helper()
	records := make([]*kgo.Record, len(lives))
	for i, e := range lives {
		records[i] = record(t, events, e)
	}
	produce(t, client, records...)
}

func complete(t testing.TB, s *store.Store, payments, steps int) {
	t.Helper()
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Events != int64(payments*steps) || status.Payments[store.StateEnded] != int64(payments) || status.GapEvents != 0 || status.DeadLetters != 0 {
		t.Errorf("%+v, want %d events of %d ended payments", status, payments*steps, payments)
	}
	for p := 1; p <= payments; p++ {
		timeline, _, err := s.Events(t.Context(), uint64(p), store.Place{}, steps+1)
		if err != nil || len(timeline) != steps {
			t.Fatalf("payment %d has %d events, %v", p, len(timeline), err)
		}
		for i, e := range timeline {
			if e.Seq != uint32(i+1) {
				t.Fatalf("payment %d has event %d at place %d", p, e.Seq, i+1)
			}
		}
	}
}

// A consumer that is killed at any moment goes on without loss or doubles, even
// while a new leader exports a stretch again.
func TestKilledInTheMiddleOfABatch(t *testing.T) {
	const payments, steps, kills = 400, 10, 6
	cluster, client := broker(t)
	lives := life(payments, steps)
	export(t, client, lives[:len(lives)/2])
	export(t, client, lives[len(lives)/4:])
	path := filepath.Join(t.TempDir(), "opsd.db")
	s := openStore(t, path)
	for kill := range kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "CONSUME_BROKERS="+strings.Join(cluster.ListenAddrs(), ","), "CONSUME_DB="+path)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		died := make(chan error, 1)
		go func() { died <- child.Wait() }()
		until(t, "some progress", func() bool {
			select {
			case err := <-died:
				t.Fatalf("the consumer died by itself: %v", err)
			default:
			}
			status, err := s.Status(t.Context())
			return err == nil && status.Events >= int64(payments*steps*(kill+1)/(kills+2))
		})
		_ = child.Process.Kill()
		<-died
	}
	stop := run(t, newConsumer(cluster.ListenAddrs(), s))
	until(t, "everything stored", func() bool {
		status, err := s.Status(t.Context())
		return err == nil && status.Events == payments*steps && status.Payments[store.StateEnded] == payments
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	complete(t, s, payments, steps)
}

func TestPoisonDoesNotStopItsPartition(t *testing.T) {
	cluster, client := broker(t)
	lives := life(2, 3)
	odd := record(t, events, lives[2])
	odd.Headers[0].Value = []byte("1-1-999-0")
	huge := *lives[0]
	huge.Payment = 1 << 63
	produce(t, client, &kgo.Record{Topic: events, Key: []byte("1"), Value: []byte("\xff\xff not an event")},
		&kgo.Record{Topic: audit, Key: []byte("greenbank")}, record(t, events, &huge), odd)
	export(t, client, lives)
	s := openStore(t, filepath.Join(t.TempDir(), "opsd.db"))
	run(t, newConsumer(cluster.ListenAddrs(), s))
	until(t, "all stored and four buried", func() bool {
		status, err := s.Status(t.Context())
		return err == nil && status.Events == 6 && status.DeadLetters == 4
	})
	dead, err := s.DeadLetters(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dead {
		if d.Record.Cause == "" || d.Record.Topic == "" {
			t.Errorf("%+v", d)
		}
	}
}

// While Kafka is away opsd waits; when it is back, on the same addresses and with
// the same data, everything arrives.
func TestKafkaGoesAwayAndComesBack(t *testing.T) {
	const payments, steps = 20, 4
	dir := t.TempDir()
	cluster, client := broker(t, kfake.DataDir(dir))
	addresses := cluster.ListenAddrs()
	lives := life(payments, steps)
	export(t, client, lives[:len(lives)/2])
	s := openStore(t, filepath.Join(t.TempDir(), "opsd.db"))
	run(t, newConsumer(addresses, s))
	count := func() int64 {
		status, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status.Events
	}
	until(t, "the first half", func() bool { return count() == int64(len(lives)/2) })
	cluster.Close()
	var port int
	if _, err := fmt.Sscanf(addresses[0][strings.LastIndexByte(addresses[0], ':')+1:], "%d", &port); err != nil {
		t.Fatal(err)
	}
	_, again := broker(t, kfake.DataDir(dir), kfake.Ports(port))
	export(t, again, lives[len(lives)/4:])
	until(t, "the rest", func() bool { return count() == int64(len(lives)) })
	complete(t, s, payments, steps)
}

// Topics and partitions that appear later are read from their beginning.
func TestTopicsMayAppearLater(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s := openStore(t, filepath.Join(t.TempDir(), "opsd.db"))
	c := newConsumer(cluster.ListenAddrs(), s)
	run(t, c)
	until(t, "consuming", func() bool { return c.State() == consume.Consuming })
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := createTopic(t, client, events, 2); err != nil {
		t.Fatal(err)
	}
	export(t, client, life(5, 3))
	until(t, "all events", func() bool {
		status, err := s.Status(t.Context())
		return err == nil && status.Events == 15
	})
	complete(t, s, 5, 3)
}

// The second consumer of one SQLite file takes it over; the first stops and says
// why.
func TestTwoConsumersOfOneFile(t *testing.T) {
	cluster, client := broker(t)
	path := filepath.Join(t.TempDir(), "opsd.db")
	first := newConsumer(cluster.ListenAddrs(), openStore(t, path))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	lives := life(10, 4)
	export(t, client, lives[:10])
	s := openStore(t, path)
	until(t, "the first consumes", func() bool { status, _ := s.Status(t.Context()); return status.Events == 10 })
	second := newConsumer(cluster.ListenAddrs(), s)
	run(t, second)
	until(t, "the second consumes", func() bool { return second.State() == consume.Consuming })
	export(t, client, lives[10:])
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "only one") {
		t.Errorf("the first ended with %v", err)
	}
	until(t, "all events", func() bool { status, _ := s.Status(t.Context()); return status.Events == 40 })
	complete(t, s, 10, 4)
}
