package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	"github.com/railhead-hub/railhead/cmd/railhead/proc"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/examples/bench"
	"github.com/railhead-hub/railhead/examples/flows"
)

// process is one of the benchmark's.
type process struct{ *proc.Process }

func (p process) cpu() time.Duration { return cpuTime(p.PID()) }

// cluster is the processes that are measured: a broker and nodes.
type cluster struct {
	config    Config
	plan      devhub.Plan
	testClock bool
	running   []*proc.Process
	kafka     process
	nodes     []process
	leader    process
	leaderURL string // its control door
}

// startCluster starts the processes and makes them ready for the workloads.
func startCluster(ctx context.Context, c Config, testClock bool) (_ *cluster, err error) {
	plan, err := devhub.NewPlan(c.Dir, c.Nodes, true)
	if err != nil {
		return nil, err
	}
	modules, err := devhub.Modules(c.Connectors, "bench")
	if err != nil {
		return nil, err
	}
	cl := &cluster{config: c, plan: plan, testClock: testClock, nodes: make([]process, c.Nodes)}
	defer func() {
		if err != nil {
			err = errors.Join(err, cl.stop())
		}
	}()
	if cl.kafka, err = cl.start("kafka", "example", "kafka", "--dir", filepath.Join(plan.Dir, "kafka"), "--port", fmt.Sprint(plan.Kafka)); err != nil {
		return nil, err
	}
	for i := range cl.nodes {
		if err := cl.startNode(i); err != nil {
			return nil, err
		}
	}
	if err := cl.awaitLeader(ctx); err != nil {
		return nil, err
	}
	return cl, cl.provision(ctx, modules)
}

func (cl *cluster) start(name string, args ...string) (process, error) {
	p, err := proc.Start(name, cl.plan.Dir, args...)
	if err != nil {
		return process{}, err
	}
	cl.running = append(cl.running, p)
	return process{p}, nil
}

func (cl *cluster) startNode(i int) (err error) {
	config := cl.plan.NodeConfig(i)
	config.TestClock = cl.testClock
	cl.nodes[i], err = cl.start(config.ID, append(devhub.NodeArgs(config), "--log-level=warn")...)
	return err
}

// awaitLeader waits until every node is ready and one of them leads.
func (cl *cluster) awaitLeader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for i, p := range cl.nodes {
		if err := p.AwaitReady(ctx, devhub.URL(cl.plan.Nodes[i].Admin)+"/readyz"); err != nil {
			return err
		}
	}
	url, err := devhub.Leader(ctx, cl.plan, cl.config.Control)
	if err != nil {
		return err
	}
	cl.leaderURL = url
	for i, n := range cl.plan.Nodes {
		if devhub.URL(n.Control) == url {
			cl.leader = cl.nodes[i]
		}
	}
	return nil
}

func (cl *cluster) control() corev1connect.ControlServiceClient {
	return cl.config.Control(cl.leaderURL)
}

func (cl *cluster) nodesCPU() (sum time.Duration) {
	for _, n := range cl.nodes {
		sum += n.cpu()
	}
	return sum
}

func (cl *cluster) stop() error { return proc.StopAll(cl.running, 20*time.Second) }

// provision configures the tenant and deploys every flow.
func (cl *cluster) provision(ctx context.Context, modules []string) error {
	payer, err := flows.Files.ReadFile(flows.PayerFundTransfer)
	if err != nil {
		return err
	}
	deploy := []devhub.Flow{{File: flows.PayerFundTransfer, XML: payer}}
	files, err := fs.Glob(bench.Flows, "*.bpmn")
	if err != nil {
		return err
	}
	for _, file := range files {
		xml, err := bench.Flows.ReadFile(file)
		if err != nil {
			return err
		}
		deploy = append(deploy, devhub.Flow{File: file, XML: xml})
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tenant := &corev1.Tenant{
		Id: Tenant, Name: "Benchmark", BufferedMax: 1_000_000,
		Config: `{"connectors": {"bench": {"auth": {"kind": "none"}}}}`, // the hub listens on loopback
	}
	return devhub.Provision(ctx, cl.control(), tenant, modules, deploy, &corev1.Actor{Name: "bench"})
}

// awaitExported waits until Kafka has everything, so that one measurement does
// not pay for what another has left.
func (cl *cluster) awaitExported(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		s, err := cl.control().Status(ctx, &corev1.StatusRequest{})
		if err != nil {
			return fmt.Errorf("wait for the export: %w", err)
		}
		if s.GetExportBacklog() == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}
