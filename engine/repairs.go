package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// The repairs an incident may list.
const (
	RepairResolve    = "resolve"
	RepairRetryJob   = "retry-job"
	RepairVariables  = "set-variables"
	RepairMove       = "move-token"
	RepairMigrate    = "migrate"
	RepairCancel     = "cancel"
	RepairCompensate = "cancel-with-compensation"
)

// repairs says what makes sense for an incident by its code and its place; Repairs
// takes away what the payment's money forbids at the moment.
func (p *payment) repairs(code string, token *enginev1.Token) []string {
	can := []string{RepairResolve}
	if token != nil && token.Job != 0 {
		can = append(can, RepairRetryJob)
	}
	switch code {
	case IncidentNoConnector, IncidentCalledFlow:
		// Variables help where the model works the name out from them.
		el := &p.flowOf(p.body(token.Scope)).process.Elements[token.Element]
		if el.JobType.Expr != nil || el.CalledElement.Expr != nil {
			can = append(can, RepairVariables)
		}
	case IncidentInDoubt:
		// Whether money moved is settled by asking, not by other variables.
	default:
		can = append(can, RepairVariables)
	}
	if token != nil && p.immovable(token) == "" {
		can = append(can, RepairMove)
	}
	can = append(can, RepairMigrate)
	if !p.row.Cancelling {
		can = append(can, RepairCancel, RepairCompensate)
	}
	return can
}

// Repairs says what an operator may do about an incident as the payment stands:
// nothing may leave a money effect in doubt behind, and a payment that has moved
// money is cancelled only by compensation.
func Repairs(tx Tx, in *enginev1.Incident) []string {
	row, found := tx.Get(instanceKey(in.Payment))
	if !found {
		return nil
	}
	instance := row.(*enginev1.Instance)
	state := make(map[string]enginev1.EffectState, len(instance.EffectKeys))
	done, open := false, false
	for _, key := range instance.EffectKeys {
		if row, found := tx.Get(effectKey(in.Payment, key)); found {
			s := row.(*enginev1.Effect).State
			state[key] = s
			done = done || s == enginev1.EffectState_EFFECT_STATE_DONE
			open = open || s == enginev1.EffectState_EFFECT_STATE_OPEN
		}
	}
	undoable := done || slices.ContainsFunc(instance.Scopes, func(s *enginev1.Scope) bool { return len(s.Done) > 0 })
	var can []string
	for _, repair := range in.Repairs {
		switch repair {
		case RepairCancel:
			if done || open {
				continue
			}
		case RepairCompensate:
			if open || !undoable {
				continue
			}
		case RepairMove:
			if jobInDoubt(tx, in, state) {
				continue
			}
		}
		can = append(can, repair)
	}
	return can
}

// jobInDoubt reports whether the incident's job has left a money effect in doubt.
func jobInDoubt(tx Tx, in *enginev1.Incident, state map[string]enginev1.EffectState) bool {
	row, found := tx.Get(jobKey(in.Payment, in.Job))
	if !found {
		return false
	}
	job := row.(*enginev1.Job)
	inDoubt := func(key string) bool { return state[key] == enginev1.EffectState_EFFECT_STATE_OPEN }
	return slices.ContainsFunc(job.Prior, inDoubt) ||
		slices.ContainsFunc(job.History, func(e *enginev1.HistoryEntry) bool { return inDoubt(e.Key) })
}
