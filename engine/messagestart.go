package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

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

// startFrom starts a flow at a start event that is not the none start event, and
// reports whether it did; a payment that cannot be started leaves no trace but its
// refusal.
func (a *application) startFrom(f *flow, tenant string, start int, vars []*enginev1.Variable, key string) bool {
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
	return fault == nil
}

// freeMessageStart lets the next message start the flow, now that the payment that
// held it back has ended.
func (p *payment) freeMessageStart() {
	row := p.row
	if row.MessageKey == "" {
		return
	}
	p.a.delete(messageStartKey(row.Tenant, row.Flow, row.MessageKey))
	p.a.awaitNextStart(row.Tenant, row.Flow, row.MessageKey)
}

// awaitNextStart sets a timer if a message waits to start the flow, so that one
// command starts one payment.
func (a *application) awaitNextStart(tenant, id, key string) {
	f := a.flow(tenant, id, 0)
	if f == nil {
		return
	}
	if _, waits := a.heldBack(f, tenant, key); waits {
		a.addTimer(max(a.stamp.TimeMS, 1), dueOfStarts, &enginev1.Due{
			Kind: enginev1.TimerKind_TIMER_KIND_MESSAGE_START, Subject: messageStartKey(tenant, id, key).S,
		})
	}
}

// heldBack is the start event of a flow for which the oldest message under a key
// waits.
func (a *application) heldBack(f *flow, tenant, key string) (start int, waits bool) {
	oldest := uint64(0)
	for _, i := range f.process.MessageStart {
		row, found := get[*enginev1.Correlation](a, correlationKey(tenant, f.process.Elements[i].Message.Name.Static, key))
		if !found {
			continue
		}
		if m := a.nextBuffered(row, f.process.ID); m >= 0 && (!waits || row.Messages[m].N < oldest) {
			start, waits, oldest = i, true, row.Messages[m].N
		}
	}
	return start, waits
}

// startHeldBack starts a flow by the oldest message that waits for it.
func (a *application) startHeldBack(d *enginev1.Due) {
	tenant, id, key := splitCorrelation(d.Subject)
	f := a.flow(tenant, id, 0)
	if _, busy := get[*enginev1.MessageStart](a, messageStartKey(tenant, id, key)); busy || f == nil {
		return
	}
	start, waits := a.heldBack(f, tenant, key)
	if !waits {
		return
	}
	name := f.process.Elements[start].Message.Name.Static
	m := a.takeBuffered(correlationKey(tenant, name, key), tenant, name, id)
	if !a.startFrom(f, tenant, start, m.Variables, key) {
		a.awaitNextStart(tenant, id, key) // no payment will end and see to the others
	}
}
