package engine

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// VersionSwaps is the engine's version from which on versions of connectors are swapped
// in more ways than by activating another.
const VersionSwaps = 2

// swaps tells whether it is.
func (a *application) swaps() bool { return a.meta.Version >= VersionSwaps }

func (a *application) mustSwap() {
	if !a.swaps() {
		a.refuse(CodeBadCommand, "Connectors have canaries, rollbacks and revocations from version 2 of the engine on; an operator switches to it when all nodes know it.")
	}
}

// limitWithdrawn bounds the digests of one activation that were rolled back and are
// remembered as such. Revoked ones are never forgotten.
const limitWithdrawn = 16

// rollbackConnector ends a canary or, without one, goes back to the digest before,
// once: what was taken back is not what the next rollback goes back to. Payments that
// keep what is taken back get the other digest at their next job, and jobs with their
// next attempt.
func (a *application) rollbackConnector(c *enginev1.RollbackConnector) *enginev1.Event {
	a.mustSwap()
	a.mustBeTenant(c.Tenant)
	a.mustBeNamed(c.Actor)
	key := activationKey(c.Tenant, c.Connector)
	old, found := get[*enginev1.Activation](a, key)
	if !found {
		a.refuse(CodeConnectorUnknown, "Connector "+quote(c.Connector)+" has never served tenant "+quote(c.Tenant)+".")
	}
	row, back := copyOf(old), old.Canary
	switch serving := len(c.Digest) == 0 || bytes.Equal(c.Digest, old.Digest); {
	case len(back) > 0 && (len(c.Digest) == 0 || bytes.Equal(c.Digest, back)):
		row.Canary, row.CanaryWeight, row.CanaryMs = nil, 0, 0
	case len(back) > 0 && serving:
		a.refuse(CodeRollbackRefused, "A canary runs beside this version; promote it, or end it first.")
	case !serving || len(old.Digest) == 0:
		a.refuse(CodeStale, "This version of connector "+quote(c.Connector)+" serves no more.")
	default:
		back = old.Digest
		before := a.module(c.Connector, old.Previous)
		if before == nil || before.RevokedMs != 0 {
			a.refuse(CodeRollbackRefused, "There is no version of connector "+quote(c.Connector)+" to go back to.")
		}
		a.serve(c.Tenant, a.module(c.Connector, back), before)
		row.Digest, row.Previous = old.Previous, nil
		row.ActivatedMs, row.ActivatedBy, row.Guard = a.stamp.TimeMS, clip(c.Actor.Name), nil
	}
	a.withdraw(row, back)
	a.put(key, row)
	a.hint(Hint{Kind: HintConfig})
	return a.tell(a.rolledBack(row, back, c.Actor))
}

func (a *application) rolledBack(row *enginev1.Activation, back []byte, actor *enginev1.Actor) *enginev1.Event {
	return &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_ROLLED_BACK, Tenant: row.Tenant, Type: row.Connector,
		Name: a.module(row.Connector, row.Digest).GetVersion(), Digest: row.Digest, Actor: actor,
		Text: "takes back " + hex.EncodeToString(back[:min(6, len(back))]),
	}
}

// withdraw notes that a digest serves no more, also those who keep it.
func (a *application) withdraw(row *enginev1.Activation, digest []byte) {
	row.Withdrawn = append(without(row.Withdrawn, digest), digest)
	row.Withdrawn = without(slices.Clip(row.Withdrawn), row.Digest)
	for revoked := 0; len(row.Withdrawn)-revoked > limitWithdrawn; {
		// Of those that may be forgotten, the oldest that no payment keeps goes first.
		forget := -1
		revoked = 0
		for i, d := range row.Withdrawn {
			if m := a.module(row.Connector, d); m != nil && m.RevokedMs != 0 {
				revoked++
				continue
			}
			_, kept := get[*enginev1.Pins](a, pinsKey(row.Tenant, row.Connector, d))
			if forget < 0 || !kept {
				forget = i
			}
			if !kept {
				break
			}
		}
		if forget < 0 {
			return
		}
		row.Withdrawn = slices.Delete(slices.Clone(row.Withdrawn), forget, forget+1)
	}
}

// revokeConnector takes a digest out of service for all tenants and for good. A
// tenant that it served goes back to the digest before; where there is none that may
// serve, its jobs stop behind incidents until another is activated.
func (a *application) revokeConnector(c *enginev1.RevokeConnector) *enginev1.Event {
	a.mustSwap()
	a.mustBeExplained(c.Actor)
	k := connectorKey(c.Connector, c.Digest)
	module, found := get[*enginev1.Connector](a, k)
	if !found {
		a.refuse(CodeConnectorUnknown, "Connector "+quote(c.Connector)+" is not installed with this digest.")
	}
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_CONNECTOR_REVOKED, Type: c.Connector, Name: module.Version,
		Digest: c.Digest, Actor: c.Actor,
	}
	if module.RevokedMs != 0 {
		return a.frame(ev)
	}
	module = copyOf(module)
	module.RevokedMs, module.RevokedReason = a.stamp.TimeMS, clip(c.Actor.Reason)
	a.put(k, module)
	var activations []*enginev1.Activation
	a.tx.Ascend(Key{Table: TableActivation}, func(_ Key, row Row) bool {
		if act := row.(*enginev1.Activation); act.Connector == c.Connector {
			activations = append(activations, act)
		}
		return true
	})
	var rolledBack, without []string
	for _, old := range activations {
		row := copyOf(old)
		served := a.revokeFor(row, module)
		a.put(activationKey(row.Tenant, row.Connector), row)
		switch {
		case !served:
		case len(row.Digest) == 0:
			without = append(without, row.Tenant)
			a.tell(a.rolledBack(row, c.Digest, c.Actor))
		default:
			rolledBack = append(rolledBack, row.Tenant)
			a.tell(a.rolledBack(row, c.Digest, c.Actor))
		}
	}
	ev.Variables = []*enginev1.Variable{
		{Name: "rolledBack", Json: jsonNames(rolledBack)}, {Name: "without", Json: jsonNames(without)},
	}
	a.hint(Hint{Kind: HintConfig})
	return a.tell(ev)
}

// revokeFor takes a revoked module out of one activation; served says that the tenant
// had it.
func (a *application) revokeFor(row *enginev1.Activation, module *enginev1.Connector) (served bool) {
	endCanary := func() { row.Canary, row.CanaryWeight, row.CanaryMs = nil, 0, 0 }
	if bytes.Equal(row.Previous, module.Digest) {
		row.Previous = nil
	}
	if bytes.Equal(row.Canary, module.Digest) {
		endCanary()
		served = true
	}
	if bytes.Equal(row.Digest, module.Digest) {
		served = true
		before := a.module(row.Connector, row.Previous)
		if before != nil && before.RevokedMs == 0 {
			if code, _ := a.conflict(row.Tenant, before); code == "" {
				a.serve(row.Tenant, module, before)
			} else {
				before = nil
			}
		} else {
			before = nil
		}
		row.Digest, row.Previous = before.GetDigest(), nil
		row.ActivatedMs, row.ActivatedBy, row.Guard = a.stamp.TimeMS, "", nil
		// A canary runs beside a version all of whose jobs it serves, or not at all.
		if canary := a.module(row.Connector, row.Canary); before == nil || canary != nil && lacks(canary, before) != "" {
			endCanary()
		}
	}
	a.withdraw(row, module.Digest)
	return served
}

// jsonNames writes tenants, whose names need no escapes, as a JSON array.
func jsonNames(tenants []string) []byte {
	if len(tenants) == 0 {
		return []byte("[]")
	}
	return []byte(`["` + strings.Join(tenants, `","`) + `"]`)
}
