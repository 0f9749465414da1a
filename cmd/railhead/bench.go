package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/benchmark"
	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

func (a *app) benchCmd() *cobra.Command {
	var workload string
	var keep bool
	var inFlight int
	swaps := benchmark.SwapConfig{}
	c := benchmark.Config{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure payments per second of real processes on this machine",
		Long: `Measure payments per second of a cluster of real processes on this machine: nodes
that sync their log and export to a broker that syncs its own, a connector in
WebAssembly that answers at once, and the load in a process of its own, with so
many payments outstanding at any time.

With --ingress stream, payments are started and messages published over one
stream of the control door; with http, every start goes through a channel
connector and every message comes as a callback. Latency is from asking for the
start to knowing of the end.

With --rate, so many payments begin each second instead, and latency counts from
when each was due. With --half, a second run begins half as many a second as the
first has reached.

With --in-flight, so many payments are started that wait, on one node, and the
report says what they cost: memory, the throughput of one-task payments beside
them, pauses of the apply loop because of checkpoints, the time from kill to
serving, and the time until all their timers have fired that become due at once.

With --swaps, two versions of the connector are swapped so many times while payments
run, and --rollbacks of the swaps taken back: the report counts what was lost or done
twice, from the events in Kafka, and compares latencies before, during and after. The
rate is 1,000 a second, or half of what the machine can do if that is less.

raft_only_payments_per_s repeats the load with as many and as long commands that
only count, and export nothing. opsd is off while payments run; opsd_drain_per_s
is how many records a second it then takes in. The columns "CPU us" are
microseconds of work in each payment, of the leader and of all nodes.`,
		Example: `  railhead bench --workload one-task --nodes 1 --ingress stream --duration 10s --json
  railhead bench --workload payer-fund-transfer --nodes 3 --half
  railhead bench --in-flight 1000000 --json
  railhead bench --swaps 100 --rollbacks 20 --duration 60s`,
		Args:    cobra.NoArgs,
		GroupID: "run",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Workload, err = benchmark.FindWorkload(workload); err != nil {
				return usageError{err}
			}
			if c.Ingress != "stream" && c.Ingress != "http" {
				return usagef("--ingress %q is neither stream nor http", c.Ingress)
			}
			if c.Rate < 0 {
				return usagef("--rate is payments a second, not %g", c.Rate)
			}
			if c.Nodes != 1 && c.Nodes != 3 {
				return usagef("--nodes is 1 or 3, not %d", c.Nodes)
			}
			if inFlight < 0 || inFlight > 0 && c.Nodes != 1 {
				return usagef("--in-flight is a number of payments on 1 node")
			}
			for _, name := range []string{"workload", "ingress", "half", "rate"} {
				if inFlight > 0 && cmd.Flags().Changed(name) {
					return usagef("--in-flight has a load of its own: leave out --%s", name)
				}
			}
			if swaps.Swaps < 0 || swaps.Rollbacks < 0 || swaps.Rollbacks > swaps.Swaps || swaps.Swaps > 0 && (inFlight > 0 || c.Half) {
				return usagef("--swaps goes with at most as many --rollbacks, and without --in-flight and --half")
			}
			if c.Dir == "" {
				if c.Dir, err = os.MkdirTemp("", "railhead-bench-"); err != nil {
					return err
				}
			}
			c.Control = func(url string) corev1connect.ControlServiceClient {
				return corev1connect.NewControlServiceClient(a.wire, url, connect.WithGRPC())
			}
			c.Ops = func(url string) opsv1connect.OpsServiceClient {
				return opsv1connect.NewOpsServiceClient(a.wire, url, connect.WithGRPC())
			}
			if inFlight > 0 {
				return a.growth(cmd, c, inFlight, keep)
			}
			if swaps.Swaps > 0 {
				return a.benchSwap(cmd, c, swaps, keep)
			}
			report, err := benchmark.Run(cmd.Context(), c)
			if err != nil {
				return fmt.Errorf("%w\nlogs are in %s", err, c.Dir)
			}
			if !keep {
				defer os.RemoveAll(c.Dir)
			}
			if a.json {
				return printJSON(a.out, report)
			}
			t := newTable(a.out, "workload", "nodes", "ingress", "payments/s", "p50 ms", "p99 ms", "commands/s", "raft only/s", "backlog", "opsd records/s", "CPU us leader", "CPU us nodes", "rss MB")
			t.row(report.Workload, report.Nodes, report.Ingress, report.PaymentsPerS, report.P50Ms, report.P99Ms,
				report.CommandsPerS, report.RaftOnlyPerS, report.ExportBacklogEnd, report.OpsdDrainPerS,
				report.LeaderCPUMicros, report.NodesCPUMicros, report.RSSMB)
			if err := t.flush(); err != nil || report.HalfLoad == nil {
				return err
			}
			t = newTable(a.out, "half load/s", "p50 ms", "p99 ms", "max ms")
			t.row(report.HalfLoad.PaymentsPerS, report.HalfLoad.P50Ms, report.HalfLoad.P99Ms, report.HalfLoad.MaxMs)
			return t.flush()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&workload, "workload", "one-task", strings.Join(benchmark.WorkloadNames(), ", "))
	flags.IntVar(&c.Nodes, "nodes", 1, "1 or 3")
	flags.StringVar(&c.Ingress, "ingress", "stream", "stream or http")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&c.Warmup, "warmup", 2*time.Second, "how long to run before that")
	flags.IntVar(&c.Outstanding, "outstanding", 512, "payments under way at any time")
	flags.Float64Var(&c.Rate, "rate", 0, "payments to begin each second, instead of --outstanding")
	flags.BoolVar(&c.Half, "half", false, "measure at half of that load as well")
	flags.IntVar(&inFlight, "in-flight", 0, "payments that wait; measure what they cost")
	flags.IntVar(&swaps.Swaps, "swaps", 0, "times that the connector is swapped under load")
	flags.IntVar(&swaps.Rollbacks, "rollbacks", 0, "of the swaps, how many are rolled back")
	flags.StringVar(&c.Connectors, "connectors", devhub.ConnectorsDir(), "`folder` of the connectors' modules")
	flags.StringVar(&c.Dir, "dir", "", "`folder` for data and logs; a temporary one unless set")
	flags.BoolVar(&keep, "keep", false, "leave the folder where it is")
	return cmd
}

// growth is bench --in-flight.
func (a *app) growth(cmd *cobra.Command, c benchmark.Config, inFlight int, keep bool) error {
	r, err := benchmark.Grow(cmd.Context(), c, inFlight)
	if err != nil {
		return fmt.Errorf("%w\nlogs are in %s", err, c.Dir)
	}
	if !keep {
		defer os.RemoveAll(c.Dir)
	}
	if a.json {
		return printJSON(a.out, r)
	}
	t := newTable(a.out, "in flight", "started/s", "heap B each", "RSS B each", "one-task/s", "of empty", "pause p99 ms", "restart s", "timers s")
	t.row(r.InFlight, r.LoadPerS, fmt.Sprintf("%.0f", r.HeapBytes), fmt.Sprintf("%.0f", r.RSSBytes), r.Full.PerSecond, r.Ratio, r.Pauses.P99Ms, r.RestartServingS, r.TimersS)
	return t.flush()
}

// benchLoadCmd is the load process of bench; people do not call it.
func (a *app) benchLoadCmd() *cobra.Command {
	var workload, expires string
	c := benchmark.LoadConfig{}
	cmd := &cobra.Command{
		Use:    "bench-load",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Workload, err = benchmark.FindWorkload(workload); err != nil {
				return usageError{err}
			}
			if expires != "" {
				if c.Expires, err = time.Parse(time.RFC3339Nano, expires); err != nil {
					return usageError{err}
				}
			}
			c.Control = a.control()
			c.Run = fmt.Sprintf("%016x", time.Now().UnixNano())
			report, err := benchmark.Load(cmd.Context(), c)
			if err != nil {
				return err
			}
			return printJSON(a.out, report)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&workload, "workload", "one-task", "")
	flags.StringVar(&c.Ingress, "ingress", "stream", "")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "")
	flags.DurationVar(&c.Warmup, "warmup", 2*time.Second, "")
	flags.IntVar(&c.Outstanding, "outstanding", 512, "")
	flags.StringVar(&c.Do, "do", "payments", "")
	flags.Float64Var(&c.Rate, "rate", 0, "")
	flags.IntVar(&c.Waiting, "waiting", 0, "")
	flags.StringVar(&expires, "expires", "", "")
	flags.StringArrayVar(&c.URLs, "url", nil, "")
	return cmd
}
