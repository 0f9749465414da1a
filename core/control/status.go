package control

import (
	"context"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Status says where this node stands.
func (s *Service) Status(context.Context, *corev1.StatusRequest) (*corev1.StatusResponse, error) {
	st, err := s.Replica.Status()
	if err != nil {
		return nil, err
	}
	active, waiting := s.InFlight()
	answer := &corev1.StatusResponse{
		Node: s.Node, Role: st.Role, Leader: st.Leader, LeaderControl: s.Members[st.Leader], Term: st.Term,
		AppliedIndex: st.Index, CommitIndex: st.CommitIndex, StateHash: st.Hash, CheckpointIndex: st.CheckpointIndex,
		ExportBacklog: s.Backlog(), Build: s.Build, TimeMs: s.Now(),
		TestClock: s.Config.AdvanceClock != nil, JobsInFlight: uint64(active + waiting), KnownVersion: engine.Version,
	}
	for _, p := range st.Points {
		answer.Hashes = append(answer.Hashes, &corev1.IndexHash{Index: p.Index, Hash: p.Hash})
	}
	for _, m := range st.Members {
		answer.Nodes = append(answer.Nodes, &corev1.NodeInfo{
			Id: m.ID, RaftAddress: m.Address, ControlAddress: s.Members[m.ID], Voter: m.Voter,
		})
	}
	err = s.Replica.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
			meta := row.(*enginev1.Meta)
			answer.Cluster, answer.Incarnation, answer.Version = meta.Cluster, meta.Incarnation, meta.Version
		}
		return nil
	})
	return answer, err
}

// AdvanceClock moves this node's test clock. Stamps are the leader's, so in a
// cluster of several nodes each of them is asked in turn.
func (s *Service) AdvanceClock(_ context.Context, r *corev1.AdvanceClockRequest) (*corev1.AdvanceClockResponse, error) {
	if s.Config.AdvanceClock == nil {
		return nil, refuse(connect.CodeFailedPrecondition, "NO_TEST_CLOCK", "This node runs on the system's clock; --test-clock gives it another.")
	}
	s.Config.AdvanceClock(time.Duration(r.ByMs) * time.Millisecond)
	return &corev1.AdvanceClockResponse{TimeMs: s.Now()}, nil
}
