package leader

import (
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// count counts an attempt that has ended, for the metrics and for the version's.
func (a *attempt) count(o outcome) {
	a.lane.metrics.finished(o)
	if a.binding != nil {
		a.binding.Tally.Ended(o == outcomeFail || o == outcomeDoubt)
	}
}

// blame counts a failure of the host's telling that is the guest's fault.
func (a *attempt) blame(f *failure) {
	if a.binding == nil {
		return
	}
	switch f.code {
	case codeTrap, codeGuestError, codeMismatch, codeTooManySteps, codeBadOutcome:
		a.binding.Tally.Trapped()
	}
}

// guardVersions rolls back versions of connectors that do badly. What it counts is this
// leader's, from the beginning of its term on.
func (t *term) guardVersions() {
	watch := connector.NewWatch(t.Connectors)
	tick := time.NewTicker(t.GuardEvery)
	defer tick.Stop()
	var due []connector.Verdict
	for {
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
		due = append(due, watch.Look(t.Clock.NowMS())...)
		again := due[:0]
		for _, v := range due {
			log := t.log.With("tenant", v.Tenant, "connector", v.Connector, "digest", v.Digest.String(), "reason", v.Reason)
			switch reply, err := t.propose(v.Command()); {
			case err != nil:
				// It may have been carried out: then the next try is refused as stale.
				again = append(again, v)
			case reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED:
				log.Error("a version of a connector was rolled back by itself")
			case connector.Moot(reply.Code):
				log.Error("a version of a connector does badly and could not be rolled back", "code", reply.Code, "text", reply.Text)
			default:
				again = append(again, v)
			}
		}
		due = again
	}
}
