package consume

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	discoverEvery = 5 * time.Second
	// discoverSoon is for topics that are not there yet.
	discoverSoon = 500 * time.Millisecond
)

// discover finds the partitions of both topics, those that are added later too,
// and keeps an eye on how far Kafka is ahead.
func (s *session) discover(ctx context.Context) error {
	admin := kadm.NewClient(s.client)
	reading := map[partition]bool{}
	for {
		wait := discoverEvery
		ends, err := admin.ListEndOffsets(ctx, s.cfg.EventsTopic, s.cfg.AuditTopic)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.metrics.failures.WithLabelValues("kafka").Inc()
			s.log.Warn("Kafka does not answer, trying again", "error", err)
			wait = discoverSoon
		}
		begin := map[string]map[int32]kgo.Offset{}
		topics := map[string]bool{}
		ends.Each(func(end kadm.ListedOffset) {
			if end.Err != nil {
				return
			}
			topics[end.Topic] = true
			at := partition{end.Topic, end.Partition}
			s.heard(at, end.Offset)
			if reading[at] {
				return
			}
			reading[at] = true
			offset := kgo.NewOffset().AtStart()
			s.storedMu.Lock()
			if next, ok := s.stored[at]; ok {
				offset = kgo.NewOffset().At(next)
			}
			s.storedMu.Unlock()
			if begin[end.Topic] == nil {
				begin[end.Topic] = map[int32]kgo.Offset{}
			}
			begin[end.Topic][end.Partition] = offset
		})
		if len(begin) > 0 {
			s.client.AddConsumePartitions(begin)
		}
		if len(topics) < 2 {
			wait = discoverSoon
		}
		s.tellKafka(ctx, admin)
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

func (s *session) heard(at partition, end int64) {
	s.mu.Lock()
	s.ends[at] = end
	s.mu.Unlock()
	s.storedMu.Lock()
	next := max(s.stored[at], 0)
	s.storedMu.Unlock()
	s.metrics.lag.WithLabelValues(at.topic, strconv.Itoa(int(at.number))).Set(float64(max(end-next, 0)))
}

// tellKafka commits the positions for lag tools. Nothing reads them here, so a
// failure is no more than a debug line.
func (s *session) tellKafka(ctx context.Context, admin *kadm.Client) {
	if s.cfg.Group == "" {
		return
	}
	offsets := kadm.Offsets{}
	s.storedMu.Lock()
	for at, next := range s.stored {
		offsets.AddOffset(at.topic, at.number, next, -1)
	}
	s.storedMu.Unlock()
	if len(offsets) == 0 {
		return
	}
	if _, err := admin.CommitOffsets(ctx, s.cfg.Group, offsets); err != nil {
		s.log.Debug("positions were not committed to Kafka", "error", err)
	}
}
