package benchmark

import (
	"context"
	"fmt"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// Count is the same load with commands that only count: through the same stream,
// packed the same way, as many and as long as those of the workload, one after
// the other for each payment. What it reaches is what Raft alone would do.
func Count(ctx context.Context, c LoadConfig) (LoadReport, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+straggle)
	defer cancel()
	d, err := openDriver(ctx, c, 0)
	if err != nil {
		return LoadReport{}, err
	}
	m := newMeter(c.Warmup, c.Duration)
	padding := c.Workload.padding()
	open := make(map[uint64]time.Time, c.Outstanding)
	var last uint64
	ask := func(ref uint64) item {
		open[ref] = time.Now()
		return item{count: &corev1.DriveCount{
			Ref: ref, Commands: uint32(c.Workload.Commands()), PaddingBytes: padding, InSequence: true,
		}}
	}
	begin := func() {
		last++
		d.queue <- ask(last)
	}
	for range c.Outstanding {
		begin()
	}
	err = d.run(func(answer *corev1.DriveResponse) bool {
		for _, counted := range answer.GetCounted() {
			if counted.GetCode() != "" {
				m.refuse(counted.GetCode())
				d.again(ask(counted.GetRef()))
				continue
			}
			m.ended(open[counted.GetRef()], true)
			delete(open, counted.GetRef())
			if !m.over() {
				begin()
			}
		}
		return len(open) == 0
	})
	if err != nil {
		return LoadReport{}, fmt.Errorf("%d counts had not ended: %w", len(open), err)
	}
	return m.report()
}
