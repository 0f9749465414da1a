package benchmark

import (
	"context"
	"slices"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// backlog is the records that Kafka did not have yet, as the leader told while
// the load ran.
type backlog struct {
	samples []uint64
	stop    context.CancelFunc
	done    chan struct{}
}

// watchBacklog asks four times a second, after the warm-up, until end.
func watchBacklog(ctx context.Context, control corev1connect.ControlServiceClient, warmup, duration time.Duration) *backlog {
	ctx, cancel := context.WithTimeout(ctx, warmup+duration)
	b := &backlog{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		first := time.After(warmup)
		select {
		case <-first:
		case <-ctx.Done():
			return
		}
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			if s, err := control.Status(ctx, &corev1.StatusRequest{}); err == nil {
				b.samples = append(b.samples, s.GetExportBacklog())
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return b
}

// end stops asking.
func (b *backlog) end() {
	b.stop()
	<-b.done
}

// figures are the means of the first and the last third of the samples, and the
// largest. The backlog grows if, over the time between these thirds, it has
// gained more records than half a second of payments: the export works in
// chunks, and what is on its way goes up and down by as much.
func (b *backlog) figures(paymentsPerS float64) (first, last, peak float64, growing bool) {
	if len(b.samples) == 0 {
		return 0, 0, 0, false
	}
	mean := func(samples []uint64) (sum float64) {
		for _, s := range samples {
			sum += float64(s)
		}
		return round(sum / float64(len(samples)))
	}
	third := max(len(b.samples)/3, 1)
	first, last = mean(b.samples[:third]), mean(b.samples[len(b.samples)-third:])
	return first, last, float64(slices.Max(b.samples)), last > first+paymentsPerS/2
}
