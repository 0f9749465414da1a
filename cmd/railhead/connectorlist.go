package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) connectorList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List installed connectors, whom they serve, and how they do",
		Long: `List what is installed, then who is served by what: every tenant's versions with their
share of new payments, since when (UTC), how many running payments keep them, and what
they did on the nodes that can be asked since those started: attempts of jobs that were
tried, those that failed, instances that trapped, and how long a step took.

Who signed a module is what the node that answers has verified. A name with a question
mark is no more than what the signature says: the node has no such root, or wants more.`,
		Example: `  railhead connector list
  railhead connector list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list, err := a.control().ListConnectors(ctx, &corev1.ListConnectorsRequest{})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			if err := a.listModules(list); err != nil || len(list.GetActivations()) == 0 {
				return err
			}
			fmt.Fprintln(a.out)
			return a.listActivations(list)
		},
	}
}

func (a *app) listModules(list *corev1.ListConnectorsResponse) error {
	t := newTable(a.out, "connector", "version", "kind", "digest", "jobs", "size", "ready on", "signed by", "kept", "state")
	for _, c := range list.GetConnectors() {
		state := "installed"
		if serves(list, c) {
			state = "serves"
		}
		if c.GetRevokedMs() != 0 {
			state = "REVOKED: " + c.GetRevokedReason()
		}
		t.row(c.GetName(), c.GetVersion(), c.GetKind(), shortDigest(c.GetDigest()), len(c.GetJobTypes()),
			fmt.Sprintf("%.1f MiB", float64(c.GetSizeBytes())/(1<<20)), strings.Join(c.GetReadyNodes(), " "),
			strings.Join(signedBy(c), " "), c.GetPinnedPayments(), state)
	}
	return t.flush()
}

// signedBy names who signed, with the tenant if it is for one only. Of a signature that
// the node has not verified, the name is what anybody may have written there.
func signedBy(c *corev1.ConnectorInfo) []string {
	var names []string
	for _, s := range c.GetSignatures() {
		name := s.GetSigner()
		if s.GetTenant() != "" {
			name += "(" + s.GetTenant() + ")"
		}
		if !slices.Contains(c.GetSigners(), s.GetSigner()) {
			name += "?"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func serves(list *corev1.ListConnectorsResponse, c *corev1.ConnectorInfo) bool {
	for _, act := range list.GetActivations() {
		if act.GetConnector() == c.GetName() &&
			(string(act.GetDigest()) == string(c.GetDigest()) || string(act.GetCanary()) == string(c.GetDigest())) {
			return true
		}
	}
	return false
}

func (a *app) listActivations(list *corev1.ListConnectorsResponse) error {
	t := newTable(a.out, "tenant", "connector", "version", "digest", "weight", "since", "kept", "tried", "failed", "traps", "p50", "p99")
	now := time.Now()
	for _, act := range list.GetActivations() {
		row := func(digest []byte, weight string, sinceMS int64, kept uint64) {
			version, stat := "-", &corev1.ModuleStat{}
			for _, c := range list.GetConnectors() {
				if c.GetName() != act.GetConnector() || string(c.GetDigest()) != string(digest) {
					continue
				}
				version = c.GetVersion()
				for _, s := range c.GetStats() {
					if s.GetTenant() == act.GetTenant() {
						stat = s
					}
				}
			}
			short := shortDigest(digest) // as in the table above, which has room for more of it
			t.row(act.GetTenant(), act.GetConnector(), version, short[:min(6, len(short))], weight, sinceText(sinceMS, now), kept,
				stat.GetAttempts(), stat.GetFailures(), stat.GetTraps(), stepTime(stat.GetStepP50Ns()), stepTime(stat.GetStepP99Ns()))
		}
		weight := uint32(10_000)
		if len(act.GetCanary()) > 0 {
			weight -= act.GetCanaryWeight()
		}
		text := weightText(weight)
		if len(act.GetDigest()) == 0 {
			text = "NONE"
		}
		row(act.GetDigest(), text, act.GetActivatedMs(), act.GetPinnedPayments())
		if len(act.GetCanary()) > 0 {
			row(act.GetCanary(), weightText(act.GetCanaryWeight())+" canary", act.GetCanaryMs(), act.GetCanaryPinnedPayments())
		}
	}
	return t.flush()
}

// sinceText shows a time of today to the minute, and of an earlier one its day.
func sinceText(ms int64, now time.Time) string {
	at := time.UnixMilli(ms).UTC()
	switch now = now.UTC(); {
	case ms == 0:
		return "-"
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("2 Jan")
	}
	return at.Format("2006-01")
}

// stepTime shows how long a step took, to two digits.
func stepTime(ns int64) string {
	if ns == 0 {
		return "-"
	}
	d := time.Duration(ns)
	for unit := time.Duration(1); unit < time.Second; unit *= 10 {
		if d < 100*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(100 * time.Millisecond).String()
}
