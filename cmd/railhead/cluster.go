package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) clusterCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "cluster", Short: "Look at the nodes", GroupID: "work"}
	cmd.AddCommand(a.clusterStatus(), a.clusterUpgrade(), a.clusterAdvance())
	return cmd
}

func (a *app) clusterAdvance() *cobra.Command {
	return &cobra.Command{
		Use:   "advance-clock DURATION",
		Short: "Move the clock of a cluster under test",
		Long: `Move the clock of a cluster whose nodes run with --test-clock, so that a flow's
minutes pass at once. Clocks only go forward. Other nodes refuse it.`,
		Example: "  railhead cluster advance-clock 61s",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			by, err := time.ParseDuration(args[0])
			if err != nil || by < 0 {
				return usagef("%q is no duration such as 61s", args[0])
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			now, err := a.control().AdvanceClock(ctx, &corev1.AdvanceClockRequest{ByMs: by.Milliseconds()})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, now)
			}
			fmt.Fprintln(a.out, clockTime(now.GetTimeMs()))
			return nil
		},
	}
}

func (a *app) clusterStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show a node and the cluster as it sees it",
		Example: `  railhead cluster status
  railhead cluster status --control http://127.0.0.1:8414 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			s, err := a.control().Status(ctx, &corev1.StatusRequest{})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, s)
			}
			fmt.Fprintf(a.out, "node %s, %s, cluster %d incarnation %d, railhead %s\n",
				s.GetNode(), s.GetRole(), s.GetCluster(), s.GetIncarnation(), s.GetBuild())
			leader := s.GetLeader()
			if leader == "" {
				leader = "none known"
			}
			fmt.Fprintf(a.out, "leader %s, term %d\n", leader, s.GetTerm())
			fmt.Fprintf(a.out, "applied %d of %d, checkpoint %d, state hash %016x\n",
				s.GetAppliedIndex(), s.GetCommitIndex(), s.GetCheckpointIndex(), s.GetStateHash())
			fmt.Fprintln(a.out, engineText(s))
			clock := ""
			if s.GetTestClock() {
				clock = " (test clock)"
			}
			fmt.Fprintf(a.out, "clock %s%s\n", clockTime(s.GetTimeMs()), clock)
			fmt.Fprintf(a.out, "%d jobs in flight, %d records not yet in Kafka\n\n", s.GetJobsInFlight(), s.GetExportBacklog())
			t := newTable(a.out, "node", "raft", "control", "voter")
			for _, n := range s.GetNodes() {
				t.row(n.GetId(), n.GetRaftAddress(), n.GetControlAddress(), n.GetVoter())
			}
			return t.flush()
		},
	}
}
