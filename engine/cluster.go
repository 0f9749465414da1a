package engine

import (
	"fmt"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func (a *application) bootstrap(c *enginev1.Bootstrap) *enginev1.Event {
	if a.meta.Cluster != 0 {
		a.refuse(CodeBootstrapped, "The cluster has already been bootstrapped.")
	}
	if c.Cluster < 1 || c.Cluster > 1023 || len(c.Secret) != 32 {
		a.refuse(CodeBadCommand, "A cluster has a number from 1 to 1023 and a secret of 32 bytes.")
	}
	a.setMeta(func(m *enginev1.Meta) {
		m.Cluster, m.Incarnation, m.Secret, m.Version = c.Cluster, 1, c.Secret, max(c.Version, 1)
	})
	return a.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_BOOTSTRAPPED})
}

// leaderStarted begins a term: whatever an earlier leader's jobs still send is
// stale from here on.
func (a *application) leaderStarted(c *enginev1.LeaderStarted) *enginev1.Event {
	if c.Epoch <= a.meta.Epoch {
		a.refuse(CodeStale, "A later term has already begun.")
	}
	a.setMeta(func(m *enginev1.Meta) { m.Epoch, m.Leader = c.Epoch, c.Node })
	return a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_LEADER_STARTED, Name: c.Node, Value: c.Epoch,
	})
}

func (a *application) setVersion(c *enginev1.SetVersion) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	if c.Version > Version {
		a.refuse(CodeBadCommand, fmt.Sprintf("This program knows the engine up to version %d, not %d.", Version, c.Version))
	}
	if c.Version <= a.meta.Version {
		a.refuse(CodeStale, "The engine's behaviour never goes back to an earlier version.")
	}
	if a.meta.Version < versionPins && c.Version >= versionPins {
		a.countAllPins()
	}
	before := a.meta.Version
	a.setMeta(func(m *enginev1.Meta) { m.Version = c.Version })
	if before < VersionSwaps && a.swaps() {
		a.scheduleAll()
	}
	return a.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_VERSION_SET, Number: c.Version, Actor: c.Actor})
}

// raiseIncarnation follows a restore or the recovery from a lost majority: new
// ids differ from all earlier ones, and outside effects wait until an operator
// has looked.
func (a *application) raiseIncarnation(c *enginev1.RaiseIncarnation) *enginev1.Event {
	if a.meta.Incarnation >= 1<<incarnationBits-1 {
		a.refuse(CodeTooLarge, "All 1,023 incarnations are used up.")
	}
	a.setMeta(func(m *enginev1.Meta) { m.Incarnation++; m.NextPayment = 0; m.EffectsHeld = true })
	return a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_INCARNATION_RAISED, Number: a.meta.Incarnation, Actor: c.Actor,
	})
}

func (a *application) releaseEffects(c *enginev1.ReleaseEffects) *enginev1.Event {
	a.setMeta(func(m *enginev1.Meta) { m.EffectsHeld = false })
	a.hint(Hint{Kind: HintConfig})
	return a.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_EFFECTS_RELEASED, Actor: c.Actor})
}

// exported moves the cursor of the Kafka export; it never goes back.
func (a *application) exported(c *enginev1.Exported) *enginev1.Event {
	if c.Index < a.meta.ExportedIndex || c.Index == a.meta.ExportedIndex && c.N <= a.meta.ExportedN {
		a.refuse(CodeStale, "The export is already past this point.")
	}
	a.setMeta(func(m *enginev1.Meta) { m.ExportedIndex, m.ExportedN = c.Index, c.N })
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_EXPORTED})
}

// count is the whole work of the benchmark's raft-only run.
func (a *application) count() *enginev1.Event {
	a.setMeta(func(m *enginev1.Meta) { m.Counted++ })
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_COUNTED, Value: a.meta.Counted})
}
