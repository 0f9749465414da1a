package engine

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A signal goes to everything of the tenant that waits for it when it is broadcast,
// and starts the flows that begin with it. However many wait, delivery takes bounded
// steps: a broadcast leaves a row and a timer that is due, and every FireTimers
// delivers a part.

// signalKey is where one wait for a signal stands.
func signalKey(tenant, name string, payment uint64, wait uint32) Key {
	return Key{Table: TableSignal, S: tenant + "\x00" + name, A: payment, B: uint64(wait)}
}

// signalStarts notes the flows that a signal starts, beside those of messages, whose
// names do not begin so.
func signalStarts(name string) string { return "\x00" + name }

// deliveriesKey counts a tenant's broadcasts on their way; no sequence is so named.
func deliveriesKey(tenant string) Key { return Key{Table: TableCounter, S: tenant + "\x00\x00"} }

func deliveryKey(n uint64) Key { return Key{Table: TableDelivery, A: n} }

// broadcast is an administrator's or opsd's signal.
func (a *application) broadcast(c *enginev1.Broadcast) *enginev1.Event {
	a.mustBeTenant(c.Tenant)
	if c.Name == "" || strings.Contains(c.Name, "\x00") || len(c.Name) > limitNames {
		a.refuse(CodeBadCommand, "A signal has a name of at most 2,000 bytes.")
	}
	if variablesSize(c.Variables) > limitVariables {
		a.refuse(CodeTooLarge, "The signal's variables are larger than 4 MiB.")
	}
	if a.counted(deliveriesKey(c.Tenant)) >= limitBroadcasts {
		a.refuse(CodeBufferFull, "1,000 broadcasts of the tenant are on their way already.")
	}
	n := a.position()
	sent := a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SIGNAL_BROADCAST, Tenant: c.Tenant, Type: c.Name, Variables: c.Variables,
	})
	if c.Actor != nil {
		a.tell(&enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_ACTED, Type: "broadcast-signal", Tenant: c.Tenant, Name: c.Name, Actor: c.Actor,
		})
	}
	a.send(n, sent)
	return sent
}

// send puts a broadcast that has been told at a position on its way.
func (a *application) send(n uint64, sent *enginev1.Event) {
	a.count64(deliveriesKey(sent.Tenant), 1)
	a.put(deliveryKey(n), &enginev1.SignalDelivery{Tenant: sent.Tenant, Name: sent.Type, Variables: sent.Variables})
	a.addTimer(max(a.stamp.TimeMS, 1), dueOfMessages|n, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_SIGNAL, Message: n})
}

// throwSignal broadcasts what an event throws, with the variables its input mappings
// give it.
func (p *payment) throwSignal(token *enginev1.Token, el *bpmn.Element) bool {
	name, ok := el.Signal.Name.Eval(p.see(token.Scope))
	if !ok || len(name) > limitNames || strings.Contains(name, "\x00") {
		p.openIncident(token, IncidentExpression, "The signal name of "+quote(el.ID)+" did not evaluate to a text of at most 2,000 bytes.")
		return false
	}
	// What catches a signal may throw it again, and twice.
	if p.a.counted(deliveriesKey(p.row.Tenant)) >= limitBroadcasts {
		p.openIncident(token, IncidentTooLarge, "1,000 broadcasts of the tenant are on their way already.")
		return false
	}
	var vars []*enginev1.Variable
	if local := p.mappings(token); local != nil {
		vars = local.Variables
	}
	n := p.a.position()
	p.a.send(n, p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SIGNAL_BROADCAST, Element: el.ID, Name: el.Name, Token: token.N, Type: name, Variables: vars,
	}))
	return true
}

// awaitSignal opens the subscription of a wait.
func (p *payment) awaitSignal(h holder, el *bpmn.Element, w *enginev1.Wait) {
	since := p.a.position()
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SUBSCRIBED, Element: el.ID, Name: el.Name, Token: h.n(), Type: w.Signal,
	})
	p.a.put(signalKey(p.row.Tenant, w.Signal, p.row.Payment, w.N), &enginev1.SignalWait{Since: since})
}

// deliverSignal gives a broadcast to the next of those that waited before it, and
// sets the timer again while some are left.
func (a *application) deliverSignal(n uint64) {
	row, found := get[*enginev1.SignalDelivery](a, deliveryKey(n))
	if !found {
		return
	}
	a.delete(deliveryKey(n))
	d := copyOf(row)
	if !d.Started {
		d.Started = true
		a.startBySignal(d)
	}
	var next []Key
	from := signalKey(d.Tenant, d.Name, d.Payment, d.Wait)
	seen, more := 0, false
	a.tx.Ascend(from, func(k Key, r Row) bool {
		switch {
		case k.S != from.S:
			return false
		case k.A == d.Payment && k.B == uint64(d.Wait):
			return true // the last one of the part before
		case seen == limitDelivered:
			more = true
			return false
		}
		seen++
		d.Payment, d.Wait = k.A, uint32(k.B)
		if r.(*enginev1.SignalWait).Since < n {
			next = append(next, k)
		}
		return true
	})
	if more {
		a.put(deliveryKey(n), d)
		a.addTimer(max(a.stamp.TimeMS, 1), dueOfMessages|n, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_SIGNAL, Message: n})
	} else {
		a.count64(deliveriesKey(d.Tenant), -1)
	}
	a.closeAll()
	for _, k := range next {
		a.takeSignal(k, d)
	}
}

// takeSignal hands a signal to one wait. A payment that cannot take it is
// quarantined; one in quarantine takes it when it goes on.
func (a *application) takeSignal(k Key, d *enginev1.SignalDelivery) {
	taken := true
	f := a.guard(func() {
		p := a.load(k.A)
		if p == nil {
			return
		}
		h, w := p.findWait(uint32(k.B))
		if w == nil {
			return // closed by one that took the signal before it
		}
		if taken = !p.quarantined(); taken {
			p.catchSignal(h, w, d.Variables)
			p.run()
		}
	})
	if f != nil {
		f.payment = k.A
		a.quarantine(f)
	}
	if f != nil || !taken {
		a.keepSignal(k, d)
	}
}

func (p *payment) catchSignal(h holder, w *enginev1.Wait, vars []*enginev1.Variable) {
	f := p.flowOf(p.body(h.from()))
	el := &f.process.Elements[w.Element]
	p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_SIGNAL_CAUGHT, Element: el.ID, Name: el.Name,
		Token: h.n(), Type: w.Signal, Variables: vars,
	})
	p.trigger(f, h, w, vars)
}

// keepSignal keeps a signal for a wait of a payment in quarantine. Of very many the
// first count.
func (a *application) keepSignal(k Key, d *enginev1.SignalDelivery) {
	row, found := get[*enginev1.SignalWait](a, k)
	if !found || len(row.Missed) == limitMissed {
		return
	}
	row = copyOf(row)
	row.Missed = append(slices.Clip(row.Missed), &enginev1.SignalDelivery{Variables: d.Variables})
	a.put(k, row)
}

// takeMissed lets a wait take the signals that came while the payment was in
// quarantine, until it is over.
func (p *payment) takeMissed(n uint32) {
	for {
		h, w := p.findWait(n)
		if w == nil || w.Signal == "" {
			return
		}
		k := signalKey(p.row.Tenant, w.Signal, p.row.Payment, n)
		row, found := get[*enginev1.SignalWait](p.a, k)
		if !found || len(row.Missed) == 0 {
			return
		}
		first := row.Missed[0]
		row = copyOf(row)
		row.Missed = row.Missed[1:]
		p.a.put(k, row)
		p.catchSignal(h, w, first.Variables)
	}
}

// startBySignal starts the flows that begin with the signal.
func (a *application) startBySignal(d *enginev1.SignalDelivery) {
	names, found := get[*enginev1.MessageName](a, messageNameKey(d.Tenant, signalStarts(d.Name)))
	if !found {
		return
	}
	for _, id := range names.Starters {
		f := a.flow(d.Tenant, id, 0)
		if f == nil {
			continue
		}
		for _, i := range f.process.SignalStart {
			if f.process.Elements[i].Signal.Name.Static == d.Name {
				a.startFrom(f, d.Tenant, i, d.Variables, "")
			}
		}
	}
}
