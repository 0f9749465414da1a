package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// ExportConfig is how an Exporter reaches Kafka and the cluster. Brokers, Log,
// Cursor and Propose must be set.
type ExportConfig struct {
	Brokers []string // host:port
	// Options are added to the client's: TLS, SASL.
	Options []kgo.Opt
	Topics  Topics
	// AllowFake: the broker may be kfake. For development, tests and benchmarks.
	AllowFake bool

	Log *Log
	// Cursor reads how far the cluster has exported.
	Cursor func() (Cursor, error)
	// Propose puts the command Exported into the log.
	Propose func(context.Context, *enginev1.Command) (*enginev1.Event, error)

	// Every (1 s) and Records (10,000) say how often the cursor is proposed,
	// whichever comes first. What was exported since is exported again after a
	// change of leader.
	Every   time.Duration
	Records int
	// Gather (100 ms) is how long records gather between two sendings, unless a
	// chunk is full before: a broker writes every batch of every partition on its
	// own, so that sending each commit at once would cost it, and a disk it shares,
	// as much as the payments themselves. What comes after a rest is sent at once.
	Gather time.Duration
	// RetryEvery (1 s) is the pause before Kafka is tried again after an error
	// that the client did not get over by itself.
	RetryEvery time.Duration

	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Exporter brings the outbox's records to Kafka, in order for each key, each at
// least once. It runs on the leader only; payments go on whatever becomes of it.
type Exporter struct {
	cfg      ExportConfig
	exported atomic.Uint64 // ordinal below which everything is in Kafka
	running  atomic.Bool
	records  prometheus.Counter
	failures prometheus.Counter
}

// NewExporter returns an exporter that does nothing yet.
func NewExporter(cfg ExportConfig) (*Exporter, error) {
	if len(cfg.Brokers) == 0 || cfg.Log == nil || cfg.Cursor == nil || cfg.Propose == nil {
		return nil, errors.New("outbox: the export needs brokers, a log, the cursor and a way to propose")
	}
	cfg.Topics.complete()
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{{&cfg.Every, time.Second}, {&cfg.Gather, 100 * time.Millisecond}, {&cfg.RetryEvery, time.Second}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if cfg.Records == 0 {
		cfg.Records = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	e := &Exporter{
		cfg: cfg,
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "railhead_outbox_exported_records_total", Help: "Records that Kafka has acknowledged.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "railhead_outbox_export_failures_total", Help: "Times the export began again from the cursor.",
		}),
	}
	if cfg.Metrics != nil {
		for _, c := range []prometheus.Collector{e.records, e.failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "railhead_outbox_backlog_records", Help: "Records that Kafka does not have yet, on the leader.",
		}, func() float64 { return float64(e.Backlog()) })} {
			if err := cfg.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("outbox: register metrics: %w", err)
			}
		}
	}
	return e, nil
}

// Backlog is how many records Kafka does not have yet, as the running exporter
// knows; 0 while it does not run.
func (e *Exporter) Backlog() uint64 {
	if !e.running.Load() {
		return 0
	}
	end, exported := e.cfg.Log.Position().Count, e.exported.Load()
	if end < exported {
		return 0
	}
	return end - exported
}

// Check creates the topics where they are missing and says, for people, what is
// weaker than configured. It fails with ErrFakeKafka, or when Kafka cannot be
// asked.
func (e *Exporter) Check(ctx context.Context) (weaker []string, err error) {
	client, err := e.client(e.cfg.Topics.MessageBytes)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found, err := checkTopics(ctx, client, e.cfg.Topics, e.cfg.AllowFake)
	return found.weaker, err
}

// Run exports until ctx ends, which it does when the node no longer leads, or
// until the broker turns out to be a forbidden one. Everything else that goes
// wrong is logged and tried again from the cursor.
func (e *Exporter) Run(ctx context.Context) error {
	e.running.Store(true)
	defer e.running.Store(false)
	for {
		err := e.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrFakeKafka) {
			return err
		}
		e.failures.Inc()
		e.cfg.Logger.Error("the export to Kafka begins again from the cursor; payments go on", "error", err, "backlog", e.Backlog())
		select {
		case <-time.After(e.cfg.RetryEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *Exporter) client(messageBytes int) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(e.cfg.Brokers...),
		kgo.RequiredAcks(kgo.AllISRAcks()), // and the producer is idempotent by default
		kgo.ProducerBatchMaxBytes(int32(messageBytes)),
		kgo.BrokerMaxWriteBytes(int32(max(100<<20, messageBytes+1<<20))),
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(2 * chunkRecords),
		kgo.MaxBufferedBytes(2 * max(chunkBytes, messageBytes)),
		kgo.MetadataMinAge(250 * time.Millisecond), // or a topic just created is unknown for seconds
		kgo.RetryTimeout(10 * time.Second),         // of requests other than produce, which retries for ever
	}, e.cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("outbox: configure the Kafka client: %w", err)
	}
	return client, nil
}

// A chunk is what is handed to the client before it begins to send, and then
// waited for.
const (
	chunkRecords = 10_000
	chunkBytes   = 32 << 20
)

// session is one life of a producer: from the cursor until something fails. When
// a record is refused, an idempotent producer fails what it holds behind it in
// the partition, and that is all of it: nothing is handed over while a chunk is
// on its way. So no partition ever has a record whose predecessor is missing; the
// next session begins with that predecessor.
func (e *Exporter) session(ctx context.Context) error {
	found, err := e.prepare(ctx)
	if err != nil {
		return err
	}
	client, err := e.client(found.messageBytes)
	if err != nil {
		return err
	}
	defer client.Close()
	cursor, err := e.cfg.Cursor()
	if err != nil {
		return fmt.Errorf("outbox: read the cursor: %w", err)
	}
	reader := e.cfg.Log.Reader(cursor)
	defer reader.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &window{exporter: e, limit: found.messageBytes, news: make(chan struct{}, 1)}
	first, ok, err := reader.Next()
	if err != nil {
		return err
	}
	w.base = reader.Position().Count
	if ok {
		w.base = first.Ordinal
	}
	e.exported.Store(w.base)

	var proposing sync.WaitGroup
	defer proposing.Wait()
	proposing.Go(func() {
		e.proposeCursor(ctx, w, cursor)
	})
	defer cancel(nil)

	gather := time.NewTimer(0) // runs from one sending to the next
	defer gather.Stop()
	gathered := false
	for rec := first; ; {
		if ok {
			if err := w.send(ctx, client, rec, cancel); err != nil {
				return errors.Join(err, w.flush(ctx, client)) // what comes before it can go
			}
		}
		if w.full() || !ok && gathered && w.records > 0 {
			gather.Reset(e.cfg.Gather)
			gathered = false
			if err := w.flush(ctx, client); err != nil {
				return err
			}
		}
		if !ok {
			select {
			case <-e.cfg.Log.Grown():
			case <-gather.C:
				gathered = true
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if rec, ok, err = reader.Next(); err != nil {
			return err
		}
	}
}

// prepare checks the topics and says what is wrong with them.
func (e *Exporter) prepare(ctx context.Context) (checked, error) {
	client, err := e.client(e.cfg.Topics.MessageBytes)
	if err != nil {
		return checked{}, err
	}
	defer client.Close()
	found, err := checkTopics(ctx, client, e.cfg.Topics, e.cfg.AllowFake)
	for _, w := range found.weaker {
		e.cfg.Logger.Warn("a Kafka topic is weaker than configured", "what", w)
	}
	return found, err
}

// proposeCursor lets the cluster know how far the export has come.
func (e *Exporter) proposeCursor(ctx context.Context, w *window, last Cursor) {
	ticker := time.NewTicker(e.cfg.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-w.news:
		case <-ctx.Done():
			return
		}
		cursor, news := w.acknowledged()
		if !news || cursor == last {
			continue
		}
		if _, err := e.cfg.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_Exported{
			Exported: &enginev1.Exported{Index: cursor.Index, N: cursor.N},
		}}); err != nil {
			// The next tick proposes a later cursor; if leadership is lost, ctx ends.
			w.worthwhile()
			continue
		}
		last = cursor
	}
}

// window is the records on their way to Kafka, in log order. They are
// acknowledged partition by partition; the cursor may only pass those before
// which none is missing.
type window struct {
	exporter *Exporter
	limit    int           // of a batch, in bytes
	news     chan struct{} // enough was acknowledged to propose the cursor

	records, bytes int // of the chunk; the session's own

	mu    sync.Mutex
	base  uint64 // ordinal of the first record on its way
	slots []slot
	done  Cursor // the last record below base
	since int    // acknowledged since the cursor was last asked for
	worth bool   // one of them says more than that the cursor has moved
}

type slot struct {
	cursor Cursor
	worth  bool
	done   bool
}

// recordOverhead is more than a batch, its framing, key and headers add to a
// single value.
const recordOverhead = 512

// full says whether the chunk is as large as it may become.
func (w *window) full() bool { return w.records >= chunkRecords || w.bytes >= chunkBytes }

// flush sends the chunk and waits until Kafka has all of it.
func (w *window) flush(ctx context.Context, client *kgo.Client) error {
	if w.records == 0 {
		return nil
	}
	err := client.Flush(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("outbox: wait for Kafka: %w", err)
	}
	if len(w.slots) > 0 {
		return fmt.Errorf("outbox: Kafka has not taken %d of %d records", len(w.slots), w.records)
	}
	w.records, w.bytes = 0, 0
	return nil
}

// send hands a record to the client, as part of the chunk.
func (w *window) send(ctx context.Context, client *kgo.Client, rec Record, fail context.CancelCauseFunc) error {
	head, err := peek(rec.Value)
	if err != nil {
		return err
	}
	out := head.kafka(rec)
	if size := len(out.Value) + recordOverhead; size > w.limit {
		// The client would pass over it and deliver what follows.
		return fmt.Errorf("outbox: record %d-%d takes %d bytes and the topic %s takes %d: raise its max.message.bytes", rec.Index, rec.N, size, out.Topic, w.limit)
	}
	w.records++
	w.bytes += len(out.Value)
	w.mu.Lock()
	w.slots = append(w.slots, slot{
		cursor: Cursor{Index: rec.Index, N: rec.N},
		// If the cursor's own event were worth moving the cursor for, it would never rest.
		worth: head.kind != enginev1.EventKind_EVENT_KIND_EXPORTED,
	})
	w.mu.Unlock()
	client.Produce(ctx, out, func(_ *kgo.Record, err error) {
		if err != nil {
			fail(fmt.Errorf("outbox: Kafka did not take record %d-%d: %w", rec.Index, rec.N, err))
			return
		}
		w.acknowledge(rec.Ordinal)
	})
	return nil
}

func (w *window) acknowledge(ordinal uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slots[ordinal-w.base].done = true
	n := 0
	for n < len(w.slots) && w.slots[n].done {
		w.done = w.slots[n].cursor
		w.worth = w.worth || w.slots[n].worth
		n++
	}
	if n == 0 {
		return
	}
	w.slots, w.base, w.since = w.slots[n:], w.base+uint64(n), w.since+n
	w.exporter.exported.Store(w.base)
	w.exporter.records.Add(float64(n))
	if w.since >= w.exporter.cfg.Records {
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

// acknowledged returns the cursor and whether it is worth telling.
func (w *window) acknowledged() (Cursor, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	worth := w.worth
	w.since, w.worth = 0, false
	return w.done, worth
}

// worthwhile takes back that the cursor was told.
func (w *window) worthwhile() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.worth = true
}
