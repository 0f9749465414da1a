package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Status is what a replica says about itself.
type Status struct {
	ID     string
	Role   string // follower, candidate, leader, shutdown
	Leader string // id; empty: unknown
	Term   uint64
	Epoch  uint64 // in which this node leads, or 0

	Index uint64 // of the last log entry applied
	Hash  uint64 // of the state at Index; equal on every node with the same Index
	// Points are the hashes at earlier indexes, ascending, at multiples of 256.
	Points []Point

	CommitIndex     uint64
	LastLogIndex    uint64
	CheckpointIndex uint64
	DeltaBytes      int64 // of log applied since the checkpoint
	OutboxRecords   uint64
	Members         []Member
}

// Member is one node of the cluster as Raft knows it.
type Member struct {
	ID, Address string
	Voter       bool
}

// Status reports where the replica stands.
func (r *Replica) Status() (Status, error) {
	id, _ := r.Leader()
	st := Status{
		ID: r.cfg.ID, Leader: id, Term: r.raft.CurrentTerm(), Epoch: r.leading.Load(),
		CommitIndex: r.raft.CommitIndex(), LastLogIndex: r.raft.LastIndex(),
	}
	switch r.raft.State() {
	case raft.Leader:
		st.Role = "leader"
	case raft.Follower:
		st.Role = "follower"
	case raft.Candidate:
		st.Role = "candidate"
	case raft.Shutdown:
		st.Role = "shutdown"
		return st, nil
	}
	members, err := r.configuration()
	if err != nil {
		return st, err
	}
	st.Members = members
	hash := make(chan uint64, 1)
	s := r.store
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return st, ErrClosed
	}
	st.Index, st.DeltaBytes, st.CheckpointIndex, st.OutboxRecords = s.at.index, s.delta, s.disk.index, s.at.outbox.Count
	s.rehash(func(h uint64) { hash <- h })
	s.mu.Unlock()
	st.Hash = <-hash
	st.Points = r.applier.trail.list()
	return st, nil
}

func (r *Replica) configuration() ([]Member, error) {
	future := r.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, fmt.Errorf("replica: read the members: %w", err)
	}
	var members []Member
	for _, s := range future.Configuration().Servers {
		members = append(members, Member{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return members, nil
}

// AddVoter makes a node a member, or changes its address. The node runs with
// Config.Join; it gets a vote once it has caught up, since until then it could
// only hold up the others. ctx bounds the wait.
func (r *Replica) AddVoter(ctx context.Context, id, address string) error {
	target := r.raft.CommitIndex()
	if err := r.change(ctx, "add "+id, r.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0)); err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		peer, _, err := r.ask(address)
		if err == nil && peer.index >= target {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("replica: add %s: it has not caught up, and has no vote yet: %w", id, errors.Join(context.Cause(ctx), err))
		case <-r.stop:
			return ErrNotLeader
		}
	}
	return r.change(ctx, "give a vote to "+id, r.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0))
}

// RemoveServer takes a node's membership away; removing the leader makes it step
// down.
func (r *Replica) RemoveServer(ctx context.Context, id string) error {
	return r.change(ctx, "remove "+id, r.raft.RemoveServer(raft.ServerID(id), 0, 0))
}

// TransferLeadership hands the lead to the member, or, if id is empty, to the
// one that is most up to date.
func (r *Replica) TransferLeadership(ctx context.Context, id string) error {
	if id == "" {
		return r.change(ctx, "transfer leadership", r.contact.handOver(r.raft.LeadershipTransfer))
	}
	members, err := r.configuration()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(members, func(m Member) bool { return m.ID == id })
	if at < 0 {
		return fmt.Errorf("replica: transfer leadership: %q is not a member", id)
	}
	return r.change(ctx, "transfer leadership to "+id, r.contact.handOver(func() raft.Future {
		return r.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(members[at].Address))
	}))
}

func (r *Replica) change(ctx context.Context, what string, future raft.Future) error {
	answer := make(chan error, 1)
	go func() { answer <- future.Error() }()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.stop:
		err = raft.ErrRaftShutdown
	}
	if errors.Is(err, raft.ErrNotLeader) {
		return ErrNotLeader
	}
	if err != nil {
		return fmt.Errorf("replica: %s: %w", what, err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
