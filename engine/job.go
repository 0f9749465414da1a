package engine

import (
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func jobKey(payment uint64, n uint32) Key { return Key{Table: TableJob, A: payment, B: uint64(n)} }

// createJob activates a task: it picks the connector, pins its digest and tells
// the leader.
func (p *payment) createJob(f *flow, token *enginev1.Token) {
	a, el := p.a, &f.process.Elements[token.Element]
	jobType, ok := el.JobType.Eval(p.see(token.Scope))
	if !ok {
		p.openIncident(token, IncidentExpression, "The job type of "+quote(el.ID)+" did not evaluate to a text.")
		return
	}
	connector, digest, incident := p.route(jobType)
	if incident != "" {
		p.openIncident(token, incident, unserved(incident, connector, jobType))
		return
	}
	retries, ok := retriesOf(el.Retries, p.see(token.Scope))
	if !ok {
		p.openIncident(token, IncidentExpression, "The retries of "+quote(el.ID)+" did not evaluate to a number from 0 to 1,000.")
		return
	}
	tenant, _ := get[*enginev1.Tenant](a, tenantKey(p.row.Tenant))
	job := &enginev1.Job{
		Payment: p.row.Payment, N: p.nextN(), Token: token.N, Type: jobType, Connector: connector,
		Digest: digest, ConfigVersion: tenant.Version, Attempt: 1, Retries: retries - 1,
		State: enginev1.JobState_JOB_STATE_READY, CreatedMs: a.stamp.TimeMS, Element: el.ID, Tenant: p.row.Tenant,
		Compensating: p.compensating(token),
	}
	job.Headers = f.headers[el.Index]
	token.Job = job.N
	a.put(jobKey(job.Payment, job.N), job)
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_JOB_CREATED, Element: el.ID, Name: el.Name, Token: token.N,
		Job: job.N, Attempt: 1, Type: jobType, Endpoint: connector, Digest: digest,
	})
	a.hint(Hint{Kind: HintJob, Payment: job.Payment, N: job.N})
}

// unserved says why no connector can take a job of the type.
func unserved(incident, connector, jobType string) string {
	if incident == IncidentRevoked {
		return "The version of connector " + quote(connector) + " that served job type " + quote(jobType) +
			" has been revoked, and there is none before it; activate another, then resolve."
	}
	return "No active connector serves job type " + quote(jobType) + "."
}

// retriesOf is how many attempts a job may have; Zeebe's default is three.
func retriesOf(t bpmn.Text, scope feel.Scope) (uint32, bool) {
	if !t.IsSet() {
		return 3, true
	}
	value := t.Value(scope)
	if text, isText := value.Text(); isText {
		value, _ = feel.FromJSON([]byte(text))
	}
	n, ok := value.Int64()
	if !ok || n < 0 || n > 1000 {
		return 0, false
	}
	return uint32(max(n, 1)), true
}

// fence lets a job's command pass only for the current attempt of the current
// term, so that a result of an earlier leader or attempt counts for nothing.
func (a *application) fence(o *enginev1.Origin) (*payment, *enginev1.Job) {
	p, row := a.pass(o)
	job := copyOf(row)
	job.History = slices.Clip(job.History)
	for _, e := range o.Since {
		if a.entry(job, e.Ordinal) == nil {
			a.remember(job, e)
		}
	}
	return p, job
}

// pass is fence for a command that does not change the job.
func (a *application) pass(o *enginev1.Origin) (*payment, *enginev1.Job) {
	if o == nil {
		a.refuse(CodeBadCommand, "The command does not say which job it comes from.")
	}
	if o.Epoch != a.meta.Epoch {
		a.refuse(CodeStale, "The result comes from an earlier leader.")
	}
	row, found := get[*enginev1.Job](a, jobKey(o.Payment, o.Job))
	if !found || row.Attempt != o.Attempt || row.State != enginev1.JobState_JOB_STATE_READY {
		a.refuse(CodeStale, "The job has gone on without this result.")
	}
	return a.mustLoad(o.Payment), row
}

// remember appends to a job's history within its bounds.
func (a *application) remember(job *enginev1.Job, e *enginev1.HistoryEntry) {
	if len(job.History) >= limitHistory {
		a.refuse(CodeTooLarge, "A job may take 64 steps between two checkpoints.")
	}
	job.History = append(slices.Clip(job.History), e)
}

func (a *application) entry(job *enginev1.Job, ordinal uint32) *enginev1.HistoryEntry {
	for _, e := range job.History {
		if e.Ordinal == ordinal {
			return e
		}
	}
	return nil
}

// asEffect carries out an effect of a job that is itself a command, once per
// (job, attempt, ordinal), and remembers its reply in the job's history.
func (a *application) asEffect(o *enginev1.Origin, do func(*enginev1.Job) *enginev1.Event) *enginev1.Event {
	_, job := a.fence(o)
	a.mustServe(job)
	if e := a.entry(job, o.Ordinal); e != nil {
		reply := &enginev1.Event{}
		if err := reply.UnmarshalVT(e.Reply); err != nil || e.Digest != o.Digest {
			a.refuse(CodeStale, "The job's history has another effect at this ordinal.")
		}
		return reply
	}
	// The entry is there before the deed: the deed may move the payment on and
	// take this very job away.
	a.remember(job, &enginev1.HistoryEntry{
		Ordinal: o.Ordinal, Digest: o.Digest, TimeMs: a.stamp.TimeMS, Answered: true,
	})
	a.put(jobKey(job.Payment, job.N), job)
	a.closeAll()
	reply := do(job)
	row, found := get[*enginev1.Job](a, jobKey(job.Payment, job.N))
	if !found || row.Attempt != o.Attempt {
		return reply
	}
	encoded, err := (&enginev1.Event{
		Kind: reply.Kind, Payment: reply.Payment, Uuid: reply.Uuid, Code: reply.Code,
		Value: reply.Value, Index: reply.Index, TimeMs: reply.TimeMs,
	}).MarshalVTStrict()
	if err != nil {
		panic(err)
	}
	job = copyOf(row)
	job.History = slices.Clone(job.History)
	last := copyOf(job.History[len(job.History)-1])
	last.Reply = encoded
	job.History[len(job.History)-1] = last
	a.put(jobKey(job.Payment, job.N), job)
	return reply
}

// finishJob ends an attempt with the connector's outcome.
func (a *application) finishJob(c *enginev1.FinishJob) *enginev1.Event {
	if done := c.GetComplete(); done != nil {
		// The job is gone in the end; nobody needs a copy to change.
		p, job := a.pass(c.Origin)
		if c.LastAnswer != nil {
			p.hear(job, c.LastAnswer)
		}
		for _, s := range c.Settlements {
			p.settle(job, s)
		}
		return p.completeJob(job, done, c.Origin.GetSince())
	}
	p, job := a.fence(c.Origin)
	if c.LastAnswer != nil {
		p.takeAnswer(job, c.LastAnswer)
	}
	for _, s := range c.Settlements {
		p.settle(job, s)
	}
	switch o := c.Outcome.(type) {
	case *enginev1.FinishJob_Fail:
		return p.failJob(job, o.Fail)
	case *enginev1.FinishJob_BpmnError:
		return p.jobError(job, o.BpmnError)
	case *enginev1.FinishJob_Doubt:
		return p.doubtJob(job, o.Doubt)
	}
	a.refuse(CodeBadCommand, "The job's outcome is missing.")
	return nil
}

func (p *payment) completeJob(job *enginev1.Job, o *enginev1.Complete, since []*enginev1.HistoryEntry) *enginev1.Event {
	a := p.a
	token := p.mustToken(job.Token)
	if variablesSize(o.Variables) > limitVariables {
		a.refuse(CodeTooLarge, "The job's variables are larger than 4 MiB.")
	}
	done := p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED, job))
	done.Variables, done.History = o.Variables, p.told(job.History, since)
	a.delete(jobKey(job.Payment, job.N))
	token.Job = 0
	p.finish(p.flowOf(p.body(token.Scope)), token, o.Variables, nil)
	p.run()
	return done
}

func (p *payment) jobEvent(kind enginev1.EventKind, job *enginev1.Job) *enginev1.Event {
	return &enginev1.Event{
		Kind: kind, Element: job.Element, Token: job.Token, Job: job.N, Attempt: job.Attempt,
		Type: job.Type, Endpoint: job.Connector,
	}
}

// failJob ends an attempt: the next one follows at once or after the back-off,
// or, when none is left or the failure is final, a person has to look.
func (p *payment) failJob(job *enginev1.Job, o *enginev1.Fail) *enginev1.Event {
	failed := p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_JOB_FAILED, job))
	failed.Code, failed.Text, failed.History = clip(o.Code), clip(o.Reason), p.told(job.History, nil)
	job.Reason = clip(o.Reason)
	if o.Code == CodeAttemptRevoked && p.a.revoked(job) {
		return p.leaveRevoked(job, failed)
	}
	if o.Retryable && p.a.withdrawn(job) {
		job.Retries++ // what a version failed that serves no more costs the next nothing
	}
	if !o.Retryable || job.Retries == 0 && !job.Compensating {
		p.holdJob(job, IncidentJobFailed, failed.Text)
		return failed
	}
	backoff := min(max(o.BackoffMs, 0), limitSleepMS)
	if job.Retries > 0 {
		job.Retries--
	} else {
		backoff = max(backoff, compensationBackoffMS)
	}
	if !p.nextAttempt(job) {
		return failed
	}
	if backoff > 0 {
		job.State = enginev1.JobState_JOB_STATE_WAITING
		job.DueMs = p.a.stamp.TimeMS + backoff
		failed.DueMs = job.DueMs
		p.a.addTimer(job.DueMs, job.Payment, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_JOB, N: job.N})
	} else {
		p.a.hint(Hint{Kind: HintJob, Payment: job.Payment, N: job.N})
	}
	p.a.put(jobKey(job.Payment, job.N), job)
	return failed
}

// nextAttempt begins again with an empty history, but for the money effects that
// are in doubt; on the present digest, if the job's own serves no more. Where nothing
// may serve it, the job stands behind an incident, and nextAttempt reports false.
func (p *payment) nextAttempt(job *enginev1.Job) bool {
	job.Prior = p.a.doubts(job)
	job.History = nil
	job.Attempt++
	job.State = enginev1.JobState_JOB_STATE_READY
	job.DueMs = 0
	if incident := p.reroute(job); incident != "" {
		p.holdJob(job, incident, unserved(incident, job.Connector, job.Type))
		return false
	}
	return true
}

// leaveRevoked ends an attempt whose digest was revoked under it. That is nobody's
// failure, so it costs no retry; and a version that understands the history goes on
// with the very attempt.
func (p *payment) leaveRevoked(job *enginev1.Job, failed *enginev1.Event) *enginev1.Event {
	if p.inherit(job) || p.nextAttempt(job) {
		p.a.put(jobKey(job.Payment, job.N), job)
		p.a.hint(Hint{Kind: HintJob, Payment: job.Payment, N: job.N})
	}
	return failed
}

// doubts are the money effects that the job, in this attempt or an earlier one,
// has left in doubt.
func (a *application) doubts(job *enginev1.Job) []string {
	var keys []string
	note := func(key string) {
		if key == "" || slices.Contains(keys, key) {
			return
		}
		effect, found := get[*enginev1.Effect](a, effectKey(job.Payment, key))
		if found && effect.State == enginev1.EffectState_EFFECT_STATE_OPEN {
			keys = append(keys, key)
		}
	}
	for _, key := range job.Prior {
		note(key)
	}
	for _, e := range job.History {
		note(e.Key)
	}
	return keys
}

// holdJob stops a job behind an incident.
func (p *payment) holdJob(job *enginev1.Job, code, text string) {
	job.State = enginev1.JobState_JOB_STATE_INCIDENT
	p.a.put(jobKey(job.Payment, job.N), job)
	p.openIncident(p.mustToken(job.Token), code, text)
}

func (p *payment) jobError(job *enginev1.Job, o *enginev1.BpmnError) *enginev1.Event {
	thrown := p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_JOB_ERROR, job))
	thrown.Code, thrown.Text, thrown.Variables = clip(o.Code), clip(o.Message), o.Variables
	thrown.History = p.told(job.History, nil)
	token := p.mustToken(job.Token)
	if c, found := p.catch(p.flowOf(p.body(token.Scope)), token, o.Code, errorOf); found {
		p.tellDoubts(job)
		p.a.delete(jobKey(job.Payment, job.N))
		token.Job = 0
		p.caught(c, enginev1.EventKind_EVENT_KIND_ERROR_CAUGHT, clip(o.Code), o.Variables)
		p.run()
		return thrown
	}
	job.Reason = clip(o.Message)
	p.holdJob(job, IncidentUncaughtError, "The error "+quote(o.Code)+" is caught by no event: "+clip(o.Message))
	return thrown
}

// doubtJob leaves an effect of unknown outcome to a person; nothing is repeated.
func (p *payment) doubtJob(job *enginev1.Job, o *enginev1.Doubt) *enginev1.Event {
	failed := p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT, job))
	failed.Key, failed.Text, failed.History = clip(o.Key), clip(o.Reason), p.told(job.History, nil)
	job.Reason = clip(o.Reason)
	p.holdJob(job, IncidentInDoubt, "It is unknown whether "+quote(o.Key)+" happened: "+clip(o.Reason))
	return failed
}

// cancelJob takes the job away from a token whose element is left without it.
func (p *payment) cancelJob(token *enginev1.Token) {
	if token.Job == 0 {
		return
	}
	k := jobKey(p.row.Payment, token.Job)
	if job, found := get[*enginev1.Job](p.a, k); found {
		p.tell(p.jobEvent(enginev1.EventKind_EVENT_KIND_JOB_CANCELLED, job)).History = p.told(job.History, nil)
		p.tellDoubts(job)
		if job.State == enginev1.JobState_JOB_STATE_WAITING {
			p.a.removeTimer(job.DueMs, job.Payment, enginev1.TimerKind_TIMER_KIND_JOB, job.N)
		}
		p.a.delete(k)
	}
	token.Job = 0
}

// tellDoubts names the money effects that a job leaves open when it is taken
// away: its call may be under way, and the answer will find nobody.
func (p *payment) tellDoubts(job *enginev1.Job) {
	for _, key := range p.row.EffectKeys {
		effect, found := get[*enginev1.Effect](p.a, effectKey(job.Payment, key))
		if !found || effect.State != enginev1.EffectState_EFFECT_STATE_OPEN {
			continue
		}
		if !slices.Contains(job.Prior, key) && !slices.ContainsFunc(job.History, func(e *enginev1.HistoryEntry) bool { return e.Key == key }) {
			continue
		}
		doubt := p.effectEvent(enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT, job, &enginev1.HistoryEntry{
			Key: key, Number: effect.Number, Endpoint: effect.Endpoint, Mode: effect.Mode,
		})
		doubt.Text = "The job was taken away before it was known whether this happened."
		p.tell(&doubt)
	}
}

// sleep parks a job until its time comes.
func (a *application) sleep(c *enginev1.Sleep) *enginev1.Event {
	_, job := a.fence(c.Origin)
	if c.DurationMs < 0 || c.DurationMs > limitSleepMS {
		a.refuse(CodeBadCommand, "A sleep lasts from 0 to 366 days.")
	}
	if e := a.entry(job, c.Origin.Ordinal); e != nil {
		if e.Digest != c.Origin.Digest {
			a.refuse(CodeStale, "The job's history has another effect at this ordinal.")
		}
		return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_SLEPT})
	}
	a.remember(job, &enginev1.HistoryEntry{Ordinal: c.Origin.Ordinal, Digest: c.Origin.Digest})
	job.State = enginev1.JobState_JOB_STATE_WAITING
	job.DueMs = a.stamp.TimeMS + c.DurationMs
	a.addTimer(job.DueMs, job.Payment, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_JOB, N: job.N})
	a.put(jobKey(job.Payment, job.N), job)
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_SLEPT, DueMs: job.DueMs})
}

// wakeJob ends a back-off or a sleep.
func (a *application) wakeJob(payment uint64, n uint32) {
	row, found := get[*enginev1.Job](a, jobKey(payment, n))
	if !found || row.State != enginev1.JobState_JOB_STATE_WAITING {
		return
	}
	job := copyOf(row)
	job.State, job.DueMs = enginev1.JobState_JOB_STATE_READY, 0
	if last := len(job.History) - 1; last >= 0 && !job.History[last].Answered && job.History[last].Request == nil {
		woken := copyOf(job.History[last])
		reply, err := (&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_SLEPT, TimeMs: a.stamp.TimeMS}).MarshalVTStrict()
		if err != nil {
			panic(err)
		}
		woken.Answered, woken.TimeMs, woken.Reply = true, a.stamp.TimeMS, reply
		job.History = append(slices.Clone(job.History[:last]), woken)
	}
	if a.withdrawn(job) {
		p := a.load(payment)
		if len(job.History) > 0 {
			p.inherit(job)
		} else if incident := p.reroute(job); incident != "" {
			p.holdJob(job, incident, unserved(incident, job.Connector, job.Type))
			return
		}
	}
	a.put(jobKey(payment, n), job)
	a.hint(Hint{Kind: HintJob, Payment: payment, N: n})
}

// checkpoint replaces a job's history by the state the connector gave.
func (a *application) checkpoint(c *enginev1.Checkpoint) *enginev1.Event {
	p, job := a.fence(c.Origin)
	if len(c.State) > limitState {
		a.refuse(CodeTooLarge, "A checkpoint's state is at most 64 KiB.")
	}
	if last := len(job.History) - 1; last >= 0 {
		switch e := job.History[last]; {
		case e.Ordinal > c.Origin.Ordinal, e.Ordinal == c.Origin.Ordinal && e.Digest != c.Origin.Digest:
			a.refuse(CodeStale, "The job's history has gone on from here.")
		case e.Ordinal == c.Origin.Ordinal:
			return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_CHECKPOINTED})
		}
	}
	// What the history forgets must not be forgotten by the next attempt.
	job.Prior = a.doubts(job)
	done := p.jobEvent(enginev1.EventKind_EVENT_KIND_CHECKPOINTED, job)
	done.Ordinal, done.History = c.Origin.Ordinal, p.told(job.History, nil)
	job.History = []*enginev1.HistoryEntry{{
		Ordinal: c.Origin.Ordinal, Digest: c.Origin.Digest, TimeMs: a.stamp.TimeMS, Answered: true, State: c.State,
	}}
	a.put(jobKey(job.Payment, job.N), job)
	if a.meta.Version < versionTold {
		return a.frame(&enginev1.Event{Kind: done.Kind})
	}
	return p.tell(done)
}

// emitOwn puts a connector's own event on the timeline.
func (a *application) emitOwn(c *enginev1.Emit) *enginev1.Event {
	own := func(p *payment, tenant, element string) *enginev1.Event {
		ev := &enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_EMITTED, Tenant: tenant, Element: element, Name: clip(c.Name),
			Variables: []*enginev1.Variable{{Name: "data", Json: c.Json}},
		}
		if p != nil {
			return p.tell(ev)
		}
		return a.tell(ev)
	}
	if len(c.Json) > limitState {
		a.refuse(CodeTooLarge, "An emitted event is at most 64 KiB.")
	}
	if c.Origin == nil {
		a.mustBeTenant(c.Tenant)
		return own(nil, c.Tenant, "")
	}
	return a.asEffect(c.Origin, func(job *enginev1.Job) *enginev1.Event {
		return own(a.mustLoad(job.Payment), job.Tenant, job.Element)
	})
}

// clip keeps texts from outside short enough for a timeline.
func clip(s string) string { return cut(s, 2000) }
