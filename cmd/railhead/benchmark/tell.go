package benchmark

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/railhead-hub/railhead/core/outbox"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// told is what Kafka tells of the payments of a run. It is counted from the events
// alone, so it does not rest on what the nodes or the load think.
type told struct {
	payments, lost, doubled int64
	jobs                    map[string]int64 // created, by the digest of the module
}

// story is what is told of one payment.
type story struct {
	started, ended, completed int
	twice                     bool
	jobs                      map[uint32]bool // completed
}

// tell reads everything that was exported. A payment is lost that began and has not
// ended, or without all of its jobs, of which each has so many; it is doubled when it, a
// job of it or its client's key is told of twice.
func (cl *cluster) tell(ctx context.Context, jobs int) (*told, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", cl.plan.Kafka)), kgo.ConsumeTopics(outbox.TopicEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, outbox.TopicEvents)
	if err != nil {
		return nil, err
	}
	var left int64
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	t := &told{jobs: make(map[string]int64)}
	stories, keys := make(map[uint64]*story), make(map[string]bool)
	last := make(map[int32][2]uint64) // by partition, the record's id
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			ev := new(enginev1.Event)
			if err = errors.Join(err, ev.UnmarshalVT(r.Value)); err != nil || ev.Payment == 0 {
				return
			}
			id := [2]uint64{ev.Index, uint64(ev.N)}
			if was := last[r.Partition]; id[0] < was[0] || id[0] == was[0] && id[1] <= was[1] {
				return // a leader that took over has sent it again
			}
			last[r.Partition] = id
			s := stories[ev.Payment]
			if s == nil {
				s = &story{jobs: make(map[uint32]bool)}
				stories[ev.Payment] = s
			}
			switch ev.Kind {
			case enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED:
				s.started++
				s.twice = s.twice || ev.Key != "" && keys[ev.Key]
				keys[ev.Key] = true
			case enginev1.EventKind_EVENT_KIND_JOB_CREATED:
				t.jobs[string(ev.Digest)]++
			case enginev1.EventKind_EVENT_KIND_JOB_COMPLETED:
				s.completed++
				s.twice = s.twice || s.jobs[ev.Job]
				s.jobs[ev.Job] = true
			case enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED:
				s.ended++
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for _, s := range stories {
		t.payments++
		if s.started == 0 || s.ended == 0 || s.completed < jobs {
			t.lost++
		}
		if s.twice || s.started > 1 || s.ended > 1 || s.completed > jobs {
			t.doubled++
		}
	}
	return t, nil
}
