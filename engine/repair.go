package engine

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Repairs are what an operator may do to a running payment. Each says who does it
// and why, is told on the audit topic, and leaves its trace on the payment's
// timeline. None of them repeats a money effect or forgets one: what is in doubt
// stays in doubt, and a repair that would leave it behind is refused. A repair that
// would bring the payment into quarantine is refused too, for as it was the payment
// was sound.

// The acts on a payment, as the audit topic and an incident's repairs name them.
const (
	actResolve      = "resolve-incident"
	actRetry        = "retry-job"
	actSet          = "set-variables"
	actMove         = "move-token"
	actMigrate      = "migrate-payment"
	actCancel       = "cancel-payment"
	actClaimTask    = "claim-user-task"
	actUnclaimTask  = "unclaim-user-task"
	actUpdateTask   = "update-user-task"
	actCompleteTask = "complete-user-task"

	actReleaseForward = "release-forward"
	actDropForward    = "drop-forward"
)

// mustBeNamed refuses an act that nobody answers for.
func (a *application) mustBeNamed(actor *enginev1.Actor) {
	if actor.GetName() == "" {
		a.refuse(CodeActorMissing, "An act on a payment says who acts.")
	}
	if len(actor.Name)+len(actor.Reason) > limitNames {
		a.refuse(CodeBadCommand, "An actor and a reason are at most 2,000 bytes together.")
	}
}

// mustBeExplained refuses a repair without a name and a reason.
func (a *application) mustBeExplained(actor *enginev1.Actor) {
	a.mustBeNamed(actor)
	if actor.Reason == "" {
		a.refuse(CodeActorMissing, "A repair says who acts and why.")
	}
}

func (a *application) mustFit(vars []*enginev1.Variable) {
	if variablesSize(vars) > limitVariables {
		a.refuse(CodeTooLarge, "The variables are larger than 4 MiB.")
	}
}

// mustRun is mustLoad for repairs that a payment in quarantine may have too.
func (a *application) mustRun(key uint64) *payment {
	if p := a.load(key); p != nil {
		return p
	}
	return a.mustLoad(key) // refuses with the right code
}

// acted tells an act of a person for the audit topic; fill says what was done.
func (p *payment) acted(act string, actor *enginev1.Actor, fill func(*enginev1.Event)) {
	ev := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: act, Tenant: p.row.Tenant, Payment: p.row.Payment, Actor: actor,
	}
	fill(ev)
	p.a.tell(ev)
}

// tried runs the part of a repair in which the payment goes on. What would put the
// payment into quarantine refuses the repair instead.
func (p *payment) tried(part func()) {
	defer func() {
		r := recover()
		if f, is := r.(*fault); is && f.payment != 0 {
			panic(&fault{code: f.code, text: "The repair is refused, for the payment could not go on: " + f.text})
		}
		if r != nil {
			panic(r)
		}
	}()
	part()
}

// setPaymentVariables changes variables of a payment, or as one of its tokens sees
// them. Nothing moves: what has been decided by the old values stays decided.
func (a *application) setPaymentVariables(c *enginev1.SetVariables) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustRun(c.Payment)
	if len(c.Variables) == 0 || slices.ContainsFunc(c.Variables, func(v *enginev1.Variable) bool { return v.Name == "" }) {
		a.refuse(CodeBadCommand, "The command names no variable to set.")
	}
	a.mustFit(c.Variables)
	scope, element := p.row.Scopes[0].N, ""
	if c.Token != 0 {
		token, f := p.tokenToRepair(c.Token)
		scope, element = token.Scope, f.process.Elements[token.Element].ID
	}
	p.setVariables(scope, c.Variables)
	if p.variablesSize() > limitVariables {
		a.refuse(CodeTooLarge, "The payment's variables would be larger than 4 MiB.")
	}
	set := p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_VARIABLES_SET, Element: element, Token: c.Token,
		Variables: c.Variables, Actor: c.Actor,
	})
	p.acted(actSet, c.Actor, func(ev *enginev1.Event) {
		ev.Element, ev.Token, ev.Variables = element, c.Token, c.Variables
	})
	return set
}

// tokenToRepair is a token that an operator names, and the flow it is in.
func (p *payment) tokenToRepair(n uint32) (*enginev1.Token, *flow) {
	token := p.token(n)
	if token == nil {
		p.a.refuse(CodeTokenUnknown, "The payment has no such token.")
	}
	return token, p.flowOf(p.body(token.Scope))
}

// retryNow gives a job that waits a new attempt. A job that sleeps loses the history
// of its attempt, but for its money effects in doubt, which the next one is told of.
func (a *application) retryNow(c *enginev1.RetryJob) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustLoad(c.Payment)
	row, found := get[*enginev1.Job](a, jobKey(c.Payment, c.Job))
	if !found {
		a.refuse(CodeJobUnknown, "The payment has no such open job.")
	}
	job, token, ready := copyOf(row), p.mustToken(row.Token), true
	job.Retries = max(min(c.Retries, 1000), 1) - 1
	// What was done comes before what came of it, which may be another incident.
	var retried *enginev1.Event
	tell := func() { retried = p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_JOB_RETRIED, job)) }
	switch job.State {
	case enginev1.JobState_JOB_STATE_WAITING:
		a.removeTimer(job.DueMs, job.Payment, enginev1.TimerKind_TIMER_KIND_JOB, job.N)
		tell()
		if len(job.History) > 0 {
			ready = p.nextAttempt(job)
			break
		}
		// It is a back-off, and the attempt it puts off has its number already.
		job.State, job.DueMs = enginev1.JobState_JOB_STATE_READY, 0
		if incident := p.reroute(job); incident != "" {
			p.holdJob(job, incident, unserved(incident, job.Connector, job.Type))
			ready = false
		}
	case enginev1.JobState_JOB_STATE_INCIDENT:
		incident, n := "", token.Incident
		if open, found := get[*enginev1.Incident](a, incidentKey(c.Payment, n)); found {
			incident = open.Code
		}
		p.dropIncident(token)
		resolved := p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED, job))
		resolved.Type, resolved.Endpoint, resolved.Attempt = "", "", 0
		resolved.Number, resolved.Code, resolved.Actor = n, incident, c.Actor
		tell()
		ready = p.nextAttempt(job)
	default:
		a.refuse(CodeJobBusy, "An attempt of the job is under way; only a job that waits can be retried.")
	}
	if ready {
		a.put(jobKey(job.Payment, job.N), job)
		a.hint(Hint{Kind: HintJob, Payment: job.Payment, N: job.N})
	}
	retried.Attempt, retried.Endpoint, retried.Actor = job.Attempt, job.Connector, c.Actor
	p.acted(actRetry, c.Actor, func(ev *enginev1.Event) {
		ev.Element, ev.Job, ev.Attempt, ev.Number = job.Element, job.N, job.Attempt, job.Retries+1
	})
	return retried
}

// moveToken ends what a token was doing, as an interruption would, and lets it enter
// another element of its flow and sub-process, or its own anew.
func (a *application) moveToken(c *enginev1.MoveToken) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustLoad(c.Payment)
	token, f := p.tokenToRepair(c.Token)
	from := &f.process.Elements[token.Element]
	to, found := f.process.Element(c.Element)
	if !found {
		a.refuse(CodeElementUnknown, "The token's flow has no element "+quote(c.Element)+".")
	}
	if why := p.immovable(token); why != "" {
		a.refuse(CodeMoveRefused, why)
	}
	if why := unenterable(from, to); why != "" {
		a.refuse(CodeMoveRefused, why)
	}
	if keys := p.openEffects(token); len(keys) > 0 {
		a.refuse(CodeInDoubt, "It is unknown whether the money effect "+quote(keys[0])+" of the token's job happened; settle that first.")
	}
	left := p.leftBehind(token, from.ID)
	moved := p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_TOKEN_MOVED, Element: to.ID, Name: from.ID, Token: token.N, Text: left, Actor: c.Actor,
	})
	p.acted(actMove, c.Actor, func(ev *enginev1.Event) {
		ev.Element, ev.Name, ev.Token, ev.Text = to.ID, from.ID, token.N, left
	})
	p.interrupt(token)
	token.Joining, token.ArrivedBy = false, 0
	p.queue = append(p.queue, move{token.N, to.Index})
	p.tried(p.run)
	return moved
}

// immovable says why a token cannot be moved from where it stands, if so.
func (p *payment) immovable(token *enginev1.Token) string {
	scope := p.body(token.Scope)
	switch {
	case scope.Compensation:
		return "The token runs a compensation handler, which ends only when it is done."
	case scope.Loop != nil:
		return "The token is one round of a multi-instance activity, which counts its rounds."
	case p.holds(token):
		return "The token waits for what is open inside its activity; move the tokens there."
	}
	return ""
}

// unenterable says why a token on one element cannot be sent to another, if so.
func unenterable(from, to *bpmn.Element) string {
	switch {
	case to.Kind == bpmn.KindStart, to.Kind == bpmn.KindBoundary, to.Kind == bpmn.KindEventSub, to.ForCompensation:
		return "The " + to.Kind.String() + " " + quote(to.ID) + " is entered by an event, not by a token that is sent there."
	case to.Parent != from.Parent:
		return quote(to.ID) + " is not in the same sub-process as " + quote(from.ID) + "."
	case len(to.Incoming) > 1 && (to.Kind == bpmn.KindParallel || to.Kind == bpmn.KindInclusive):
		return "The " + to.Kind.String() + " " + quote(to.ID) + " waits for tokens by its sequence flows; send the token to what follows it."
	}
	return ""
}

// openEffects are the keys of the money effects in doubt that belong to a token's job.
func (p *payment) openEffects(token *enginev1.Token) []string {
	if token.Job == 0 {
		return nil
	}
	job, found := get[*enginev1.Job](p.a, jobKey(p.row.Payment, token.Job))
	if !found {
		return nil
	}
	return p.a.doubts(job)
}

// leftBehind names the money effects that are done by a job whose activity is left
// unfinished: they stay done, and no compensation handler undoes them.
func (p *payment) leftBehind(token *enginev1.Token, element string) string {
	if token.Job == 0 {
		return ""
	}
	var done []string
	for _, key := range p.row.EffectKeys {
		effect, found := get[*enginev1.Effect](p.a, effectKey(p.row.Payment, key))
		if found && effect.State == enginev1.EffectState_EFFECT_STATE_DONE && effect.Element == element {
			done = append(done, key)
		}
	}
	if len(done) == 0 {
		return ""
	}
	return clip("what its job has done stays done: " + strings.Join(done, ", "))
}
