package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrFakeKafka: the broker is kfake, which keeps no promise a bank could rely
// on, and the configuration does not allow it.
var ErrFakeKafka = errors.New("outbox: the Kafka broker is the embedded one for development; give this node a real one")

// fakeClusterID is what kfake calls its cluster unless told otherwise; a real
// broker's id is 16 random bytes in base64.
const fakeClusterID = "kfake"

// Topics is what the operator expects of both topics. A topic that does not
// exist is created so; one that does is compared.
type Topics struct {
	Partitions  int           // default 12
	Replication int           // default 3
	MinInSync   int           // default 2
	Retention   time.Duration // default 14 days; negative: for ever
	// MessageBytes is the longest batch; default 8 MiB. Events may be as long as
	// the requests and answers they carry.
	MessageBytes int
}

func (t *Topics) complete() {
	for _, f := range []struct {
		field *int
		value int
	}{{&t.Partitions, 12}, {&t.Replication, 3}, {&t.MinInSync, 2}, {&t.MessageBytes, 8 << 20}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if t.Retention == 0 {
		t.Retention = 14 * 24 * time.Hour
	}
}

func (t *Topics) retentionMS() int64 {
	if t.Retention < 0 {
		return -1
	}
	return t.Retention.Milliseconds()
}

// checked is what was found out about the topics.
type checked struct {
	weaker       []string // what is weaker than configured, for people
	messageBytes int      // the longest batch both topics take
}

// checkTopics creates the topics that are missing and compares the others.
func checkTopics(ctx context.Context, client *kgo.Client, want Topics, allowFake bool) (checked, error) {
	admin := kadm.NewClient(client)
	about, err := admin.Metadata(ctx, TopicEvents, TopicAudit)
	if err != nil {
		return checked{}, fmt.Errorf("outbox: ask Kafka about its topics: %w", err)
	}
	if about.Cluster == fakeClusterID && !allowFake {
		return checked{}, ErrFakeKafka
	}
	for _, name := range []string{TopicEvents, TopicAudit} {
		if !about.Topics.Has(name) {
			if err := createTopic(ctx, admin, name, want); err != nil {
				return checked{}, err
			}
		}
	}
	topics, err := awaitTopics(ctx, admin)
	if err != nil {
		return checked{}, err
	}
	configs, err := admin.DescribeTopicConfigs(ctx, TopicEvents, TopicAudit)
	if err != nil {
		return checked{}, fmt.Errorf("outbox: ask Kafka how its topics are configured: %w", err)
	}
	found := checked{messageBytes: want.MessageBytes}
	for _, name := range []string{TopicEvents, TopicAudit} {
		config, err := configs.On(name, nil)
		if err == nil {
			err = config.Err
		}
		if err != nil {
			return checked{}, fmt.Errorf("outbox: ask Kafka how %s is configured: %w", name, err)
		}
		found.compare(topics[name], config, want)
	}
	return found, nil
}

// awaitTopics returns the topics once they can be used, which Kafka lets wait for
// a moment after creating them.
func awaitTopics(ctx context.Context, admin *kadm.Client) (kadm.TopicDetails, error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		topics, err := admin.ListTopics(ctx, TopicEvents, TopicAudit)
		if err != nil {
			return nil, fmt.Errorf("outbox: ask Kafka about its topics: %w", err)
		}
		if len(topics[TopicEvents].Partitions) > 0 && len(topics[TopicAudit].Partitions) > 0 {
			return topics, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("outbox: wait for Kafka to open the topics: %w", context.Cause(ctx))
		}
	}
}

func createTopic(ctx context.Context, admin *kadm.Client, name string, want Topics) error {
	text := func(n int64) *string { s := strconv.FormatInt(n, 10); return &s }
	_, err := admin.CreateTopic(ctx, int32(want.Partitions), int16(want.Replication), map[string]*string{
		"min.insync.replicas": text(int64(want.MinInSync)),
		"retention.ms":        text(want.retentionMS()),
		"max.message.bytes":   text(int64(want.MessageBytes)),
	}, name)
	switch {
	case err == nil, errors.Is(err, kerr.TopicAlreadyExists):
		return nil
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return fmt.Errorf("outbox: create the topic %s: Kafka has fewer than the %d brokers that the configured replication wants: %w", name, want.Replication, err)
	}
	return fmt.Errorf("outbox: create the topic %s: %w", name, err)
}

// compare notes what is weaker than wanted.
func (c *checked) compare(topic kadm.TopicDetail, config kadm.ResourceConfig, want Topics) {
	weaker := func(format string, args ...any) {
		c.weaker = append(c.weaker, topic.Topic+": "+fmt.Sprintf(format, args...))
	}
	if n := topic.Partitions.NumReplicas(); n < want.Replication {
		weaker("%d replicas, configured are %d", n, want.Replication)
	}
	for _, setting := range config.Configs {
		value := setting.MaybeValue()
		number, err := strconv.ParseInt(value, 10, 64)
		switch setting.Key {
		case "min.insync.replicas":
			if err == nil && number < int64(want.MinInSync) {
				weaker("min.insync.replicas is %d, configured are %d", number, want.MinInSync)
			}
		case "retention.ms":
			if err == nil && number >= 0 && (want.retentionMS() < 0 || number < want.retentionMS()) {
				weaker("records are kept for %v, configured is %v", time.Duration(number)*time.Millisecond, want.Retention)
			}
		case "retention.bytes":
			if err == nil && number >= 0 {
				weaker("records are dropped beyond %d bytes of a partition, whatever their age", number)
			}
		case "cleanup.policy":
			if value != "delete" {
				weaker("cleanup.policy is %q, which drops records of running payments", value)
			}
		case "unclean.leader.election.enable":
			if value == "true" {
				weaker("unclean leader elections are allowed, which lose acknowledged records")
			}
		case "max.message.bytes":
			if err == nil && number < int64(want.MessageBytes) {
				weaker("max.message.bytes is %d, configured is %d; a longer event would stop the export", number, want.MessageBytes)
				c.messageBytes = min(c.messageBytes, int(number))
			}
		}
	}
}
