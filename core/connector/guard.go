package connector

import (
	"fmt"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// The defaults of engine.v1.Guard. Twenty attempts tell a version that always fails
// from one that works; one trap in a hundred attempts is more than any sound connector
// has; and failures are mostly the peer's, so a version must fail by ten of a hundred
// more often than the one before it.
const (
	guardAttempts = 20
	guardTraps    = 100     // of 10,000
	guardFailures = 1_000   // of 10,000, above those of the version before
	guardWatchMS  = 600_000 // of a version that gets all payments
)

// Watch sees to it that versions which do badly are rolled back by themselves. It
// counts what this node does, so it is of use on the leader, which runs all jobs. It
// is not safe for concurrent use.
type Watch struct {
	registry *Registry
	watched  map[[2]string]*watched // by tenant and connector
}

// watched is an activation while it is watched.
type watched struct {
	digest, beside Digest
	sinceMS        int64
	// What both had done when it began. beside keeps all it ever did where it serves no
	// more: then that is what there is to compare with.
	base, besideBase Counts
	done             bool // it was rolled back, or could not be
}

// Verdict is a version that has to go, and why, in figures.
type Verdict struct {
	Tenant, Connector string
	Digest            Digest
	Reason            string
}

// NewWatch begins to watch.
func NewWatch(r *Registry) *Watch {
	return &Watch{registry: r, watched: make(map[[2]string]*watched)}
}

// Look judges every activation that is to be watched at that time, in milliseconds
// since 1970. Each version is condemned once.
func (w *Watch) Look(nowMS int64) (verdicts []Verdict) {
	for _, act := range w.registry.table.Load().activations {
		if act.Guard.GetOff() {
			continue
		}
		key := [2]string{act.Tenant, act.Connector}
		digest, beside, sinceMS := act.Canary, act.Digest, act.CanaryMs
		canary := len(act.Canary) > 0
		if !canary {
			digest, beside, sinceMS = act.Digest, act.Previous, act.ActivatedMs
		}
		d, ok := ToDigest(digest)
		before, compared := ToDigest(beside)
		if !ok || !compared || !canary && nowMS > sinceMS+orDefault(act.Guard.GetWatchMs(), guardWatchMS) {
			delete(w.watched, key)
			continue
		}
		now, was := w.registry.Counts(act.Tenant, d), w.registry.Counts(act.Tenant, before)
		seen := w.watched[key]
		if seen == nil || seen.digest != d || seen.beside != before || seen.sinceMS != sinceMS {
			seen = &watched{digest: d, beside: before, sinceMS: sinceMS, base: now}
			if canary {
				seen.besideBase = was
			}
			w.watched[key] = seen
		}
		if seen.done {
			continue
		}
		if reason := judge(act.Guard, now.Less(seen.base), was.Less(seen.besideBase)); reason != "" {
			seen.done = true
			verdicts = append(verdicts, Verdict{Tenant: act.Tenant, Connector: act.Connector, Digest: d, Reason: reason})
		}
	}
	return verdicts
}

// judge says why a version has to go, if it has.
func judge(g *enginev1.Guard, c, beside Counts) string {
	if c.Attempts < uint64(orDefault(g.GetAttemptsMin(), guardAttempts)) {
		return ""
	}
	if most := orDefault(g.GetTrapsMax(), guardTraps); rate(c.Traps, c.Attempts) > most {
		return fmt.Sprintf("%d traps and guest errors in %d attempts; %s is the most", c.Traps, c.Attempts, percent(most))
	}
	most := orDefault(g.GetFailuresMax(), guardFailures)
	fails, others := rate(c.Failures, c.Attempts), rate(beside.Failures, beside.Attempts)
	if fails > others+most {
		return fmt.Sprintf("%s of %d attempts failed, and %s of %d of the other version; %s more is the most",
			percent(fails), c.Attempts, percent(others), beside.Attempts, percent(most))
	}
	return ""
}

func orDefault[N uint32 | int64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// rate is of 10,000.
func rate(part, of uint64) uint32 {
	if of == 0 {
		return 0
	}
	return uint32(part * 10_000 / of)
}

func percent(of10000 uint32) string { return fmt.Sprintf("%.2g%%", float64(of10000)/100) }

// Command is the rollback that carries a verdict out.
func (v Verdict) Command() *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_RollbackConnector{RollbackConnector: &enginev1.RollbackConnector{
		Tenant: v.Tenant, Connector: v.Connector, Digest: v.Digest[:],
		Actor: &enginev1.Actor{Name: guardActor, Reason: v.Reason},
	}}}
}

// guardActor is who acts, as the audit topic names it, when a version is rolled back
// by itself.
const guardActor = "railhead"

// Moot tells whether a rollback was refused because there is nothing to take back or to
// go back to, or because the cluster does not know rollbacks yet: asking again would
// change nothing.
func Moot(code string) bool {
	return code == engine.CodeStale || code == engine.CodeRollbackRefused || code == engine.CodeConnectorUnknown ||
		code == engine.CodeBadCommand
}
