package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// Config is one run of the benchmark.
type Config struct {
	Workload    Workload
	Nodes       int
	Ingress     string
	Outstanding int
	Warmup      time.Duration
	Duration    time.Duration
	// Rate, where it is not 0, is how many payments begin each second; otherwise
	// Outstanding are under way at any time.
	Rate float64
	// Half repeats the load at half the rate that was reached.
	Half       bool
	Connectors string // folder of the modules
	Dir        string // of data and logs

	// Control and Ops reach a node and opsd at an address.
	Control func(url string) corev1connect.ControlServiceClient
	Ops     func(url string) opsv1connect.OpsServiceClient
}

// Report is the benchmark's one line. Rates are per second, latencies from when
// a payment is due to knowing of its end.
type Report struct {
	Workload     string  `json:"workload"`
	Nodes        int     `json:"nodes"`
	Ingress      string  `json:"ingress"`
	Rate         float64 `json:"rate,omitempty"` // asked for; 0: as many as go
	PaymentsPerS float64 `json:"payments_per_s"`
	P50Ms        float64 `json:"p50_ms"`
	P99Ms        float64 `json:"p99_ms"`
	CommandsPerS float64 `json:"commands_per_s"`

	RaftOnlyPerS  float64 `json:"raft_only_payments_per_s"`
	RaftOnlyRatio float64 `json:"raft_only_ratio"` // payments_per_s by raft_only_payments_per_s

	*HalfLoad

	// The records that Kafka does not have yet: means over the first and the last
	// third of the measured time, the most, and when the load ended.
	ExportBacklogFirst   float64 `json:"export_backlog_first"`
	ExportBacklogLast    float64 `json:"export_backlog_last"`
	ExportBacklogPeak    float64 `json:"export_backlog_peak"`
	ExportBacklogGrowing bool    `json:"export_backlog_growing"`
	ExportBacklogEnd     uint64  `json:"export_backlog_end"`
	OpsdDrainPerS        float64 `json:"opsd_drain_per_s"`

	// Microseconds of work in each payment: of the leader, of all nodes, of the
	// broker and of the load.
	LeaderCPUMicros float64 `json:"leader_cpu_us"`
	NodesCPUMicros  float64 `json:"nodes_cpu_us"`
	KafkaCPUMicros  float64 `json:"kafka_cpu_us"`
	LoadCPUMicros   float64 `json:"load_cpu_us"`
	RSSMB           float64 `json:"rss_mb"` // the largest node at its largest

	Outstanding  int     `json:"outstanding"`
	DurationS    float64 `json:"duration_s"`
	NotCompleted int64   `json:"not_completed"`
	Refused      int64   `json:"refused"`
	LastRefusal  string  `json:"last_refusal,omitempty"`
	CPUs         int     `json:"cpus"`
}

// HalfLoad is what half of the load that was reached looks like to a payment.
type HalfLoad struct {
	Rate         float64 `json:"half_load_rate"`
	PaymentsPerS float64 `json:"half_load_payments_per_s"`
	P50Ms        float64 `json:"half_load_p50_ms"`
	P99Ms        float64 `json:"half_load_p99_ms"`
	MaxMs        float64 `json:"half_load_max_ms"`
}

// Run starts a cluster of processes, loads it and reports. Nothing of it is left
// running when it returns.
func Run(ctx context.Context, c Config) (report Report, err error) {
	cl, err := startCluster(ctx, c, false)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, cl.stop()) }()
	slog.Info("measuring", "workload", c.Workload.Name, "nodes", c.Nodes, "ingress", c.Ingress, "seconds", c.Duration.Seconds())

	kafka, leader, nodes := cl.kafka.cpu(), cl.leader.cpu(), cl.nodesCPU()
	backlog := watchBacklog(ctx, cl.control(), c.Warmup, c.Duration)
	load, err := cl.load(ctx, loadArgs{do: "payments", workload: c.Workload.Name, rate: c.Rate})
	backlog.end()
	if err != nil {
		return report, err
	}
	status, err := cl.control().Status(ctx, &corev1.StatusRequest{})
	if err != nil {
		return report, err
	}
	report = Report{
		Workload: c.Workload.Name, Nodes: c.Nodes, Ingress: c.Ingress, Rate: c.Rate,
		PaymentsPerS: round(load.PerSecond), P50Ms: load.P50Ms, P99Ms: load.P99Ms,
		CommandsPerS:     round(load.PerSecond * float64(c.Workload.Commands())),
		ExportBacklogEnd: status.GetExportBacklog(),
		KafkaCPUMicros:   perPayment(cl.kafka.cpu()-kafka, load.Ended),
		LeaderCPUMicros:  perPayment(cl.leader.cpu()-leader, load.Ended),
		NodesCPUMicros:   perPayment(cl.nodesCPU()-nodes, load.Ended),
		LoadCPUMicros:    load.CPUMicros,
		Outstanding:      c.Outstanding, DurationS: c.Duration.Seconds(),
		NotCompleted: load.NotCompleted, Refused: load.Refused, LastRefusal: load.LastRefusal,
		CPUs: runtime.NumCPU(),
	}
	report.ExportBacklogFirst, report.ExportBacklogLast, report.ExportBacklogPeak, report.ExportBacklogGrowing = backlog.figures(load.PerSecond)
	if err := cl.awaitExported(ctx); err != nil {
		return report, err
	}
	if c.Half {
		slog.Info("measuring at half of that load")
		rate := max(load.PerSecond/2, 1)
		half, err := cl.load(ctx, loadArgs{do: "payments", workload: c.Workload.Name, rate: rate})
		if err != nil {
			return report, fmt.Errorf("half load: %w", err)
		}
		report.HalfLoad = &HalfLoad{
			Rate: round(rate), PaymentsPerS: round(half.PerSecond), P50Ms: half.P50Ms, P99Ms: half.P99Ms, MaxMs: half.MaxMs,
		}
		if err := cl.awaitExported(ctx); err != nil {
			return report, err
		}
	}
	counts, err := cl.load(ctx, loadArgs{do: "counts", workload: c.Workload.Name})
	if err != nil {
		return report, fmt.Errorf("raft only: %w", err)
	}
	report.RaftOnlyPerS = round(counts.PerSecond)
	report.RaftOnlyRatio = float64(int(load.PerSecond/counts.PerSecond*1000+0.5)) / 1000
	for _, n := range cl.nodes {
		report.RSSMB = max(report.RSSMB, memoryMB(n.PID(), "VmHWM"))
	}
	slog.Info("letting opsd catch up")
	if _, err := cl.start("opsd", cl.plan.OpsdArgs()...); err != nil {
		return report, err
	}
	report.OpsdDrainPerS, err = drain(ctx, c.Ops(devhub.URL(cl.plan.Ops)))
	return report, err
}

func round(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

// loadArgs is what one load process is to do.
type loadArgs struct {
	do, workload string
	rate         float64
	duration     time.Duration // 0: the benchmark's
	waiting      int
	expires      time.Time
}

// load runs the load in a process of its own.
func (cl *cluster) load(ctx context.Context, a loadArgs) (r LoadReport, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	c := cl.config
	if a.duration == 0 {
		a.duration = c.Duration
	}
	args := []string{
		"bench-load", "--do", a.do, "--workload", a.workload, "--ingress", c.Ingress, "--control", cl.leaderURL,
		"--rate", fmt.Sprint(a.rate), "--outstanding", fmt.Sprint(c.Outstanding),
		"--warmup", c.Warmup.String(), "--duration", a.duration.String(), "--waiting", fmt.Sprint(a.waiting),
	}
	if !a.expires.IsZero() {
		args = append(args, "--expires", a.expires.Format(time.RFC3339Nano))
	}
	for _, n := range cl.plan.Nodes {
		args = append(args, "--url", devhub.URL(n.Ingress))
	}
	cmd := exec.CommandContext(ctx, self, args...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("load: %w\n%s", err, strings.TrimSpace(faults.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("load: %w", err)
	}
	return r, nil
}

// drain measures how fast opsd takes in what the run left in Kafka.
func drain(ctx context.Context, ops opsv1connect.OpsServiceClient) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var begun time.Time
	var first int64
	for {
		s, err := ops.GetStatus(ctx, &opsv1.GetStatusRequest{})
		if err == nil {
			var done, lag int64
			known := len(s.GetPositions()) > 0
			for _, p := range s.GetPositions() {
				done += p.GetNextOffset()
				lag += p.GetLag()
				known = known && p.GetLag() >= 0
			}
			switch {
			case begun.IsZero() && done > 0:
				begun, first = time.Now(), done
			case known && lag == 0 && done > first:
				return round(float64(done-first) / time.Since(begun).Seconds()), nil
			case known && lag == 0 && done > 0 && time.Since(begun) > time.Second:
				return 0, nil // too few records to measure
			}
		}
		select {
		case <-ctx.Done():
			return 0, errors.Join(fmt.Errorf("opsd has not caught up: %w", ctx.Err()), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
