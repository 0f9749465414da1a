package engine

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Messages meet subscriptions under (tenant, name, key). A message is taken once
// by every flow that waits for it; until its time to live is over it is kept for
// flows that may still come to it. Which of several payments of one flow with the
// same key takes it is decided by age: the oldest subscription.

const defaultBufferedMax = 100_000

func correlationKey(tenant, name, key string) Key {
	return Key{Table: TableCorrelation, S: tenant + "\x00" + name + "\x00" + key}
}

// anyName is where flows are noted that work out a message's name as they run; no
// message has an empty name.
const anyName = ""

func messageNameKey(tenant, name string) Key {
	return Key{Table: TableMessageName, S: tenant + "\x00" + name}
}

// bufferedKey counts a tenant's buffered messages; no sequence has an empty name.
func bufferedKey(tenant string) Key { return Key{Table: TableCounter, S: tenant + "\x00"} }

// publish offers a message: to subscriptions that wait, to flows it starts, and,
// within its time to live, to those that come later.
func (a *application) publish(c *enginev1.Publish) *enginev1.Event {
	if o := c.Origin; o != nil {
		return a.asEffect(o, func(job *enginev1.Job) *enginev1.Event { return a.publishOnce(c, job.Tenant) })
	}
	return a.publishOnce(c, c.Tenant)
}

func (a *application) publishOnce(c *enginev1.Publish, tenant string) *enginev1.Event {
	t := a.mustBeTenant(tenant)
	if c.Name == "" || strings.Contains(c.Name, "\x00") || len(c.Name)+len(c.Key)+len(c.MessageId) > limitNames {
		a.refuse(CodeBadCommand, "A message has a name; name, key and id together are at most 2,000 bytes.")
	}
	if c.TtlMs > limitSleepMS {
		a.refuse(CodeBadCommand, "A message lives for at most 366 days.")
	}
	if variablesSize(c.Variables) > limitVariables {
		a.refuse(CodeTooLarge, "The message's variables are larger than 4 MiB.")
	}
	n := a.position()
	published := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_MESSAGE_PUBLISHED, Tenant: tenant, Type: c.Name, Key: c.Key, Value: n,
	}
	if c.MessageId != "" {
		high, low := idHash(tenant, c.Name, c.Key, c.MessageId)
		if _, again := a.tx.Get(Key{Table: TableMessageIndex, A: high, B: low}); again {
			published.Code = "duplicate"
			return a.frame(published)
		}
		a.put(Key{Table: TableMessageID, A: n}, &enginev1.MessageID{
			HashHigh: high, HashLow: low, PublishedMs: a.stamp.TimeMS, Tenant: tenant,
		})
	}
	published = a.tell(published)
	k := correlationKey(tenant, c.Name, c.Key)
	row, _ := get[*enginev1.Correlation](a, k)
	if row == nil {
		row = &enginev1.Correlation{}
	} else {
		row = copyOf(row)
	}
	msg := &enginev1.BufferedMessage{
		N: n, MessageId: c.MessageId, ExpiresMs: a.stamp.TimeMS + c.TtlMs, Variables: c.Variables,
	}
	// Who takes it is settled before anybody moves: moving opens and closes
	// subscriptions, perhaps under this very key.
	takers := a.takers(row.Subscriptions)
	for _, s := range takers {
		msg.TakenBy = append(msg.TakenBy, s.Flow)
	}
	names, _ := get[*enginev1.MessageName](a, messageNameKey(tenant, c.Name))
	starters := a.starters(tenant, names, c.Key)
	msg.TakenBy = append(msg.TakenBy, starters...)
	if c.TtlMs > 0 && !a.exhausted(tenant, names, msg) {
		full := a.counted(bufferedKey(tenant)) >= bufferedMax(t) || len(row.Messages) >= limitWaiting
		if full && len(msg.TakenBy) == 0 {
			a.refuse(CodeBufferFull, "The tenant's buffer of messages is full.")
		}
		if !full {
			a.buffer(k, tenant, row, msg)
			published.DueMs = msg.ExpiresMs
		}
	}
	for _, s := range takers {
		if !a.correlate(s, c.Name, c.Key, c.Variables) && c.TtlMs > 0 {
			a.giveBack(k, tenant, msg, s.Flow)
			published.DueMs = msg.ExpiresMs
		}
	}
	if c.Actor != nil {
		act := &enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: "publish-message", Tenant: tenant, Name: c.Name, Key: c.Key, Actor: c.Actor,
		}
		if len(takers) == 1 {
			act.Payment = takers[0].Payment
		}
		a.tell(act)
	}
	for _, id := range starters {
		a.startByMessage(tenant, id, c.Name, c.Key, c.Variables)
	}
	return published
}

func bufferedMax(t *enginev1.Tenant) uint64 {
	if t.BufferedMax == 0 {
		return defaultBufferedMax
	}
	return uint64(t.BufferedMax)
}

// buffer keeps a message for its time to live; row is this command's copy.
func (a *application) buffer(k Key, tenant string, row *enginev1.Correlation, msg *enginev1.BufferedMessage) {
	row.Messages = append(slices.Clip(row.Messages), msg)
	a.put(k, row)
	a.count64(bufferedKey(tenant), 1)
	a.addTimer(msg.ExpiresMs, dueOfMessages|msg.N, &enginev1.Due{
		Kind: enginev1.TimerKind_TIMER_KIND_MESSAGE, Subject: k.S, Message: msg.N,
	})
}

// giveBack keeps a message for a payment that could not take it, beyond the
// bounds if need be: the payment takes it when an operator lets it go on.
func (a *application) giveBack(k Key, tenant string, msg *enginev1.BufferedMessage, flow string) {
	row := &enginev1.Correlation{}
	if old, found := get[*enginev1.Correlation](a, k); found {
		row = copyOf(old)
	}
	i := slices.IndexFunc(row.Messages, func(m *enginev1.BufferedMessage) bool { return m.N == msg.N })
	if i >= 0 {
		msg = row.Messages[i]
	}
	msg = copyOf(msg)
	msg.TakenBy = slices.DeleteFunc(slices.Clone(msg.TakenBy), func(id string) bool { return id == flow })
	if i < 0 {
		a.buffer(k, tenant, row, msg)
		return
	}
	row.Messages = slices.Clone(row.Messages)
	row.Messages[i] = msg
	a.put(k, row)
}

// exhausted reports whether every flow that catches the message has taken it. A
// flow that works out a message's name as it runs may catch any.
func (a *application) exhausted(tenant string, names *enginev1.MessageName, msg *enginev1.BufferedMessage) bool {
	if names == nil || len(msg.TakenBy) == 0 {
		return false
	}
	taken := func(id string) bool { return slices.Contains(msg.TakenBy, id) }
	if any, found := get[*enginev1.MessageName](a, messageNameKey(tenant, anyName)); found && !all(any.Catchers, taken) {
		return false
	}
	return all(names.Catchers, taken) && all(names.Starters, taken)
}

func all(ids []string, is func(string) bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !is(id) })
}

// takers are the subscriptions that take a message: the oldest of each flow. A
// payment in quarantine takes nothing; its messages wait until it goes on.
func (a *application) takers(subs []*enginev1.Subscription) []*enginev1.Subscription {
	var first []*enginev1.Subscription
	for _, s := range subs {
		if slices.ContainsFunc(first, func(f *enginev1.Subscription) bool { return f.Flow == s.Flow }) {
			continue
		}
		if in, found := get[*enginev1.Instance](a, instanceKey(s.Payment)); found && !in.Quarantined {
			first = append(first, s)
		}
	}
	return first
}

// correlate hands a message to one waiting payment. If that payment cannot take
// it, the payment is quarantined and the answer is false; publisher and other
// takers do not notice.
func (a *application) correlate(s *enginev1.Subscription, name, key string, vars []*enginev1.Variable) bool {
	taken := true
	f := a.guard(func() {
		p := a.load(s.Payment)
		if p == nil {
			return // ended by what another taker did
		}
		if taken = !p.quarantined(); !taken {
			return
		}
		h, w := p.findWait(s.Wait)
		if w == nil {
			return
		}
		p.takeMessage(h, w, name, key, vars)
		p.run()
	})
	if f != nil {
		f.payment = s.Payment
		a.quarantine(f)
	}
	return taken && f == nil
}

func (p *payment) takeMessage(h holder, w *enginev1.Wait, name, key string, vars []*enginev1.Variable) {
	f := p.flowOf(p.body(h.from()))
	el := &f.process.Elements[w.Element]
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_MESSAGE_CORRELATED, Element: el.ID, Name: el.Name,
		Token: h.n(), Type: name, Key: key, Variables: vars,
	})
	p.trigger(f, h, w, vars)
}

// subscribe opens a subscription for a wait, after taking what came early. It
// reports whether a message has moved the holder on; a non-interrupting event takes
// all that are there and goes on waiting.
func (p *payment) subscribe(f *flow, h holder, w *enginev1.Wait) (movedOn bool) {
	// A payment in quarantine takes what waits for it when it is resolved.
	if !p.quarantined() && p.takeEarly(f, h, w) {
		return true
	}
	a := p.a
	el := &f.process.Elements[w.Element]
	k := correlationKey(p.row.Tenant, w.Name, w.Key)
	row := &enginev1.Correlation{}
	if old, found := get[*enginev1.Correlation](a, k); found {
		row = copyOf(old)
	}
	if len(row.Subscriptions) >= limitWaiting {
		panic(&fault{code: IncidentTooLarge, payment: p.row.Payment,
			text: "More than 1,000 payments wait for message " + quote(w.Name) + " under one key."})
	}
	row.Subscriptions = append(slices.Clip(row.Subscriptions), &enginev1.Subscription{
		Payment: p.row.Payment, Token: h.n(), Wait: w.N, Flow: f.process.ID,
	})
	a.put(k, row)
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SUBSCRIBED, Element: el.ID, Name: el.Name, Token: h.n(),
		Type: w.Name, Key: w.Key,
	})
	return false
}

// takeEarly lets a wait take what the buffer holds for it.
func (p *payment) takeEarly(f *flow, h holder, w *enginev1.Wait) (movedOn bool) {
	k := correlationKey(p.row.Tenant, w.Name, w.Key)
	for {
		m := p.a.takeBuffered(k, p.row.Tenant, w.Name, f.process.ID)
		if m == nil {
			return false
		}
		p.takeMessage(h, w, w.Name, w.Key, m.Variables)
		if !slices.Contains(*h.waits(), w) {
			return true
		}
	}
}

// takeWaiting lets everything that waits for a message or a signal take what came
// while the payment was in quarantine.
func (p *payment) takeWaiting() {
	var open []uint32
	note := func(waits []*enginev1.Wait) {
		for _, w := range waits {
			if w.Name != "" || w.Signal != "" {
				open = append(open, w.N)
			}
		}
	}
	for _, t := range p.row.Tokens {
		note(t.Waits)
	}
	for _, s := range p.row.Scopes {
		note(s.Waits)
	}
	for _, n := range open {
		if h, w := p.findWait(n); w != nil && w.Name != "" {
			p.takeEarly(p.flowOf(p.body(h.from())), h, w)
		}
		p.takeMissed(n)
	}
	p.run()
}

// takeBuffered takes the oldest message that the flow has not taken yet.
func (a *application) takeBuffered(k Key, tenant, name, flow string) *enginev1.BufferedMessage {
	row, found := get[*enginev1.Correlation](a, k)
	if !found {
		return nil
	}
	i := a.nextBuffered(row, flow)
	if i < 0 {
		return nil
	}
	row = copyOf(row)
	m := copyOf(row.Messages[i])
	m.TakenBy = append(slices.Clip(m.TakenBy), flow)
	row.Messages = slices.Clone(row.Messages)
	row.Messages[i] = m
	if names, _ := get[*enginev1.MessageName](a, messageNameKey(tenant, name)); a.exhausted(tenant, names, m) {
		row.Messages = slices.Delete(row.Messages, i, i+1)
		a.count64(bufferedKey(tenant), -1)
		a.delete(timerKey(m.ExpiresMs, dueOfMessages|m.N))
	}
	a.putCorrelation(k, row)
	return m
}

// nextBuffered is the place of the oldest message that the flow may still take, or -1.
func (a *application) nextBuffered(row *enginev1.Correlation, flow string) int {
	return slices.IndexFunc(row.Messages, func(m *enginev1.BufferedMessage) bool {
		return m.ExpiresMs > a.stamp.TimeMS && !slices.Contains(m.TakenBy, flow)
	})
}

func (a *application) unsubscribe(tenant string, payment uint64, w *enginev1.Wait) {
	k := correlationKey(tenant, w.Name, w.Key)
	row, found := get[*enginev1.Correlation](a, k)
	if !found {
		return
	}
	i := slices.IndexFunc(row.Subscriptions, func(s *enginev1.Subscription) bool {
		return s.Payment == payment && s.Wait == w.N
	})
	if i < 0 {
		return
	}
	row = copyOf(row)
	row.Subscriptions = slices.Delete(slices.Clone(row.Subscriptions), i, i+1)
	a.putCorrelation(k, row)
}

func (a *application) putCorrelation(k Key, row *enginev1.Correlation) {
	if len(row.Subscriptions) == 0 && len(row.Messages) == 0 {
		a.delete(k)
	} else {
		a.put(k, row)
	}
}

// expireMessage ends a message's time to live. One that nobody took is told, on
// the timeline of the payment its key names when it names one.
func (a *application) expireMessage(d *enginev1.Due) {
	k := Key{Table: TableCorrelation, S: d.Subject}
	row, found := get[*enginev1.Correlation](a, k)
	if !found {
		return
	}
	i := slices.IndexFunc(row.Messages, func(m *enginev1.BufferedMessage) bool { return m.N == d.Message })
	if i < 0 {
		return
	}
	m := row.Messages[i]
	row = copyOf(row)
	row.Messages = slices.Delete(slices.Clone(row.Messages), i, i+1)
	a.putCorrelation(k, row)
	tenant, name, key := splitCorrelation(d.Subject)
	a.count64(bufferedKey(tenant), -1)
	if len(m.TakenBy) > 0 {
		return
	}
	expired := &enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_MESSAGE_EXPIRED, Tenant: tenant, Type: name, Key: key,
		Value: m.N, Variables: m.Variables, Text: "Nobody took the message by the end of its time to live.",
	}
	u, ours := a.engine.minter.parse(key)
	if !ours {
		a.tell(expired)
		return
	}
	if p := a.load(u.Payment); p != nil {
		p.tell(expired)
		return
	}
	if receipt, found := get[*enginev1.Receipt](a, receiptKey(u.Payment)); found {
		receipt = copyOf(receipt)
		receipt.LastSeq++
		a.put(receiptKey(u.Payment), receipt)
		expired.Payment, expired.Seq = u.Payment, receipt.LastSeq
	}
	a.tell(expired)
}

// registerMessages notes which flows know which messages; a new version of a flow
// no longer starts by a message that only its old version knew.
func (a *application) registerMessages(tenant string, p *bpmn.Process) {
	note := func(name string, change func(*enginev1.MessageName)) {
		k := messageNameKey(tenant, name)
		row := &enginev1.MessageName{}
		if old, found := get[*enginev1.MessageName](a, k); found {
			row = copyOf(old)
		}
		change(row)
		a.put(k, row)
	}
	if version, found := get[*enginev1.FlowLatest](a, latestKey(tenant, p.ID)); found && version.Version > 1 {
		if old := a.flow(tenant, p.ID, version.Version-1); old != nil {
			leave := func(row *enginev1.MessageName) {
				row.Starters = slices.DeleteFunc(slices.Clone(row.Starters), func(id string) bool { return id == p.ID })
			}
			for _, i := range old.process.MessageStart {
				note(old.process.Elements[i].Message.Name.Static, leave)
			}
			for _, i := range old.process.SignalStart {
				note(signalStarts(old.process.Elements[i].Signal.Name.Static), leave)
			}
		}
	}
	join := func(row *enginev1.MessageName) { row.Starters = withName(row.Starters, p.ID) }
	for _, i := range p.MessageStart {
		note(p.Elements[i].Message.Name.Static, join)
	}
	for _, i := range p.SignalStart {
		note(signalStarts(p.Elements[i].Signal.Name.Static), join)
	}
	for i := range p.Elements {
		if el := &p.Elements[i]; el.Message != nil && !slices.Contains(p.MessageStart, i) {
			// A name that is an expression has no static text: anyName.
			note(el.Message.Name.Static, func(row *enginev1.MessageName) { row.Catchers = withName(row.Catchers, p.ID) })
		}
	}
}

func withName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(slices.Clip(names), name)
}
