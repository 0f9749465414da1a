package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// payment is a running instance while a command works on it: a changeable copy
// of its row, written back when the command is done.
type payment struct {
	a     *application
	row   *enginev1.Instance
	ended bool
	// queue holds tokens that have to go on, from next; they are moved one after
	// another so that a long flow needs no deep stack.
	queue []move
	next  int
	sight sight
	flow  *flow // flowOf's last
}

// move sends a token to an element.
type move struct {
	token   uint32
	element int
}

func instanceKey(payment uint64) Key { return Key{Table: TableInstance, A: payment} }

// load opens a running payment for change; nil when it does not run.
func (a *application) load(key uint64) *payment {
	for _, p := range a.open {
		if p.row.Payment == key && !p.ended {
			return p
		}
	}
	row, found := get[*enginev1.Instance](a, instanceKey(key))
	if !found {
		return nil
	}
	row = copyOf(row)
	row.Tokens = cloneAll(row.Tokens)
	for _, t := range row.Tokens {
		t.Waits = cloneAll(t.Waits) // a cycle's wait changes with each repetition
	}
	row.Scopes = cloneAll(row.Scopes)
	for _, s := range row.Scopes {
		s.Waits = cloneAll(s.Waits)
		if s.Loop != nil {
			s.Loop = copyOf(s.Loop)
		}
	}
	row.Pins, row.EffectKeys = slices.Clip(row.Pins), slices.Clip(row.EffectKeys) // they only grow
	row.Incidents = slices.Clone(row.Incidents)
	return a.opened(row)
}

// opened is a payment whose row the command may change, in the room of one that an
// earlier command worked on.
func (a *application) opened(row *enginev1.Instance) *payment {
	if a.loaded == len(a.room) {
		a.room = append(a.room, new(payment))
	}
	p := a.room[a.loaded]
	a.loaded++
	p.a, p.row = a, row
	a.open = append(a.open, p)
	return p
}

// forget lets go of what the payment held, and keeps its queue's room.
func (p *payment) forget() {
	if cap(p.queue) > 1024 {
		p.queue = nil
	}
	*p = payment{queue: p.queue[:0]}
}

// cloneAll copies rows, all of them into one piece of memory: they live and die
// together.
func cloneAll[T any](rows []*T) []*T {
	switch len(rows) {
	case 0:
		return nil
	case 1:
		return single(*rows[0])
	}
	room, out := make([]T, len(rows)), make([]*T, len(rows))
	for i, r := range rows {
		room[i] = *r
		out[i] = &room[i]
	}
	return out
}

// mustLoad is load for commands that name a payment: it refuses when the payment
// has ended or never was.
func (a *application) mustLoad(key uint64) *payment {
	p := a.load(key)
	if p == nil {
		if _, ended := get[*enginev1.Receipt](a, receiptKey(key)); ended {
			a.refuse(CodePaymentEnded, "The payment has already ended.")
		}
		a.refuse(CodePaymentUnknown, "There is no such payment, or it is past its retention.")
	}
	if p.quarantined() {
		a.refuse(CodeQuarantined, "The payment waits behind an incident for an operator; resolve the incident first.")
	}
	return p
}

func (p *payment) save() {
	if p.ended {
		return
	}
	p.a.put(instanceKey(p.row.Payment), p.row)
}

// nextN names the next thing that belongs to the payment.
func (p *payment) nextN() uint32 {
	p.row.NextN++
	return p.row.NextN
}

// tell puts an event on the payment's timeline.
func (p *payment) tell(ev *enginev1.Event) *enginev1.Event {
	p.row.LastSeq++
	ev.Seq = p.row.LastSeq
	ev.Payment = p.row.Payment
	ev.Tenant = p.row.Tenant
	return p.a.tell(ev)
}

// startPayment is idempotent by (tenant, channel, client key) with a request
// digest: the same digest gets the first answer again, another is a conflict.
func (a *application) startPayment(c *enginev1.StartPayment) *enginev1.Event {
	if o := c.Origin; o != nil {
		return a.asEffect(o, func(job *enginev1.Job) *enginev1.Event {
			return a.startOnce(c, job.Tenant)
		})
	}
	return a.startOnce(c, c.Tenant)
}

func (a *application) startOnce(c *enginev1.StartPayment, tenant string) *enginev1.Event {
	a.mustBeTenant(tenant)
	if len(c.Channel)+len(c.ClientKey) > limitNames || len(c.UuidVariable) > limitNames || len(c.RequestDigest) > limitDigest {
		a.refuse(CodeBadCommand, "Channel and client key together are at most 2,000 bytes, and a request's digest at most 64.")
	}
	index := StartIndexKey(tenant, c.Channel, c.ClientKey)
	if c.ClientKey != "" {
		if row, found := a.tx.Get(index); found {
			return a.startAgain(c, row.(*enginev1.StartID), tenant)
		}
	}
	f := a.flow(tenant, c.Flow, c.Version)
	if f == nil {
		a.refuse(CodeFlowUnknown, "No flow "+quote(c.Flow)+" is deployed for tenant "+quote(tenant)+".")
	}
	if len(f.process.Start) == 0 {
		a.refuse(CodeFlowUnknown, "Flow "+quote(c.Flow)+" has no none start event; it is started by a message or a timer.")
	}
	p := a.begin(f, tenant, f.process.Start[0], c.Variables, func(row *enginev1.Instance) {
		row.Channel, row.ClientKey, row.RequestDigest = c.Channel, c.ClientKey, c.RequestDigest
		row.UuidVariable = c.UuidVariable
	})
	if c.ClientKey != "" {
		a.put(Key{Table: TableStartID, A: p.row.Payment}, &enginev1.StartID{
			HashHigh: index.A, HashLow: index.B, RequestDigest: c.RequestDigest,
			StartedMs: a.stamp.TimeMS, Tenant: tenant, Payment: p.row.Payment,
		})
	}
	started := p.started
	p.run()
	return started
}

func (a *application) startAgain(c *enginev1.StartPayment, id *enginev1.StartID, tenant string) *enginev1.Event {
	if !slices.Equal(id.RequestDigest, c.RequestDigest) {
		a.refuse(CodeConflict, "The client key "+quote(c.ClientKey)+" was already used with another request.")
	}
	return a.frame(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_START_REPEATED, Tenant: tenant, Payment: id.Payment,
		Uuid: a.engine.minter.mint(UUID{Payment: id.Payment, Kind: UUIDPayment}), Key: c.ClientKey,
	})
}

// begin makes the instance with one token on its start event; run moves it.
func (a *application) begin(f *flow, tenant string, start int, vars []*enginev1.Variable, fill func(*enginev1.Instance)) *startedPayment {
	if variablesSize(vars) > limitVariables {
		a.refuse(CodeTooLarge, "The start variables are larger than 4 MiB.")
	}
	counter := a.meta.NextPayment + 1
	a.setMeta(func(m *enginev1.Meta) { m.NextPayment = counter })
	row := &enginev1.Instance{
		Payment: paymentKey(a.meta.Cluster, a.meta.Incarnation, counter),
		Tenant:  tenant, Flow: f.process.ID, FlowVersion: f.row.Version,
		StartedMs: a.stamp.TimeMS,
	}
	fill(row)
	p := a.opened(row)
	uuid := a.engine.minter.mint(UUID{Payment: row.Payment, Kind: UUIDPayment})
	row.Scopes = single(enginev1.Scope{N: p.nextN(), Flow: row.Flow, FlowVersion: row.FlowVersion})
	scope := row.Scopes[0]
	scope.Variables = mergeVariables(nil, vars)
	if row.UuidVariable != "" {
		scope.Variables = mergeVariables(scope.Variables, single(enginev1.Variable{
			Name: row.UuidVariable, Json: []byte(`"` + uuid + `"`),
		}))
	}
	started := p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, Uuid: uuid,
		Type: row.Flow, Number: row.FlowVersion, Key: row.ClientKey, Name: row.Channel,
		Element: f.process.Elements[start].ID, Variables: scope.Variables,
	})
	token := p.newToken(scope.N)
	p.queue = append(p.queue, move{token.N, start})
	return &startedPayment{payment: p, started: started}
}

type startedPayment struct {
	*payment
	started *enginev1.Event
}

func (p *payment) newToken(scope uint32) *enginev1.Token {
	if len(p.row.Tokens) >= limitTokens {
		panic(&fault{code: IncidentTooLarge, text: "The payment has more than 1,000 tokens.", payment: p.row.Payment})
	}
	if p.row.Tokens == nil {
		p.row.Tokens = single(enginev1.Token{N: p.nextN(), Scope: scope})
		return p.row.Tokens[0]
	}
	t := &enginev1.Token{N: p.nextN(), Scope: scope}
	p.row.Tokens = append(p.row.Tokens, t)
	return t
}

func (p *payment) token(n uint32) *enginev1.Token {
	for _, t := range p.row.Tokens {
		if t.N == n {
			return t
		}
	}
	return nil
}

// mustToken is token for rows that point at one; a missing one is a row the
// engine cannot explain, which quarantines the payment.
func (p *payment) mustToken(n uint32) *enginev1.Token {
	t := p.token(n)
	if t == nil {
		panic(&fault{code: IncidentQuarantined, text: "A row points at a token that is not there.", payment: p.row.Payment})
	}
	return t
}

// removeToken takes a token away, and the scopes that only held its variables.
func (p *payment) removeToken(n uint32) {
	p.row.Tokens = slices.DeleteFunc(p.row.Tokens, func(t *enginev1.Token) bool { return t.N == n })
	if len(p.row.Scopes) > 1 {
		p.row.Scopes = slices.DeleteFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return s.Local && s.Token == n })
	}
}

// run moves tokens until all of them wait or are gone.
func (p *payment) run() {
	for !p.ended && (len(p.queue) > 0 || p.joinInclusive()) {
		if len(p.queue) == 0 {
			continue // an inclusive gateway opened another incident, or ended the payment
		}
		m := p.queue[p.next]
		if p.next++; p.next == len(p.queue) {
			p.queue, p.next = p.queue[:0], 0
		}
		token := p.token(m.token)
		if token == nil {
			continue // consumed by a terminate end or an interruption
		}
		if p.a.steps++; p.a.steps > limitSteps {
			p.tooManySteps()
		}
		f := p.flowOf(p.body(token.Scope))
		token.Element = uint32(m.element)
		p.enter(f, token)
	}
	if p.variablesSize() > limitVariables {
		panic(&fault{code: IncidentTooLarge, payment: p.row.Payment, text: "The payment's variables are larger than 4 MiB."})
	}
}

func (p *payment) tooManySteps() {
	panic(&fault{code: IncidentLoop, payment: p.row.Payment,
		text: "The flow went through 10,000 elements without waiting once."})
}

// leave sends a token along all outgoing flows of the element it stands on; with
// none it is consumed.
func (p *payment) leave(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	p.take(f, token, el.Outgoing)
}

// take sends a token along the given sequence flows: the first by itself, the
// others as new tokens.
func (p *payment) take(f *flow, token *enginev1.Token, flows []int) {
	if len(flows) == 0 {
		p.consume(token)
		return
	}
	for i, index := range flows {
		t := token
		if i > 0 {
			t = p.newToken(token.Scope)
		}
		t.ArrivedBy = uint32(index) + 1
		p.queue = append(p.queue, move{t.N, f.process.Flows[index].Target})
	}
}

// end turns the payment into its receipt.
func (p *payment) end() {
	a, row := p.a, p.row
	for _, n := range row.Incidents {
		a.delete(incidentKey(row.Payment, n))
	}
	if row.Result == enginev1.Result_RESULT_UNSPECIFIED {
		row.Result = enginev1.Result_RESULT_UNKNOWN
	}
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, Result: row.Result, Code: row.Code,
		Element: row.EndElement, Type: row.Flow, Number: row.FlowVersion, Key: row.ClientKey,
		Uuid: a.engine.minter.mint(UUID{Payment: row.Payment, Kind: UUIDPayment}),
	})
	receipt := &enginev1.Receipt{
		Payment: row.Payment, Tenant: row.Tenant, Flow: row.Flow, FlowVersion: row.FlowVersion,
		Result: row.Result, Code: row.Code, StartedMs: row.StartedMs, EndedMs: a.stamp.TimeMS,
		Channel: row.Channel, ClientKey: row.ClientKey, RequestDigest: row.RequestDigest,
		LastSeq: row.LastSeq, EndElement: row.EndElement,
	}
	for _, key := range row.EffectKeys {
		k := effectKey(row.Payment, key)
		if effect, found := get[*enginev1.Effect](a, k); found {
			// The request has served its purpose; the answer may have to be repeated.
			kept := copyOf(effect)
			kept.Request = nil
			receipt.Effects = append(receipt.Effects, kept)
			a.delete(k)
		}
	}
	p.dropPins()
	a.delete(instanceKey(row.Payment))
	a.put(receiptKey(row.Payment), receipt)
	p.freeMessageStart()
	p.ended = true
	a.hint(Hint{Kind: HintEnded, Payment: row.Payment})
}

// cancelPayment ends a payment at an operator's word, unless money has moved or may
// have. With compensation it first undoes what was completed.
func (a *application) cancelPayment(c *enginev1.CancelPayment) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustRun(c.Payment)
	if code, why := p.uncancellable(c.Compensate); code != "" {
		a.refuse(code, why)
	}
	p.stop()
	acted := a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: actCancel,
		Tenant: p.row.Tenant, Payment: c.Payment, Actor: c.Actor,
	})
	if c.Compensate {
		acted.Text = "with compensation"
		p.row.Cancelling = true
		p.tell(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_CANCELLING, Actor: c.Actor})
		p.undoNext()
		p.run()
		return acted
	}
	p.row.Result, p.row.Code, p.row.EndElement = enginev1.Result_RESULT_CANCELLED, "cancelled", ""
	p.end()
	return acted
}

// uncancellable says why a payment cannot be cancelled as it stands, if so.
func (p *payment) uncancellable(compensate bool) (code, why string) {
	if p.row.Cancelling {
		return CodeCancelling, "The payment is being cancelled already; its compensation handlers run."
	}
	for _, key := range p.row.EffectKeys {
		effect, found := get[*enginev1.Effect](p.a, effectKey(p.row.Payment, key))
		switch {
		case !found || effect.State == enginev1.EffectState_EFFECT_STATE_REFUSED:
		case effect.State == enginev1.EffectState_EFFECT_STATE_OPEN:
			return CodeMoneyMoved, "The money effect " + quote(key) + " is in doubt; find out first whether it happened."
		case !compensate:
			return CodeMoneyMoved, "The money effect " + quote(key) + " is done; cancelling would leave it behind. Cancel with compensation to undo it."
		case !p.undoable(effect):
			return CodeMoneyMoved, "The money effect " + quote(key) + " of " + quote(effect.Element) + " is done, and no compensation handler would undo it."
		}
	}
	if slices.ContainsFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return s.Compensation }) {
		return CodeCancelling, "Compensation handlers of the payment run; it can be cancelled when they are done."
	}
	return "", ""
}

// stop ends everything the payment does and waits for. Its scopes stay, with what
// was completed in them.
func (p *payment) stop() {
	for _, t := range slices.Clone(p.row.Tokens) {
		p.closeWaits(t)
		p.cancelJob(t)
		p.cancelUserTask(t)
	}
	for _, s := range p.row.Scopes {
		p.closeScopeWaits(s)
		s.Token = 0
	}
	for _, n := range slices.Clone(p.row.Incidents) {
		p.closeIncident(n)
	}
	p.row.Tokens, p.queue, p.next = nil, p.queue[:0], 0
	p.row.Quarantined = false
}

// undoable tells whether a compensation of everything completed would undo an
// effect: whether the activity was completed after the job that intended it.
func (p *payment) undoable(effect *enginev1.Effect) bool {
	for _, s := range p.row.Scopes {
		f := p.flowOf(s)
		if effect.Flow != "" && effect.Flow != f.process.ID || effect.Flow == "" && f.process.ID != p.row.Flow {
			continue
		}
		for _, c := range s.Done {
			for _, h := range f.handlers(nil, c, nil) {
				if f.process.Elements[h.Element].ID == effect.Element && h.N > effect.Job {
					return true
				}
			}
		}
	}
	return false
}
