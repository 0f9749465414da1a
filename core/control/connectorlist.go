package control

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// statsTimeout bounds the wait for what the other nodes have counted: a list is given
// without those that are away.
const statsTimeout = 2 * time.Second

// ListConnectors lists what is installed and what is active, who keeps what, and what
// the modules did on the nodes that can be asked.
func (s *Service) ListConnectors(ctx context.Context, _ *corev1.ListConnectorsRequest) (*corev1.ListConnectorsResponse, error) {
	answer := &corev1.ListConnectorsResponse{}
	var rows []*enginev1.Connector
	err := s.Replica.View(func(tx engine.Tx) error {
		pins := pinned(tx)
		tx.Ascend(engine.Key{Table: engine.TableConnector}, func(_ engine.Key, row engine.Row) bool {
			c := row.(*enginev1.Connector)
			rows = append(rows, c)
			answer.Connectors = append(answer.Connectors, connectorInfo(c))
			return true
		})
		tx.Ascend(engine.Key{Table: engine.TableActivation}, func(k engine.Key, row engine.Row) bool {
			a := row.(*enginev1.Activation)
			answer.Activations = append(answer.Activations, &corev1.ActivationInfo{
				Tenant: a.Tenant, Connector: a.Connector, Digest: a.Digest, Previous: a.Previous, ActivatedMs: a.ActivatedMs,
				Canary: a.Canary, CanaryWeight: a.CanaryWeight, CanaryMs: a.CanaryMs, Guard: fromGuard(a.Guard),
				Withdrawn: a.Withdrawn, ActivatedBy: a.ActivatedBy,
				PinnedPayments:       pins[k.S+"\x00"+string(a.Digest)],
				CanaryPinnedPayments: pins[k.S+"\x00"+string(a.Canary)],
			})
			for _, c := range answer.Connectors {
				if c.Name == a.Connector {
					c.PinnedPayments += pins[k.S+"\x00"+string(c.Digest)]
				}
			}
			return true
		})
		return nil
	})
	for i, row := range rows {
		answer.Connectors[i].Signers, _ = s.Connectors.Verify(row, "") // where it is refused nobody signed
	}
	for _, node := range s.everyNode(ctx) {
		for _, c := range answer.Connectors {
			if slices.ContainsFunc(node.Ready, func(d []byte) bool { return slices.Equal(d, c.Digest) }) {
				c.ReadyNodes = append(c.ReadyNodes, node.Node)
				c.Ready = c.Ready || node.Node == s.Node
			}
			for _, stat := range node.Stats {
				if slices.Equal(stat.Digest, c.Digest) {
					c.Stats = addStat(c.Stats, stat)
				}
			}
		}
	}
	return answer, err
}

func connectorInfo(c *enginev1.Connector) *corev1.ConnectorInfo {
	info := &corev1.ConnectorInfo{
		Name: c.Name, Kind: c.Kind, Version: c.Version, Digest: c.Digest,
		JobTypes: c.JobTypes, SizeBytes: c.Size, InstalledMs: c.InstalledMs,
		Author: c.Author, InstalledBy: c.InstalledBy, RevokedMs: c.RevokedMs, RevokedReason: c.RevokedReason,
	}
	for _, s := range c.Signatures {
		info.Signatures = append(info.Signatures, &corev1.Signature{
			Key: s.Key, Signature: s.Signature, Signer: s.Signer, Tenant: s.Tenant,
		})
	}
	return info
}

// pinned is how many running payments keep a digest, by the keys of their rows. A
// cluster whose engine does not count yet is counted here.
func pinned(tx engine.Tx) map[string]uint64 {
	pins := make(map[string]uint64)
	row, found := tx.Get(engine.Key{Table: engine.TableMeta})
	if found && row.(*enginev1.Meta).Version >= 2 {
		tx.Ascend(engine.Key{Table: engine.TablePins}, func(k engine.Key, row engine.Row) bool {
			pins[k.S] = row.(*enginev1.Pins).Payments
			return true
		})
		return pins
	}
	tx.Ascend(engine.Key{Table: engine.TableInstance}, func(_ engine.Key, row engine.Row) bool {
		in := row.(*enginev1.Instance)
		for _, pin := range in.Pins {
			pins[in.Tenant+"\x00"+pin.Connector+"\x00"+string(pin.Digest)]++
		}
		return true
	})
	return pins
}

// everyNode is what all nodes that can be asked have counted, in the order of their
// ids.
func (s *Service) everyNode(ctx context.Context) []*corev1.ModuleStatsResponse {
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	var mu sync.Mutex
	all := []*corev1.ModuleStatsResponse{s.moduleStats()}
	var asked sync.WaitGroup
	for id, peer := range s.Commands.Peers {
		asked.Go(func() {
			stats, err := peer.Client.ModuleStats(ctx, &corev1.ModuleStatsRequest{})
			if err != nil {
				s.Logger.Debug("a node was not asked what its modules did", "peer", id, "err", err)
				return
			}
			mu.Lock()
			all = append(all, stats)
			mu.Unlock()
		})
	}
	asked.Wait()
	slices.SortFunc(all, func(a, b *corev1.ModuleStatsResponse) int { return slices.Compare([]byte(a.Node), []byte(b.Node)) })
	return all
}

func (s *Service) moduleStats() *corev1.ModuleStatsResponse {
	answer := &corev1.ModuleStatsResponse{Node: s.Node, Ready: s.Connectors.ReadyModules()}
	for _, stat := range s.Connectors.Stats() {
		answer.Stats = append(answer.Stats, statOf(stat))
	}
	return answer
}

func statOf(s connector.Stat) *corev1.ModuleStat {
	return &corev1.ModuleStat{
		Tenant: s.Tenant, Digest: s.Digest[:], Steps: s.Steps, Attempts: s.Attempts,
		Failures: s.Counts.Failures, Traps: s.Traps,
		FuelTotal: s.FuelTotal, FuelP50: uint64(s.FuelP50), FuelP99: uint64(s.FuelP99),
		StepP50Ns: int64(s.StepP50), StepP99Ns: int64(s.StepP99),
		Instances: uint32(s.Instances), MemoryBytes: s.MemoryBytes,
	}
}

// addStat joins what a node counted with what others did. Quantiles of several nodes
// have no sum: those of the node that took most steps stand for all.
func addStat(stats []*corev1.ModuleStat, of *corev1.ModuleStat) []*corev1.ModuleStat {
	i := slices.IndexFunc(stats, func(s *corev1.ModuleStat) bool { return s.Tenant == of.Tenant })
	if i < 0 {
		return append(stats, of)
	}
	s := stats[i]
	if of.Steps > s.Steps {
		s.FuelP50, s.FuelP99, s.StepP50Ns, s.StepP99Ns = of.FuelP50, of.FuelP99, of.StepP50Ns, of.StepP99Ns
	}
	s.Steps += of.Steps
	s.Attempts += of.Attempts
	s.Failures += of.Failures
	s.Traps += of.Traps
	s.FuelTotal += of.FuelTotal
	s.Instances += of.Instances
	s.MemoryBytes += of.MemoryBytes
	return stats
}

// ModuleStats is what connectors did on this node since it started.
func (n *node) ModuleStats(context.Context, *corev1.ModuleStatsRequest) (*corev1.ModuleStatsResponse, error) {
	return n.moduleStats(), nil
}
