//go:build kafka

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestRealKafka runs transfers over Apache Kafka's own broker. The broker is
// killed for a while; payments go on; when it is back every record is there, in
// order for each payment, none missing and none opsd has not shown.
func TestRealKafka(t *testing.T) {
	broker := startKafka(t)
	h := startHub(t, options{brokers: broker.address})

	var payments []string
	pay := func(n int) {
		for range n {
			id := h.transfer(unique(t, len(payments)))
			h.completed(id)
			payments = append(payments, id)
		}
	}
	pay(5)
	for _, id := range payments {
		h.shown(id)
	}

	broker.kill()
	pay(20)
	if backlog := h.backlog(); backlog == 0 {
		t.Error("with the broker down, nothing waits to be exported")
	}
	// A node that dies meanwhile still has what the broker lacks.
	h.nodes[0].kill()
	h.restart(h.nodes[0])
	pay(5)

	broker.serve(t)
	pay(5)
	until(t, 2*patience, func() error {
		if n := h.backlog(); n > 0 {
			return fmt.Errorf("%d records wait to be exported", n)
		}
		return nil
	})
	for _, id := range payments {
		h.shown(id)
	}
	checkTopic(t, broker.address, payments)
	h.balanced()
}

func (h *hub) backlog() uint64 {
	h.t.Helper()
	s, err := h.leader().control.Status(h.t.Context(), &corev1.StatusRequest{})
	if err != nil {
		h.t.Fatal(err)
	}
	return s.GetExportBacklog()
}

// checkTopic reads the whole topic of payments' events. Records may come twice,
// which consumers drop by id; what is left must be 1, 2, 3 … for each payment.
func checkTopic(t *testing.T, broker string, payments []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics("railhead.events.v1"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	last := map[uint64]uint32{}
	ended := map[uint64]bool{}
	until(t, patience, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		fetches := client.PollFetches(ctx)
		var fault error
		fetches.EachRecord(func(r *kgo.Record) {
			var e enginev1.Event
			if err := e.UnmarshalVT(r.Value); err != nil {
				fault = stop{fmt.Errorf("record %d of partition %d: %w", r.Offset, r.Partition, err)}
				return
			}
			if e.Payment == 0 || e.Seq <= last[e.Payment] {
				return // not of a payment, or a repetition
			}
			if e.Seq != last[e.Payment]+1 {
				fault = stop{fmt.Errorf("payment %d: event %d follows %d", e.Payment, e.Seq, last[e.Payment])}
			}
			last[e.Payment] = e.Seq
			ended[e.Payment] = ended[e.Payment] || e.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED
		})
		switch {
		case fault != nil:
			return fault
		case len(ended) < len(payments) || slices.Contains(values(ended), false):
			return fmt.Errorf("the topic tells the end of %d payments, want %d", len(ended), len(payments))
		}
		return nil
	})
}

func values(m map[uint64]bool) []bool {
	out := make([]bool, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// kafka is Apache Kafka in one Java process.
type kafka struct {
	*process
	address string
}

// startKafka formats a folder and starts a broker on it. RAILHEAD_KAFKA names the
// folder of its jars, which examples/e2e/kafka.sh fetches.
func startKafka(t *testing.T) *kafka {
	t.Helper()
	libs := os.Getenv("RAILHEAD_KAFKA")
	if libs == "" {
		t.Fatal("RAILHEAD_KAFKA names no folder of Kafka's jars: run \"make test-kafka\"")
	}
	dir := workDir(t)
	ports := freePorts(t, 2)
	k := &kafka{address: address(ports[0])}
	properties := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(`process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
`, address(ports[0]), address(ports[1]), filepath.Join(dir, "data"))
	if err := os.WriteFile(properties, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	classes := filepath.Join(libs, "*")
	format := exec.Command("java", "-cp", classes, "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", properties)
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("format Kafka's storage: %v\n%s", err, out)
	}
	k.process = launch(t, "kafka", dir, "java", "-Xmx512m", "-cp", classes, "kafka.Kafka", properties)
	k.listening(t)
	return k
}

// serve starts the broker again after a kill.
func (k *kafka) serve(t *testing.T) {
	t.Helper()
	if err := k.start(); err != nil {
		t.Fatal(err)
	}
	k.listening(t)
}

func (k *kafka) listening(t *testing.T) {
	t.Helper()
	until(t, patience, func() error {
		if err := k.ended(); err != nil {
			return stop{err}
		}
		c, err := net.DialTimeout("tcp", k.address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
