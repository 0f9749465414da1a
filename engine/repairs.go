package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// The repairs an incident may list.
const (
	RepairResolve    = "resolve"
	RepairActivate   = "activate-connector" // another version, for the tenant; then resolve
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
	case IncidentNoConnector, IncidentRevoked, IncidentCalledFlow:
		if code == IncidentRevoked {
			can = append([]string{RepairActivate}, can...)
		}
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

// Repairs says what an operator may do about an incident as the payment stands now:
// its row says what makes sense there, and whatever would be refused is left out. It
// only reads, but fills the engine's caches: an engine that applies is not to be asked.
func (e *Engine) Repairs(tx Tx, in *enginev1.Incident) []string {
	row, found := tx.Get(instanceKey(in.Payment))
	if !found {
		return nil
	}
	a := &application{engine: e, tx: tx}
	p := &payment{a: a, row: row.(*enginev1.Instance)}
	var can []string
	fault := a.guard(func() {
		for _, repair := range in.Repairs {
			if p.allowed(repair, in) {
				can = append(can, repair)
			}
		}
	})
	if fault != nil {
		return in.Repairs // a damaged row: the repair itself will say what is wrong
	}
	return can
}

func (p *payment) allowed(repair string, in *enginev1.Incident) bool {
	switch repair {
	case RepairCancel:
		code, _ := p.uncancellable(false)
		return code == ""
	case RepairCompensate:
		code, _ := p.uncancellable(true)
		return code == "" && slices.ContainsFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return len(s.Done) > 0 })
	case RepairMove:
		token := p.token(in.Token)
		return token != nil && len(p.openEffects(token)) == 0
	case RepairMigrate:
		latest, found := get[*enginev1.FlowLatest](p.a, latestKey(p.row.Tenant, p.row.Flow))
		return found && latest.Version > 1
	}
	return true
}
