package engine

import (
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A message starts a flow that begins with it. With a correlation key, only one
// payment of the flow started by that key runs at a time: a message that comes
// meanwhile waits in the buffer, for its time to live, and starts the next one when
// that payment has ended. Without a key it always starts one.

func messageStartKey(tenant, flow, key string) Key {
	return Key{Table: TableMessageStart, S: tenant + "\x00" + flow + "\x00" + key}
}

// starters are the flows that a message under a key starts now.
func (a *application) starters(tenant string, names *enginev1.MessageName, key string) []string {
	if names == nil {
		return nil
	}
	var free []string
	for _, id := range names.Starters {
		if _, busy := get[*enginev1.MessageStart](a, messageStartKey(tenant, id, key)); key == "" || !busy {
			free = append(free, id)
		}
	}
	return free
}

// startByMessage starts a flow by its message start event.
func (a *application) startByMessage(tenant, id, name, key string, vars []*enginev1.Variable) {
	f := a.flow(tenant, id, 0)
	if f == nil {
		return
	}
	for _, i := range f.process.MessageStart {
		if f.process.Elements[i].Message.Name.Static == name {
			a.startFrom(f, tenant, i, vars, key)
			return
		}
	}
}

// startFrom starts a flow at a start event that is not the none start event; a
// payment that cannot be started leaves no trace but its refusal.
func (a *application) startFrom(f *flow, tenant string, start int, vars []*enginev1.Variable, key string) {
	fault := a.guard(func() {
		p := a.begin(f, tenant, start, vars, func(row *enginev1.Instance) { row.MessageKey = key })
		if key != "" {
			a.put(messageStartKey(tenant, f.process.ID, key), &enginev1.MessageStart{Payment: p.row.Payment})
		}
		p.run()
	})
	if fault != nil {
		a.tell(&enginev1.Event{
			Kind: enginev1.EventKind_EVENT_KIND_REJECTED, Tenant: tenant, Type: f.process.ID,
			Code: fault.code, Text: fault.text,
		})
	}
}

// freeMessageStart lets the next message start the flow, now that the payment that
// held it back has ended. A timer does it, so that one command starts one payment.
func (p *payment) freeMessageStart() {
	a, row := p.a, p.row
	if row.MessageKey == "" {
		return
	}
	k := messageStartKey(row.Tenant, row.Flow, row.MessageKey)
	a.delete(k)
	f := a.flow(row.Tenant, row.Flow, 0)
	if f == nil {
		return
	}
	for _, i := range f.process.MessageStart {
		waiting, found := get[*enginev1.Correlation](a, correlationKey(row.Tenant, f.process.Elements[i].Message.Name.Static, row.MessageKey))
		if found && slices.ContainsFunc(waiting.Messages, func(m *enginev1.BufferedMessage) bool { return !slices.Contains(m.TakenBy, row.Flow) }) {
			a.addTimer(max(a.stamp.TimeMS, 1), dueOfStarts, &enginev1.Due{Kind: enginev1.TimerKind_TIMER_KIND_MESSAGE_START, Subject: k.S})
			return
		}
	}
}

// startHeldBack starts a flow by the oldest message that waits for it.
func (a *application) startHeldBack(d *enginev1.Due) {
	tenant, id, key := splitCorrelation(d.Subject)
	f := a.flow(tenant, id, 0)
	if _, busy := get[*enginev1.MessageStart](a, messageStartKey(tenant, id, key)); busy || f == nil {
		return
	}
	for _, i := range f.process.MessageStart {
		name := f.process.Elements[i].Message.Name.Static
		if m := a.takeBuffered(correlationKey(tenant, name, key), tenant, name, id); m != nil {
			a.startFrom(f, tenant, i, m.Variables, key)
			return
		}
	}
}
