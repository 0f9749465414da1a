package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func incidentKey(payment uint64, n uint32) Key {
	return Key{Table: TableIncident, A: payment, B: uint64(n)}
}

// openIncident stops a token: it says why and what an operator may do.
func (p *payment) openIncident(token *enginev1.Token, code, text string) {
	row := &enginev1.Incident{
		Payment: p.row.Payment, N: p.nextN(), Code: code, Text: clip(text),
		OpenedMs: p.a.stamp.TimeMS, Repairs: p.repairs(code, token), Tenant: p.row.Tenant,
	}
	if token != nil {
		f := p.flowOf(p.body(token.Scope))
		el := &f.process.Elements[token.Element]
		row.Token, row.Job, row.Element = token.N, token.Job, el.ID
		token.Incident = row.N
	}
	p.row.Incidents = append(p.row.Incidents, row.N)
	p.a.put(incidentKey(row.Payment, row.N), row)
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, Element: row.Element, Token: row.Token,
		Job: row.Job, Number: row.N, Code: code, Text: row.Text,
	})
}

func (p *payment) dropIncident(token *enginev1.Token) {
	if token.Incident != 0 {
		p.closeIncident(token.Incident)
		token.Incident = 0
	}
}

func (p *payment) closeIncident(n uint32) {
	p.a.delete(incidentKey(p.row.Payment, n))
	p.row.Incidents = slices.DeleteFunc(p.row.Incidents, func(i uint32) bool { return i == n })
}

// quarantine stands a payment behind an incident after a command on it was
// undone. It says why; everything else of the payment is as before the command.
func (a *application) quarantine(f *fault) {
	failed := a.guard(func() {
		p := a.load(f.payment)
		if p == nil || p.quarantined() {
			return
		}
		code := f.code
		if code == CodeInternal {
			code = IncidentQuarantined
		}
		p.row.Quarantined = true
		p.openIncident(nil, code, f.text)
	})
	if failed != nil {
		// Not even the incident can be written: the refusal of the command is all
		// that is left to say.
		a.tell(&enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_REJECTED, Payment: f.payment, Code: failed.code, Text: failed.text,
		})
	}
}

func (p *payment) quarantined() bool { return p.row.Quarantined }

// resolveIncident lets a payment go on where it stands: a job gets a new attempt,
// an element is entered again.
func (a *application) resolveIncident(c *enginev1.ResolveIncident) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustRun(c.Payment)
	row, found := get[*enginev1.Incident](a, incidentKey(c.Payment, c.Incident))
	if !found {
		a.refuse(CodeIncidentUnknown, "The payment has no such open incident.")
	}
	a.mustFit(c.Variables)
	if p.quarantined() && row.Token != 0 {
		a.refuse(CodeQuarantined, "The payment is in quarantine; resolve that incident first.")
	}
	a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: actResolve, Tenant: p.row.Tenant,
		Payment: c.Payment, Number: c.Incident, Actor: c.Actor, Variables: c.Variables,
	})
	p.closeIncident(row.N)
	resolved := p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED, Element: row.Element, Token: row.Token,
		Job: row.Job, Number: row.N, Code: row.Code, Actor: c.Actor,
	})
	var token *enginev1.Token
	scope := p.row.Scopes[0].N
	if row.Token != 0 {
		token = p.mustToken(row.Token)
		token.Incident = 0
		scope = token.Scope
	}
	if len(c.Variables) > 0 {
		p.setVariables(scope, c.Variables)
		p.tell(&enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_VARIABLES_SET, Element: row.Element, Variables: c.Variables, Actor: c.Actor,
		})
	}
	switch {
	case token == nil:
		p.row.Quarantined = false
		p.hintJobs()
		p.takeWaiting()
	case row.Job != 0:
		p.retryJob(row.Job, c.Retries)
	default:
		// What was opened before the incident is closed, so that the element is
		// entered as for the first time.
		p.closeWaits(token)
		p.dropLocal(token)
		p.queue = append(p.queue, move{token.N, int(token.Element)})
		p.run()
	}
	return resolved
}

// retryJob gives a job that stands behind an incident a new attempt.
func (p *payment) retryJob(n, retries uint32) {
	row, found := get[*enginev1.Job](p.a, jobKey(p.row.Payment, n))
	if !found {
		return
	}
	job := copyOf(row)
	job.Retries = max(min(retries, 1000), 1) - 1
	if !p.nextAttempt(job) {
		return
	}
	p.a.put(jobKey(job.Payment, job.N), job)
	p.a.hint(Hint{Kind: HintJob, Payment: job.Payment, N: job.N})
}

// hintJobs tells the leader of every job that is ready.
func (p *payment) hintJobs() {
	for _, t := range p.row.Tokens {
		if t.Job != 0 {
			p.a.hint(Hint{Kind: HintJob, Payment: p.row.Payment, N: t.Job})
		}
	}
}
