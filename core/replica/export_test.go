package replica

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// exportWhileLeading runs an exporter for as long as the replica leads, as a
// node does.
func exportWhileLeading(t *testing.T, r *Replica, brokers []string) (stop func()) {
	t.Helper()
	e, err := outbox.NewExporter(outbox.ExportConfig{
		Brokers: brokers, AllowFake: true, Log: r.Outbox(), Propose: r.Propose, Logger: quiet(),
		Topics: outbox.Topics{Partitions: 3, Replication: 1, MinInSync: 1}, Every: 20 * time.Millisecond,
		Cursor: func() (cursor outbox.Cursor, err error) {
			err = r.View(func(tx engine.Tx) error {
				if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
					cursor = outbox.CursorOf(row.(*enginev1.Meta))
				}
				return nil
			})
			return cursor, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		cancel, running := func() {}, new(sync.WaitGroup)
		for {
			var leads bool
			select {
			case leads = <-r.LeaderCh():
			case <-stopped:
			}
			cancel()
			running.Wait()
			if leads {
				var ctx context.Context
				ctx, cancel = context.WithCancel(context.Background())
				running.Go(func() {
					e.Run(ctx)
				})
				continue
			}
			select {
			case <-stopped:
				return
			default:
			}
		}
	})
	return func() {
		close(stopped)
		done.Wait()
	}
}

// TestExportFollowsTheLeader kills leaders while they export and finds every
// record in Kafka, in order for each key.
func TestExportFollowsTheLeader(t *testing.T) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	c := openTrio(t, func(cfg *Config) {
		cfg.CheckpointEvery, cfg.SegmentBytes = 50*time.Millisecond, 2000
	})
	stops := map[string]func(){}
	for id, r := range c.members {
		stops[id] = exportWhileLeading(t, r, kafka.ListenAddrs())
	}
	for range 2 {
		c.propose(150, 10)
		leader := c.leader().cfg.ID
		c.stop(leader)
		stops[leader]()
		c.propose(50, 10)
		stops[leader] = exportWhileLeading(t, c.start(leader, nil), kafka.ListenAddrs())
	}
	c.propose(50, 10)
	end := c.leader().Outbox().Position().Count
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()

	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.ConsumeTopics(outbox.TopicEvents, outbox.TopicAudit))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	last := map[string]uint64{}
	next := uint64(1)
	counted := map[uint64]bool{}
	for total := uint64(0); total < end; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records of %d arrived", total, end)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			var ev enginev1.Event
			if err := ev.UnmarshalVT(rec.Value); err != nil {
				t.Fatal(err)
			}
			at := fmt.Sprint(rec.Topic, rec.Partition)
			id := ev.Index<<16 | uint64(ev.N)
			if id <= last[at] {
				return // again, after a change of leader
			}
			last[at] = id
			total++
			if ev.Kind == enginev1.EventKind_EVENT_KIND_COUNTED {
				counted[ev.Payment] = true
			}
		})
	}
	for ; counted[next]; next++ {
		continue
	}
	if want := meta(t, c.leader()).Counted; next <= want {
		t.Fatalf("the event of command %d of %d is not in Kafka", next, want)
	}
	// What Kafka has is deleted here, once the checkpoint holds the cursor.
	eventually(t, func() error {
		if n := len(readAfter(t, c.leader(), outbox.Cursor{})); n > int(end)/2 {
			return fmt.Errorf("%d of %d records are still in segments", n, end)
		}
		return nil
	})
}
