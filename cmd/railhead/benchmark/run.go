package benchmark

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	"github.com/railhead-hub/railhead/cmd/railhead/proc"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/examples/bench"
	"github.com/railhead-hub/railhead/examples/flows"
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
	Connectors  string // folder of the modules
	Dir         string // of data and logs

	// Control and Ops reach a node and opsd at an address.
	Control func(url string) corev1connect.ControlServiceClient
	Ops     func(url string) opsv1connect.OpsServiceClient
}

// Report is the benchmark's one line.
type Report struct {
	Workload         string  `json:"workload"`
	Nodes            int     `json:"nodes"`
	Ingress          string  `json:"ingress"`
	PaymentsPerS     float64 `json:"payments_per_s"`
	P50Ms            float64 `json:"p50_ms"`
	P99Ms            float64 `json:"p99_ms"`
	CommandsPerS     float64 `json:"commands_per_s"`
	RaftOnlyPerS     float64 `json:"raft_only_payments_per_s"`
	ExportBacklogEnd uint64  `json:"export_backlog_end"`
	OpsdDrainPerS    float64 `json:"opsd_drain_per_s"`
	RSSMB            float64 `json:"rss_mb"` // the largest node at its largest
	Outstanding      int     `json:"outstanding"`
	DurationS        float64 `json:"duration_s"`
	NotCompleted     int64   `json:"not_completed"`
	Refused          int64   `json:"refused"`
	LastRefusal      string  `json:"last_refusal,omitempty"`
	CPUs             int     `json:"cpus"`
}

// Run starts a cluster of processes, loads it and reports. Nothing of it is left
// running when it returns.
func Run(ctx context.Context, c Config) (report Report, err error) {
	plan, err := devhub.NewPlan(c.Dir, c.Nodes, true)
	if err != nil {
		return report, err
	}
	module, err := devhub.Modules(c.Connectors, "bench")
	if err != nil {
		return report, err
	}
	var running []*proc.Process
	defer func() { err = errors.Join(err, proc.StopAll(running, 20*time.Second)) }()
	start := func(name string, args ...string) (*proc.Process, error) {
		p, err := proc.Start(name, plan.Dir, args...)
		if err == nil {
			running = append(running, p)
		}
		return p, err
	}

	if _, err := start("kafka", "example", "kafka", "--dir", filepath.Join(plan.Dir, "kafka"), "--port", fmt.Sprint(plan.Kafka)); err != nil {
		return report, err
	}
	nodes := make([]*proc.Process, c.Nodes)
	for i := range nodes {
		config := plan.NodeConfig(i)
		if nodes[i], err = start(config.ID, append(devhub.NodeArgs(config), "--log-level=warn")...); err != nil {
			return report, err
		}
	}
	ready, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i, p := range nodes {
		if err := p.AwaitReady(ready, devhub.URL(plan.Nodes[i].Admin)+"/readyz"); err != nil {
			return report, err
		}
	}
	leader, err := devhub.Leader(ready, plan, c.Control)
	if err != nil {
		return report, err
	}
	if err := provision(ctx, c, leader, module); err != nil {
		return report, err
	}

	slog.Info("measuring", "workload", c.Workload.Name, "nodes", c.Nodes, "ingress", c.Ingress, "seconds", c.Duration.Seconds())
	load, err := runLoad(ctx, c, plan, leader)
	if err != nil {
		return report, err
	}
	report = Report{
		Workload: c.Workload.Name, Nodes: c.Nodes, Ingress: c.Ingress,
		PaymentsPerS: round(load.Payments.PerSecond), P50Ms: load.Payments.P50Ms, P99Ms: load.Payments.P99Ms,
		CommandsPerS:     round(load.Payments.PerSecond * float64(c.Workload.Commands())),
		RaftOnlyPerS:     round(load.RaftOnly.PerSecond),
		ExportBacklogEnd: load.ExportBacklog,
		Outstanding:      c.Outstanding, DurationS: c.Duration.Seconds(),
		NotCompleted: load.Payments.NotCompleted, Refused: load.Payments.Refused, LastRefusal: load.Payments.LastRefusal,
		CPUs: runtime.NumCPU(),
	}
	for _, p := range nodes {
		report.RSSMB = max(report.RSSMB, peakMemoryMB(p.PID()))
	}

	slog.Info("letting opsd catch up")
	if _, err := start("opsd", plan.OpsdArgs()...); err != nil {
		return report, err
	}
	report.OpsdDrainPerS, err = drain(ctx, c.Ops(devhub.URL(plan.Ops)))
	return report, err
}

func round(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

func provision(ctx context.Context, c Config, leader string, modules []string) error {
	payer, err := flows.Files.ReadFile(flows.PayerFundTransfer)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return devhub.Provision(ctx, c.Control(leader), &corev1.Tenant{Id: Tenant, Name: "Benchmark", Config: "{}", BufferedMax: 1_000_000}, modules,
		[]devhub.Flow{{File: "one-task.bpmn", XML: bench.OneTask}, {File: flows.PayerFundTransfer, XML: payer}},
		&corev1.Actor{Name: "bench"})
}

// loaded is what the load process prints.
type loaded struct {
	Payments      LoadReport `json:"payments"`
	RaftOnly      LoadReport `json:"raft_only"`
	ExportBacklog uint64     `json:"export_backlog"`
}

// runLoad runs the load in a process of its own.
func runLoad(ctx context.Context, c Config, plan devhub.Plan, leader string) (loaded, error) {
	self, err := os.Executable()
	if err != nil {
		return loaded{}, err
	}
	args := []string{
		"bench-load", "--workload", c.Workload.Name, "--ingress", c.Ingress, "--control", leader,
		"--outstanding", fmt.Sprint(c.Outstanding), "--warmup", c.Warmup.String(), "--duration", c.Duration.String(),
	}
	for _, n := range plan.Nodes {
		args = append(args, "--url", devhub.URL(n.Ingress))
	}
	cmd := exec.CommandContext(ctx, self, args...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return loaded{}, fmt.Errorf("load: %w\n%s", err, strings.TrimSpace(faults.String()))
	}
	var l loaded
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		return loaded{}, fmt.Errorf("load: %w", err)
	}
	return l, nil
}

// RunLoad is the load process: the workload, then, once everything is exported,
// the same number of commands that only count.
func RunLoad(ctx context.Context, c LoadConfig) (any, error) {
	payments, err := Load(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	status, err := c.Control.Status(ctx, &corev1.StatusRequest{})
	if err != nil {
		return nil, err
	}
	if err := awaitExported(ctx, c); err != nil {
		return nil, err
	}
	counts, err := Count(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("raft only: %w", err)
	}
	return loaded{Payments: payments, RaftOnly: counts, ExportBacklog: status.GetExportBacklog()}, nil
}

func awaitExported(ctx context.Context, c LoadConfig) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		s, err := c.Control.Status(ctx, &corev1.StatusRequest{})
		if err != nil {
			return fmt.Errorf("wait for the export: %w", err)
		}
		if s.GetExportBacklog() == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
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

// peakMemoryMB is the most memory a process ever held, where the system tells
// (Linux), else 0.
func peakMemoryMB(pid int) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kb); n == 1 {
			return round(kb / 1024)
		}
	}
	return 0
}
