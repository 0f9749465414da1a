package devhub

import (
	"fmt"
	"net"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is a Kafka broker inside this process, for one machine: its records are
// on disk and every write is synced, but there is one copy of them.
type Broker struct {
	cluster *kfake.Cluster
	Address string
}

// OpenBroker serves Kafka on a loopback port, with its records in dir.
func OpenBroker(dir string, port int) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.ClusterID(BrokerID),
		kfake.DataDir(dir),
		kfake.SyncWrites(),
		kfake.DefaultNumPartitions(partitions),
		kfake.AllowAutoTopicCreation(),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka on port %d: %w", port, err)
	}
	return &Broker{cluster: cluster, Address: net.JoinHostPort("127.0.0.1", fmt.Sprint(port))}, nil
}

// BrokerID is the id of the embedded broker's cluster, by which a node knows it.
const BrokerID = "kfake"

// partitions of a topic: enough to see that order is per payment and no more.
const partitions = 3

// Close writes what is left and stops serving.
func (b *Broker) Close() { b.cluster.Close() }
