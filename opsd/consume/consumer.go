package consume

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/railhead-hub/railhead/opsd/store"
)

// Config says what to read and where to put it.
type Config struct {
	Brokers     []string
	EventsTopic string
	AuditTopic  string
	// Group is the name under which positions are committed to Kafka for lag
	// tools; empty: not at all.
	Group string
	// BatchMax is how many records one transaction takes at most.
	BatchMax int
	// TLS, where set, is how brokers are dialled.
	TLS *tls.Config
	// Applied, where set, is called after each batch. It must not block.
	Applied func(store.Applied)
}

const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
	// fetchMax bounds the memory of records read ahead, per broker.
	fetchMax = 16 << 20
)

// Consumer reads both topics into a store.
type Consumer struct {
	cfg     Config
	store   *store.Store
	log     *slog.Logger
	metrics *metrics
	state   atomic.Pointer[string]

	mu   sync.Mutex
	ends map[partition]int64 // offsets behind the last records in Kafka
}

type partition struct {
	topic  string
	number int32
}

// The states of a consumer.
const (
	Waiting   = "waiting" // for the claim
	Consuming = "consuming"
	Stopped   = "stopped"
)

// New makes a consumer; Run makes it work.
func New(cfg Config, s *store.Store, log *slog.Logger, r prometheus.Registerer) *Consumer {
	c := &Consumer{cfg: cfg, store: s, log: log, metrics: newMetrics(r), ends: map[partition]int64{}}
	c.setState(Waiting)
	return c
}

// State is waiting, consuming or stopped.
func (c *Consumer) State() string { return *c.state.Load() }

func (c *Consumer) setState(s string) {
	c.state.Store(&s)
	if s == Consuming {
		c.metrics.consuming.Set(1)
	} else {
		c.metrics.consuming.Set(0)
	}
}

// End is the offset behind the last record of a partition, as last heard.
func (c *Consumer) End(topic string, number int32) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end, ok := c.ends[partition{topic, number}]
	return end, ok
}

// Run consumes until ctx ends, which is no error, or until another process has
// taken over a database that only one may use.
func (c *Consumer) Run(ctx context.Context) error {
	defer c.setState(Stopped)
	wait := retryMin
	for {
		began := time.Now()
		err := c.consume(ctx)
		c.setState(Waiting)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errTakenOver):
			return err
		case errors.Is(err, store.ErrFenced):
			c.log.Warn("lost the claim to consume, waiting for it", "error", err)
		default:
			c.metrics.failures.WithLabelValues("store").Inc()
			c.log.Error("consuming failed, trying again", "error", err, "wait_ms", wait.Milliseconds())
		}
		if time.Since(began) > retryMax {
			wait = retryMin
		}
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

var errTakenOver = errors.New("consume: another opsd uses this database file; only one may")

// consume claims the database and reads from its positions until something fails.
func (c *Consumer) consume(ctx context.Context) error {
	claim, err := c.store.Claim(ctx)
	if err != nil {
		return err
	}
	defer claim.Release()
	c.setState(Consuming)
	replayed, err := c.store.Replay(ctx, claim, Decode)
	if err != nil {
		return err
	}
	if n := replayed.Events + replayed.Audit; n > 0 {
		c.log.Info("replayed dead letters", "records", n)
		c.applied(replayed)
	}
	session, err := c.open(claim)
	if err != nil {
		return err
	}
	defer session.client.Close()

	group, groupCtx := errgroup.WithContext(ctx)
	batches := make(chan *store.Batch)
	group.Go(func() error { return session.discover(groupCtx) })
	group.Go(func() error { return session.read(groupCtx, batches) })
	group.Go(func() error { return session.write(groupCtx, batches) })
	err = group.Wait()
	if errors.Is(err, store.ErrFenced) && !c.store.MayWait() && ctx.Err() == nil {
		// Positions also differ when a commit succeeded whose answer was lost. Only
		// another epoch means another process.
		if holds, herr := c.store.Holds(ctx, claim); herr == nil && !holds {
			return errTakenOver
		}
	}
	return err
}

// session is one claim's reading.
type session struct {
	*Consumer
	claim  *store.Claim
	client *kgo.Client

	// next is where each partition is stored up to; read's own.
	next map[partition]int64
	// stored is the same as far as committed, for lag and lag tools.
	storedMu sync.Mutex
	stored   map[partition]int64
}

func (c *Consumer) open(claim *store.Claim) (*session, error) {
	s := &session{Consumer: c, claim: claim, next: map[partition]int64{}, stored: map[partition]int64{}}
	for _, p := range claim.Positions {
		s.next[partition{p.Topic, p.Partition}] = p.Next
		s.stored[partition{p.Topic, p.Partition}] = p.Next
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.cfg.Brokers...),
		kgo.ClientID("railhead-opsd"),
		// Where a position is no longer there, everything that is there is read:
		// what is stored already is dropped.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchMax),
		kgo.FetchMaxPartitionBytes(fetchMax / 4),
		kgo.FetchMaxWait(time.Second),
		kgo.RetryBackoffFn(func(n int) time.Duration { return min(retryMin<<min(n, 6), retryMax) }),
		kgo.MetadataMinAge(250 * time.Millisecond),
	}
	if c.cfg.TLS != nil {
		options = append(options, kgo.DialTLSConfig(c.cfg.TLS))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	s.client = client
	return s, nil
}

// read polls, decodes and packs. It never waits for company: what has arrived
// while the last batch was stored is the next batch.
func (s *session) read(ctx context.Context, batches chan<- *store.Batch) error {
	for {
		fetches := s.client.PollRecords(ctx, s.cfg.BatchMax)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fetches.IsClientClosed() {
			return errors.New("consume: the Kafka client is closed")
		}
		fetches.EachError(func(topic string, number int32, err error) {
			s.metrics.failures.WithLabelValues("kafka").Inc()
			s.log.Warn("fetching failed", "topic", topic, "partition", number, "error", err)
		})
		batch := s.pack(fetches)
		if len(batch.Records) == 0 {
			continue
		}
		select {
		case batches <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *session) pack(fetches kgo.Fetches) *store.Batch {
	batch := &store.Batch{Records: make([]store.Record, 0, fetches.NumRecords())}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		at := partition{p.Topic, p.Partition}
		from, known := s.next[at]
		if !known {
			from = store.Beginning
		}
		if first := p.Records[0].Offset; known && first != from {
			s.metrics.jumps.Inc()
			s.log.Error("a partition continues elsewhere than it was left", "topic", p.Topic, "partition", p.Partition, "left", from, "continues", first)
		}
		for _, r := range p.Records {
			record := store.Record{
				Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimeMS: r.Timestamp.UnixMilli(),
				Key: r.Key, Value: r.Value, Audit: r.Topic == s.cfg.AuditTopic,
			}
			for _, h := range r.Headers {
				if h.Key == IDHeader {
					record.ID = string(h.Value)
				}
			}
			Decode(&record)
			batch.Records = append(batch.Records, record)
		}
		to := p.Records[len(p.Records)-1].Offset + 1
		batch.Spans = append(batch.Spans, store.Span{Topic: p.Topic, Partition: p.Partition, From: from, To: to})
		s.next[at] = to
	})
	return batch
}

// write stores batch after batch. While the database is away it tries the same
// batch again; reading meanwhile stops by itself.
func (s *session) write(ctx context.Context, batches <-chan *store.Batch) error {
	for {
		var batch *store.Batch
		select {
		case batch = <-batches:
		case <-ctx.Done():
			return ctx.Err()
		}
		began := time.Now()
		for wait := retryMin; ; wait = min(2*wait, retryMax) {
			out, err := s.store.Apply(ctx, s.claim, batch)
			if err == nil {
				s.applied(out)
				break
			}
			if errors.Is(err, store.ErrFenced) || ctx.Err() != nil {
				return err
			}
			s.metrics.failures.WithLabelValues("store").Inc()
			s.log.Error("storing a batch failed, trying again", "error", err, "records", len(batch.Records), "wait_ms", wait.Milliseconds())
			if !pause(ctx, wait) {
				return ctx.Err()
			}
		}
		s.metrics.batch.Observe(time.Since(began).Seconds())
		s.metrics.size.Observe(float64(len(batch.Records)))
		s.metrics.newest.Set(float64(batch.Records[len(batch.Records)-1].TimeMS) / 1000)
		s.storedMu.Lock()
		for _, span := range batch.Spans {
			s.stored[partition{span.Topic, span.Partition}] = span.To
		}
		s.storedMu.Unlock()
	}
}

func (c *Consumer) applied(out store.Applied) {
	c.metrics.records.WithLabelValues("stored").Add(float64(out.Events))
	c.metrics.records.WithLabelValues("duplicate").Add(float64(out.Duplicates))
	c.metrics.records.WithLabelValues("dead_letter").Add(float64(out.DeadLetters))
	c.metrics.records.WithLabelValues("audit").Add(float64(out.Audit))
	c.metrics.missing.Add(float64(out.Missing))
	if out.DeadLetters > 0 {
		c.log.Error("records could not be read and went to the dead letters", "records", out.DeadLetters)
	}
	if out.Missing > 0 {
		c.log.Warn("events are missing from payments", "events", out.Missing)
	}
	if c.cfg.Applied != nil {
		c.cfg.Applied(out)
	}
}

// pause waits and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
