package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// cluster stands for the replicated cursor.
type cluster struct {
	mu       sync.Mutex
	cursor   Cursor
	proposed int
}

func (c *cluster) read() (Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursor, nil
}

func (c *cluster) propose(_ context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := cmd.GetExported()
	if !after(e.Index, e.N, c.cursor) {
		return nil, fmt.Errorf("the cursor went back from %v to %d-%d", c.cursor, e.Index, e.N)
	}
	c.cursor = Cursor{Index: e.Index, N: e.N}
	c.proposed++
	return &enginev1.Event{}, nil
}

func kafka(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	k, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func exportConfig(k *kfake.Cluster, l *Log, c *cluster) ExportConfig {
	return ExportConfig{
		Brokers: k.ListenAddrs(), AllowFake: true, Log: l, Cursor: c.read, Propose: c.propose,
		Topics: Topics{Partitions: 3, Replication: 1, MinInSync: 1},
		Every:  20 * time.Millisecond, RetryEvery: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// run starts an exporter and returns how to stop it.
func run(t testing.TB, cfg ExportConfig) (e *Exporter, stop func()) {
	t.Helper()
	e, err := NewExporter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return e, stop
}

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

func cursorAt(t testing.TB, c *cluster, want Cursor) {
	t.Helper()
	eventually(t, func() error {
		if got, _ := c.read(); got != want {
			return fmt.Errorf("the cursor is at %v, want %v", got, want)
		}
		return nil
	})
}

// consume reads the topics and keeps, as every consumer does, what is above the
// last id of its partition.
func consume(t testing.TB, k *kfake.Cluster, records int) map[string][]Cursor {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(TopicEvents, TopicAudit))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	byKey := make(map[string][]Cursor)
	last := make(map[string]Cursor)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for n := 0; n < records; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records of %d arrived", n, records)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var ev enginev1.Event
			if err := ev.UnmarshalVT(r.Value); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("1-1-%d-%d", ev.Index, ev.N); string(r.Headers[0].Value) != want {
				t.Fatalf("a record is called %s, want %s", r.Headers[0].Value, want)
			}
			at := fmt.Sprint(r.Topic, r.Partition)
			if !after(ev.Index, ev.N, last[at]) {
				return
			}
			last[at] = Cursor{Index: ev.Index, N: ev.N}
			byKey[r.Topic+" "+string(r.Key)] = append(byKey[r.Topic+" "+string(r.Key)], last[at])
			n++
		})
	}
	return byKey
}

// checkComplete compares what arrived with what fill wrote up to last.
func checkComplete(t testing.TB, got map[string][]Cursor, last uint64) {
	t.Helper()
	want := make(map[string][]Cursor)
	for i := uint64(1); i <= last; i++ {
		key := fmt.Sprintf("%s %d", TopicEvents, i%7)
		want[key] = append(want[key], Cursor{i, 0}, Cursor{i, 1})
	}
	for key, list := range want {
		if fmt.Sprint(got[key]) != fmt.Sprint(list) {
			t.Fatalf("of key %s arrived\n%v\nwant\n%v", key, got[key], list)
		}
	}
}

func TestExport(t *testing.T) {
	k, c := kafka(t), new(cluster)
	l := openLog(t, t.TempDir(), Position{}, 1000)
	fill(l, 1, 200)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	e, _ := run(t, exportConfig(k, l, c))
	cursorAt(t, c, Cursor{200, 1})
	fill(l, 201, 300)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	cursorAt(t, c, Cursor{300, 1})
	if n := e.Backlog(); n != 0 {
		t.Fatalf("the backlog is %d", n)
	}
	checkComplete(t, consume(t, k, 600), 300)
}

// TestExportSurvivesTheBroker takes Kafka away while records are on their way,
// fails single batches, and changes the leader in between.
func TestExportSurvivesTheBroker(t *testing.T) {
	k, c := kafka(t), new(cluster)
	var down, failing atomic.Bool
	k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		if down.Load() {
			return nil, errors.New("the broker hangs up"), true
		}
		if failing.Load() {
			failing.Store(false)
			return nil, errors.New("the broker hangs up once"), true
		}
		return nil, nil, false
	})
	l := openLog(t, t.TempDir(), Position{}, 1000)
	last := uint64(0)
	more := func(n uint64) {
		fill(l, last+1, last+n)
		last += n
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	_, stop := run(t, exportConfig(k, l, c))
	more(100)
	cursorAt(t, c, Cursor{100, 1})

	down.Store(true)
	for range 20 {
		more(20)
	}
	stop() // the leader changes while the broker is away
	e, stop := run(t, exportConfig(k, l, c))
	more(100)
	eventually(t, func() error {
		if e.Backlog() == 0 {
			return errors.New("there is no backlog while the broker is away")
		}
		return nil
	})
	down.Store(false)
	cursorAt(t, c, Cursor{last, 1})
	for range 20 {
		failing.Store(true)
		more(10)
	}
	cursorAt(t, c, Cursor{last, 1})
	stop()
	checkComplete(t, consume(t, k, int(2*last)), last)
}

// TestARefusedBatchStopsTheRest lets the broker refuse batches for good while
// later ones are on their way. What follows a record in its partition must not
// arrive before it: consumers drop what is not above the last they have.
func TestARefusedBatchStopsTheRest(t *testing.T) {
	k, c := kafka(t), new(cluster)
	var refuse atomic.Int32
	k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		if refuse.Add(-1) < 0 {
			return nil, nil, false
		}
		asked := req.(*kmsg.ProduceRequest)
		answer := asked.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range asked.Topics {
			refused := kmsg.NewProduceResponseTopic()
			refused.Topic, refused.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, kerr.InvalidRecord.Code
				refused.Partitions = append(refused.Partitions, partition)
			}
			answer.Topics = append(answer.Topics, refused)
		}
		return answer, nil, true
	})
	l := openLog(t, t.TempDir(), Position{}, 1000)
	cfg := exportConfig(k, l, c)
	cfg.Topics.MessageBytes = 2000 // a few records each, so that several are on their way
	_, stop := run(t, cfg)
	const step, rounds = 300, 20
	for n := range uint64(rounds) {
		refuse.Store(1)
		fill(l, n*step+1, (n+1)*step)
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		cursorAt(t, c, Cursor{(n + 1) * step, 1})
	}
	stop()
	checkComplete(t, consume(t, k, 2*step*rounds), step*rounds)
}

func TestCursorRestsWhenNothingHappens(t *testing.T) {
	k, c := kafka(t), new(cluster)
	l := openLog(t, t.TempDir(), Position{}, 1000)
	l.Append(1, 0, event(1, 0))
	l.Append(2, 0, &enginev1.Event{Cluster: 1, Incarnation: 1, Index: 2, Kind: enginev1.EventKind_EVENT_KIND_EXPORTED})
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	run(t, exportConfig(k, l, c))
	eventually(t, func() error {
		if got, _ := c.read(); got == (Cursor{}) {
			return errors.New("nothing was exported")
		}
		return nil
	})
	before := c.proposed
	l.Append(3, 0, &enginev1.Event{Cluster: 1, Incarnation: 1, Index: 3, Kind: enginev1.EventKind_EVENT_KIND_EXPORTED})
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	consume(t, k, 3)
	if c.mu.Lock(); c.proposed > before+1 {
		t.Fatalf("the cursor was proposed %d times for its own event", c.proposed-before)
	}
	c.mu.Unlock()
}

func TestFakeKafkaIsRefused(t *testing.T) {
	k, c := kafka(t), new(cluster)
	cfg := exportConfig(k, openLog(t, t.TempDir(), Position{}, 0), c)
	cfg.AllowFake = false
	e, err := NewExporter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Check(context.Background()); !errors.Is(err, ErrFakeKafka) {
		t.Fatalf("Check: %v", err)
	}
	if err := e.Run(context.Background()); !errors.Is(err, ErrFakeKafka) {
		t.Fatalf("Run: %v", err)
	}
}

func TestCheckSaysWhatIsWeaker(t *testing.T) {
	k, c := kafka(t), new(cluster)
	cfg := exportConfig(k, openLog(t, t.TempDir(), Position{}, 0), c)
	cfg.Topics.Retention = time.Hour
	e, err := NewExporter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if weaker, err := e.Check(context.Background()); err != nil || len(weaker) != 0 {
		t.Fatalf("of topics just created: %q, %v", weaker, err)
	}
	cfg.Topics = Topics{Replication: 3, MinInSync: 2, Retention: 2 * time.Hour, MessageBytes: 64 << 20}
	if e, err = NewExporter(cfg); err != nil {
		t.Fatal(err)
	}
	weaker, err := e.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(weaker, "\n")
	for _, want := range []string{"1 replicas", "min.insync.replicas is 1", "kept for 1h0m0s", "max.message.bytes"} {
		if !strings.Contains(all, TopicEvents) || !strings.Contains(all, want) {
			t.Errorf("nothing is said about %q:\n%s", want, all)
		}
	}
}

func TestPeek(t *testing.T) {
	ev := event(300, 2)
	ev.Payment, ev.Seq, ev.Request = 1<<62, 77, make([]byte, 1000)
	b, err := ev.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	h, err := peek(b)
	if want := (eventHead{1, 1, ev.Kind, []byte("t"), 1 << 62, 77}); err != nil || !reflect.DeepEqual(h, want) {
		t.Fatalf("%v, %v, want %v", h, err, want)
	}
	for cut := range 12 {
		peek(b[:cut]) // must not panic
	}
	if _, err := peek([]byte{0x3a, 0xff, 0xff, 0x03, 1}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a string longer than the event: %v", err)
	}
}
