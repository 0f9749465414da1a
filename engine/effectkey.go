package engine

import (
	"bytes"
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A money effect is named by a key (hold, book, credit …) and is about terms.
// Its row serves all jobs of the payment, so that a loop which books again finds
// the booking. Every other outside effect is named by (job, attempt, ordinal).

func effectKey(payment uint64, key string) Key {
	return Key{Table: TableEffect, S: key, A: payment}
}

// intend commits an outside effect before it leaves the house. The reply says
// what the leader may do now:
//
//	EFFECT_INTENDED   perform it, under the UUID
//	EFFECT_ANSWERED   it was done before; this is the answer
//	EFFECT_IN_DOUBT   an earlier attempt may have done it; the mode decides
//	REJECTED          terms-differ, effects-held, stale …
func (a *application) intend(c *enginev1.Intend) *enginev1.Event {
	p, job := a.fence(c.Origin)
	a.mustServe(job)
	if a.meta.EffectsHeld {
		a.refuse(CodeEffectsHeld, "After a restore, outside effects wait until an operator releases them.")
	}
	if e := a.entry(job, c.Origin.Ordinal); e != nil {
		if e.Digest != c.Origin.Digest {
			a.refuse(CodeStale, "The job's history has another effect at this ordinal.")
		}
		return p.intended(job, e)
	}
	e := &enginev1.HistoryEntry{
		Ordinal: c.Origin.Ordinal, Digest: c.Origin.Digest, TimeMs: a.stamp.TimeMS,
		Request: c.Request, Key: c.Key, Mode: c.Mode, Endpoint: c.Endpoint, Withheld: c.Withheld,
	}
	if e.Mode == enginev1.Mode_MODE_UNSPECIFIED {
		e.Mode = enginev1.Mode_MODE_NEVER
	}
	kind := enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED
	if c.Key != "" {
		kind = p.intendMoney(c, job, e)
	}
	a.remember(job, e)
	a.put(jobKey(job.Payment, job.N), job)
	ev := p.effectEvent(kind, job, e)
	reply := p.tell(&ev)
	reply.Request = e.Request
	return reply
}

// intended repeats what is known of an effect that the history already has.
func (p *payment) intended(job *enginev1.Job, e *enginev1.HistoryEntry) *enginev1.Event {
	kind := enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT
	if e.Answered {
		kind = enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED
	}
	ev := p.effectEvent(kind, job, e)
	reply := p.a.frame(&ev)
	reply.Payment, reply.Tenant = p.row.Payment, p.row.Tenant
	reply.Request, reply.Answer = e.Request, e.Answer
	return reply
}

// intendMoney decides by the effect's row.
func (p *payment) intendMoney(c *enginev1.Intend, job *enginev1.Job, e *enginev1.HistoryEntry) enginev1.EventKind {
	a := p.a
	called := p.flowOf(p.body(p.mustToken(job.Token).Scope)).process.ID
	if called == p.row.Flow {
		called = ""
	}
	k := effectKey(p.row.Payment, c.Key)
	row, found := get[*enginev1.Effect](a, k)
	if !found {
		if len(c.Key) > limitEffectKey || len(p.row.EffectKeys) >= limitEffects {
			a.refuse(CodeTooLarge, "A payment has at most 1,000 money effects, and the key of one has at most 200 bytes.")
		}
		p.row.EffectKeys = append(p.row.EffectKeys, c.Key)
		e.Number = 1
		a.put(k, &enginev1.Effect{
			Payment: p.row.Payment, Key: c.Key, Number: 1, Terms: c.Terms, Request: c.Request,
			State: enginev1.EffectState_EFFECT_STATE_OPEN, Mode: e.Mode, Endpoint: c.Endpoint,
			Element: job.Element, Job: job.N, Flow: called,
		})
		return enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED
	}
	if !bytes.Equal(row.Terms, c.Terms) && row.State != enginev1.EffectState_EFFECT_STATE_REFUSED {
		a.refuse(CodeTermsDiffer, "The money effect "+quote(c.Key)+" was begun with other terms.")
	}
	e.Number = row.Number
	switch row.State {
	case enginev1.EffectState_EFFECT_STATE_DONE:
		e.Answered, e.Answer = true, row.Answer
		return enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED
	case enginev1.EffectState_EFFECT_STATE_REFUSED:
		next := copyOf(row)
		next.Number++
		next.Terms, next.Request, next.Answer = c.Terms, c.Request, nil
		next.Mode, next.Endpoint = e.Mode, c.Endpoint
		next.Element, next.Job, next.Flow = job.Element, job.N, called
		next.State = enginev1.EffectState_EFFECT_STATE_OPEN
		a.put(k, next)
		e.Number = next.Number
		return enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED
	}
	// In doubt: whoever repeats it repeats the request that may have been heard, where
	// it was heard, and is as careful as it was sent: an endpoint that has learnt to honour keys since
	// then may have ignored that one.
	e.Request, e.Endpoint, e.Mode = row.Request, row.Endpoint, max(e.Mode, row.Mode)
	return enginev1.EventKind_EVENT_KIND_EFFECT_IN_DOUBT
}

func (p *payment) effectEvent(kind enginev1.EventKind, job *enginev1.Job, e *enginev1.HistoryEntry) enginev1.Event {
	ev := *p.jobEvent(kind, job)
	ev.Ordinal, ev.Key, ev.Number, ev.Endpoint, ev.Mode = e.Ordinal, e.Key, e.Number, e.Endpoint, e.Mode
	ev.Uuid = p.effectUUID(job, e)
	if e.Answered {
		ev.Answer = e.Answer
	}
	return ev
}

// effectUUID is the idempotency key of an effect on the wire.
func (p *payment) effectUUID(job *enginev1.Job, e *enginev1.HistoryEntry) string {
	u := UUID{Payment: p.row.Payment, Kind: UUIDCall, Index: job.N, Number: job.Attempt<<16 | e.Ordinal&0xffff}
	if e.Key != "" {
		u.Kind, u.Number = UUIDEffect, e.Number
		u.Index = uint32(slices.Index(p.row.EffectKeys, e.Key))
	}
	return p.a.engine.minter.mint(u)
}

// answer commits what came back for an intended effect.
func (a *application) answer(c *enginev1.Answer) *enginev1.Event {
	p, job := a.fence(c.Origin)
	ev := p.takeAnswer(job, c)
	a.put(jobKey(job.Payment, job.N), job)
	return ev
}

// takeAnswer puts an answer into the history and, for a money effect, into its
// row. An answer of unknown outcome (state OPEN) leaves the row in doubt.
func (p *payment) takeAnswer(job *enginev1.Job, c *enginev1.Answer) *enginev1.Event {
	i, e, told := p.hear(job, c)
	job.History = slices.Clone(job.History)
	job.History[i] = e
	return told
}

// hear is takeAnswer but for the history: it returns what its entry becomes.
func (p *payment) hear(job *enginev1.Job, c *enginev1.Answer) (i int, e *enginev1.HistoryEntry, told *enginev1.Event) {
	a := p.a
	ordinal := c.Origin.GetOrdinal()
	i = slices.IndexFunc(job.History, func(e *enginev1.HistoryEntry) bool { return e.Ordinal == ordinal })
	if i < 0 || job.History[i].Answered {
		a.refuse(CodeStale, "No intended effect waits for this answer.")
	}
	e = copyOf(job.History[i])
	e.Answered, e.Answer, e.TimeMs = true, c.Answer, a.stamp.TimeMS
	e.Request = nil // it is on the timeline and, for money, in the effect's row
	if e.Key != "" {
		p.settleEffect(e.Key, e.Number, c.State, c.Answer)
	}
	ev := p.effectEvent(enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED, job, e)
	ev.Effect = c.State
	return i, e, p.tell(&ev)
}

// settleEffect closes the row of a money effect. A row that is done or refused
// stays so: a late answer cannot open it again.
func (p *payment) settleEffect(key string, number uint32, state enginev1.EffectState, answer []byte) bool {
	k := effectKey(p.row.Payment, key)
	row, found := get[*enginev1.Effect](p.a, k)
	if !found || number != 0 && row.Number != number || row.State != enginev1.EffectState_EFFECT_STATE_OPEN {
		return false
	}
	if state != enginev1.EffectState_EFFECT_STATE_DONE && state != enginev1.EffectState_EFFECT_STATE_REFUSED {
		return false
	}
	next := copyOf(row)
	next.State, next.Answer = state, answer
	p.a.put(k, next)
	return true
}

// settle takes what a connector found out by enquiry about an effect in doubt.
func (p *payment) settle(job *enginev1.Job, s *enginev1.Settlement) {
	if !p.settleEffect(s.Key, 0, s.State, s.Answer) {
		return
	}
	ev := p.jobEvent(enginev1.EventKind_EVENT_KIND_EFFECT_SETTLED, job)
	ev.Key, ev.Effect, ev.Answer = s.Key, s.State, s.Answer
	p.tell(ev)
}
