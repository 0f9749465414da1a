package benchmark

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// GrowthReport says what payments that wait cost the others and themselves.
type GrowthReport struct {
	InFlight int     `json:"in_flight"`
	LoadPerS float64 `json:"load_per_s"` // at which they were started

	// Bytes of each waiting payment: of live heap; of the process's own memory,
	// which has room for garbage; of its resident memory, which counts pages of the
	// checkpoint file that the system keeps at hand and may drop; and of that file.
	HeapBytes       float64 `json:"heap_bytes_per_payment"`
	AnonBytes       float64 `json:"anonymous_bytes_per_payment"`
	RSSBytes        float64 `json:"rss_bytes_per_payment"`
	CheckpointBytes float64 `json:"checkpoint_bytes_per_payment"`

	// One-task payments while nothing waits and while all of them do.
	Empty GrowthLoad `json:"empty"`
	Full  GrowthLoad `json:"full"`
	Ratio float64    `json:"ratio"`     // of payments a second
	CPU   float64    `json:"cpu_ratio"` // of payments per second of the node's work

	// How long the apply loop stood still because of a checkpoint, each time it
	// did, while the payments were started and while they waited.
	LoadPauses GrowthPauses `json:"pauses_while_loading"`
	Pauses     GrowthPauses `json:"pauses"`

	// Seconds from the start of a process that was killed to its readiness, and to
	// the end of a new payment.
	RestartReadyS   float64 `json:"restart_ready_s"`
	RestartServingS float64 `json:"restart_serving_s"`
	RestartRSSBytes float64 `json:"restart_rss_bytes_per_payment"`

	// How long it took until all timers had fired that became due at once, and the
	// one-task payments meanwhile, begun at a quarter of the rate of Full.
	TimersFired int64      `json:"timers_fired"`
	TimersS     float64    `json:"timers_s"`
	Timers      GrowthLoad `json:"while_timers_fire"`

	CPUs int `json:"cpus"`
}

// GrowthLoad is one-task payments under one condition.
type GrowthLoad struct {
	PerSecond float64 `json:"payments_per_s"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
	CPUMicros float64 `json:"leader_cpu_us,omitempty"`
}

// GrowthPauses are upper bounds: of the histogram's buckets.
type GrowthPauses struct {
	Count float64 `json:"count"`
	P99Ms float64 `json:"p99_ms"`
	MaxMs float64 `json:"max_ms"`
}

// growth is a run of one node that many payments wait in.
type growth struct {
	*cluster
	admin string
	n     int
}

// Grow starts a node, has n payments wait in it, and reports. Nothing of it is
// left running when it returns.
func Grow(ctx context.Context, c Config, n int) (r GrowthReport, err error) {
	c.Nodes, c.Ingress = 1, "stream"
	cl, err := startCluster(ctx, c, true)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.stop()) }()
	g := &growth{cl, devhub.URL(cl.plan.Nodes[0].Admin), n}
	r.InFlight, r.CPUs = n, runtime.NumCPU()

	slog.Info("measuring one-task payments while nothing waits")
	empty, r0, err := g.oneTask(ctx, 0, c.Duration)
	if err != nil {
		return r, err
	}
	r.Empty = r0

	slog.Info("starting payments that wait", "payments", n)
	before, err := scrape(ctx, g.admin)
	if err != nil {
		return r, err
	}
	expires := time.Now().Add(24 * time.Hour).Truncate(time.Millisecond)
	filled, err := g.load(ctx, loadArgs{do: "fill", workload: "one-task", waiting: n, expires: expires})
	if err != nil {
		return r, err
	}
	r.LoadPerS = round(filled.PerSecond)
	if err := errors.Join(g.awaitExported(ctx), g.settled(ctx)); err != nil {
		return r, err
	}
	after, err := scrape(ctx, g.admin)
	if err != nil {
		return r, err
	}
	r.LoadPauses = pauses(after, before)

	slog.Info("measuring one-task payments while they wait")
	full, r1, err := g.oneTask(ctx, 0, c.Duration)
	if err != nil {
		return r, err
	}
	r.Full = r1
	r.Ratio = math.Round(r1.PerSecond/r0.PerSecond*1000) / 1000
	r.CPU = math.Round(r0.CPUMicros/r1.CPUMicros*1000) / 1000
	each := func(before, after float64) float64 { return math.Round(max(after-before, 0) / float64(n)) }
	r.HeapBytes, r.AnonBytes, r.RSSBytes = each(empty.heap, full.heap), each(empty.anon, full.anon), each(empty.rss, full.rss)
	r.CheckpointBytes = each(empty.file, full.file)
	last, err := scrape(ctx, g.admin)
	if err != nil {
		return r, err
	}
	r.Pauses = pauses(last, after)

	slog.Info("killing the node")
	if err := g.restart(ctx, &r); err != nil {
		return r, fmt.Errorf("restart: %w", err)
	}
	r.RestartRSSBytes = each(empty.rss, memoryMB(g.leader.PID(), "VmRSS")*(1<<20))

	slog.Info("letting all timers become due")
	return r, g.fireAll(ctx, expires, &r)
}

func pauses(s, before series) GrowthPauses {
	all := s.buckets("railhead_replica_pause_seconds", before)
	p := GrowthPauses{P99Ms: quantileMs(all, 0.99), MaxMs: quantileMs(all, 1)}
	if len(all) > 0 {
		p.Count = all[len(all)-1].count
	}
	return p
}

// held is what a node holds, in bytes.
type held struct{ heap, anon, rss, file float64 }

// oneTask measures one-task payments, at the rate or as many as go, and what the
// node holds meanwhile: the least that was seen of it, since what is garbage
// comes and goes.
func (g *growth) oneTask(ctx context.Context, rate float64, duration time.Duration) (held, GrowthLoad, error) {
	watching, stop := context.WithCancel(ctx)
	least := held{heap: math.Inf(1), anon: math.Inf(1), rss: math.Inf(1)}
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			if s, err := scrape(watching, g.admin); err == nil {
				least.heap = min(least.heap, s["go_memstats_heap_alloc_bytes"])
				least.rss = min(least.rss, memoryMB(g.leader.PID(), "VmRSS")*(1<<20))
				least.anon = min(least.anon, memoryMB(g.leader.PID(), "RssAnon")*(1<<20))
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-watching.Done():
				return
			}
		}
	})
	cpu := g.leader.cpu()
	load, err := g.load(ctx, loadArgs{do: "payments", workload: "one-task", rate: rate, duration: duration})
	cpu = g.leader.cpu() - cpu
	stop()
	watch.Wait()
	if err != nil {
		return least, GrowthLoad{}, err
	}
	if load.NotCompleted > 0 {
		return least, GrowthLoad{}, fmt.Errorf("%d one-task payments did not complete", load.NotCompleted)
	}
	if info, err := os.Stat(g.checkpoint()); err == nil {
		least.file = float64(info.Size())
	}
	return least, GrowthLoad{
		PerSecond: round(load.PerSecond), P50Ms: load.P50Ms, P99Ms: load.P99Ms, MaxMs: load.MaxMs,
		CPUMicros: perPayment(cpu, load.Ended),
	}, g.awaitExported(ctx)
}

func (g *growth) checkpoint() string {
	return g.plan.NodeConfig(0).Dir + "/replica/state/checkpoint"
}

// settled waits until the checkpoint holds what was started.
func (g *growth) settled(ctx context.Context) error {
	s, err := g.control().Status(ctx, &corev1.StatusRequest{})
	if err != nil {
		return err
	}
	target := s.GetAppliedIndex()
	for {
		s, err := g.control().Status(ctx, &corev1.StatusRequest{})
		switch {
		case err != nil:
			return err
		case s.GetCheckpointIndex() >= target:
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// restart kills the node and measures until it serves again.
func (g *growth) restart(ctx context.Context, r *GrowthReport) error {
	process, err := os.FindProcess(g.leader.PID())
	if err != nil {
		return err
	}
	if err := process.Kill(); err != nil {
		return err
	}
	<-g.leader.Exited()
	begun := time.Now()
	if err := g.startNode(0); err != nil {
		return err
	}
	g.leader = g.nodes[0]
	if err := g.leader.AwaitReady(ctx, g.admin+"/readyz"); err != nil {
		return err
	}
	r.RestartReadyS = seconds(begun)
	// The node is asked again until it leads and takes the payment.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	key := fmt.Sprintf("restart-%d", begun.UnixNano())
	for {
		started, err := g.control().StartPayment(ctx, &corev1.StartPaymentRequest{Tenant: Tenant, Flow: "one-task", Channel: "bench", ClientKey: key})
		if err == nil {
			var p *corev1.GetPaymentResponse
			p, err = g.control().GetPayment(ctx, &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: started.GetPayment()}})
			if p.GetPayment().GetState() == "ended" {
				r.RestartServingS = seconds(begun)
				return nil
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// fireAll moves the clock to where every timer is due and measures until all have
// fired, while other payments go on.
func (g *growth) fireAll(ctx context.Context, expires time.Time, r *GrowthReport) error {
	const fired = "railhead_timers_fired_total"
	before, err := scrape(ctx, g.admin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type loaded struct {
		load GrowthLoad
		err  error
	}
	others := make(chan loaded, 1)
	go func() {
		// As long as the timers may be expected to fire.
		duration := max(g.config.Duration, time.Duration(g.n)*25*time.Microsecond)
		_, load, err := g.oneTask(ctx, r.Full.PerSecond/4, duration)
		others <- loaded{load, err}
	}()
	select { // the load begins before the timers do
	case <-time.After(g.config.Warmup):
	case <-ctx.Done():
		return ctx.Err()
	}
	begun := time.Now()
	if _, err := g.control().AdvanceClock(ctx, &corev1.AdvanceClockRequest{ByMs: time.Until(expires).Milliseconds() + 1000}); err != nil {
		return err
	}
	for {
		now, err := scrape(ctx, g.admin)
		if err != nil {
			return err
		}
		r.TimersFired = int64(now[fired] - before[fired])
		if r.TimersFired >= int64(g.n) {
			break
		}
		if time.Since(begun) > 10*time.Minute {
			return fmt.Errorf("%d of %d timers fired within %s", r.TimersFired, g.n, time.Since(begun))
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.TimersS = seconds(begun)
	l := <-others
	r.Timers = l.load
	r.Timers.CPUMicros = 0 // of the timers more than of these
	return l.err
}

func seconds(since time.Time) float64 { return math.Round(time.Since(since).Seconds()*100) / 100 }
