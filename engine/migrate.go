package engine

import (
	"fmt"
	"slices"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Migration lets a running payment go on in another version of its flow. What stands
// somewhere must find its place there: tokens, open sub-processes and loops, what was
// completed and could be undone. Nothing moves by it.
//
//   - A job keeps its row, its attempts and its history; the new version must give it
//     the type it has. A user task keeps its row.
//   - A timer, message or signal that is awaited is kept as it is where the new version
//     says the same of the event; else it is closed and opened anew. (Zeebe keeps it
//     even where the model differs.) An event of the new version that the old one does
//     not have is awaited from now on; one that has fired already is not.
//   - Called flows stay in their version, and mappings of inputs are not repeated.
type migration struct {
	p        *payment
	from, to *flow
	names    map[string]string // by mapping: id in from → id in to
	scopes   []*enginev1.Scope // of this flow: not those of called ones
	faults   []string
	plans    []waitPlan
}

// waitPlan says what becomes of what one holder waits for.
type waitPlan struct {
	h     holder
	keep  []*enginev1.Wait
	close []*enginev1.Wait
	open  []*bpmn.Element
}

func (a *application) migratePayment(c *enginev1.MigratePayment) *enginev1.Event {
	a.mustBeExplained(c.Actor)
	p := a.mustRun(c.Payment)
	m := &migration{p: p, names: make(map[string]string, len(c.Mappings))}
	m.from = p.flowOf(p.row.Scopes[0])
	if m.to = a.flow(p.row.Tenant, p.row.Flow, c.FlowVersion); m.to == nil || c.FlowVersion == 0 {
		a.refuse(CodeFlowUnknown, fmt.Sprintf("Flow %s has no version %d.", quote(p.row.Flow), c.FlowVersion))
	}
	if c.FlowVersion == p.row.FlowVersion {
		a.refuse(CodeMigrationRefused, fmt.Sprintf("The payment is in version %d already.", c.FlowVersion))
	}
	m.readMappings(c.Mappings)
	for _, s := range p.row.Scopes {
		if p.ownScope(s) {
			m.scopes = append(m.scopes, s)
		}
	}
	m.check()
	if len(m.faults) > 0 {
		a.refuse(CodeMigrationRefused, summary(m.faults))
	}
	text := fmt.Sprintf("from version %d", p.row.FlowVersion)
	for _, mapping := range c.Mappings {
		text = clip(text + ", " + mapping.From + " to " + mapping.To)
	}
	migrated := p.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_PAYMENT_MIGRATED, Type: p.row.Flow, Number: c.FlowVersion, Text: text, Actor: c.Actor,
	})
	p.acted(actMigrate, c.Actor, func(ev *enginev1.Event) {
		ev.Name, ev.Number, ev.Text = p.row.Flow, c.FlowVersion, text
	})
	m.remap()
	p.tried(m.goOn)
	return migrated
}

// ownScope tells whether a scope is of the payment's own flow and not of a called
// one.
func (p *payment) ownScope(s *enginev1.Scope) bool {
	for s.Flow == "" {
		s = p.scope(s.Parent)
	}
	return s.Parent == 0
}

func (m *migration) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// readMappings takes the mapping of elements and, for tokens at a join, of sequence
// flows.
func (m *migration) readMappings(mappings []*enginev1.ElementMapping) {
	for _, mapping := range mappings {
		_, element := m.from.process.Element(mapping.From)
		_, flow := m.from.process.Flow(mapping.From)
		_, toElement := m.to.process.Element(mapping.To)
		_, toFlow := m.to.process.Flow(mapping.To)
		_, twice := m.names[mapping.From]
		switch {
		case !element && !flow:
			m.fault("%s is not in version %d", quote(mapping.From), m.from.row.Version)
		case element && !toElement || flow && !toFlow:
			m.fault("%s is not in version %d", quote(mapping.To), m.to.row.Version)
		case twice:
			m.fault("%s is mapped twice", quote(mapping.From))
		}
		m.names[mapping.From] = mapping.To
	}
}

// target is where an element of the old version is in the new one, by the mapping or
// by its id.
func (m *migration) target(index uint32) (*bpmn.Element, bool) {
	id := m.from.process.Elements[index].ID
	if to, mapped := m.names[id]; mapped {
		id = to
	}
	return m.to.process.Element(id)
}

// place is the target of an element that something stands on, which must be there
// and be the same kind of element in the same place.
func (m *migration) place(index uint32, what string) (*bpmn.Element, bool) {
	from := &m.from.process.Elements[index]
	to, found := m.target(index)
	if !found {
		m.fault("%s: %s, and version %d has no such element; map it to one", from.ID, what, m.to.row.Version)
		return nil, false
	}
	switch {
	case from.Kind != to.Kind:
		m.fault("%s: %s, and it is a %s where %s is a %s", from.ID, what, from.Kind, to.ID, to.Kind)
	case (from.Loop == nil) != (to.Loop == nil) || from.Loop != nil && from.Loop.Sequential != to.Loop.Sequential:
		m.fault("%s: %s, and %s is not repeated in the same way", from.ID, what, to.ID)
	case from.ForCompensation != to.ForCompensation:
		m.fault("%s: %s, and only one of it and %s is a compensation handler", from.ID, what, to.ID)
	case !m.sameParent(from, to):
		m.fault("%s: %s, and %s is in another sub-process", from.ID, what, to.ID)
	default:
		return to, true
	}
	return nil, false
}

func (m *migration) sameParent(from, to *bpmn.Element) bool {
	if from.Parent < 0 || to.Parent < 0 {
		return from.Parent == to.Parent
	}
	parent, found := m.target(uint32(from.Parent))
	return found && parent.Index == to.Parent
}

// check finds every fault there is and plans what becomes of the waits. It changes
// nothing.
func (m *migration) check() {
	for _, s := range m.scopes {
		if s.Element != 0 && !s.Local && s.Token == 0 { // else its token is asked
			m.place(s.Element-1, "it is open")
		}
		m.checkDone(s.Done)
		m.checkDone(s.Undo)
		m.planScope(s)
	}
	for _, t := range m.tokens() {
		m.checkToken(t)
	}
}

// tokens are those in scopes of this flow.
func (m *migration) tokens() []*enginev1.Token {
	var own []*enginev1.Token
	for _, t := range m.p.row.Tokens {
		if slices.Contains(m.scopes, m.p.scope(t.Scope)) {
			own = append(own, t)
		}
	}
	return own
}

// checkDone demands that what could be undone still can be.
func (m *migration) checkDone(done []*enginev1.Compensable) {
	for _, c := range done {
		if to, ok := m.place(c.Element, "it is completed and can be undone"); ok {
			if from := &m.from.process.Elements[c.Element]; from.CompensatedBy >= 0 && to.CompensatedBy < 0 {
				m.fault("%s: it is completed and can be undone, and %s has no compensation handler", from.ID, to.ID)
			}
		}
		m.checkDone(c.Inside)
	}
}

func (m *migration) checkToken(t *enginev1.Token) {
	from := &m.from.process.Elements[t.Element]
	to, ok := m.place(t.Element, fmt.Sprintf("token %d stands on it", t.N))
	if !ok {
		return
	}
	if t.Joining {
		if _, ok := m.way(t, to); !ok {
			m.fault("%s: token %d came by %s, and version %d has no such way to %s; map the sequence flow",
				from.ID, t.N, m.from.process.Flows[t.ArrivedBy-1].ID, m.to.row.Version, to.ID)
		}
	}
	// Where both versions say the same, variables may have changed since.
	if t.Job != 0 && from.JobType.String() != to.JobType.String() {
		if job, found := get[*enginev1.Job](m.p.a, jobKey(m.p.row.Payment, t.Job)); found {
			if jobType, ok := to.JobType.Eval(sight{p: m.p, from: t.Scope}); !ok || jobType != job.Type {
				m.fault("%s: its job is of type %s, and that of %s would be of type %s", from.ID, quote(job.Type), to.ID, quote(to.JobType.String()))
			}
		}
	}
	round := from.Loop != nil && m.p.inLoop(t)
	// What stands behind an incident without a job is entered anew when that is
	// resolved, and then waits as the new version says.
	m.plan(holder{token: t}, events(m.from, from, round), events(m.to, to, round), t.Incident != 0 && t.Job == 0)
}

// way is the sequence flow of the new version by which a token has come to a join.
func (m *migration) way(t *enginev1.Token, to *bpmn.Element) (uint32, bool) {
	if t.ArrivedBy == 0 {
		return 0, false
	}
	id := m.from.process.Flows[t.ArrivedBy-1].ID
	if name, mapped := m.names[id]; mapped {
		id = name
	}
	flow, found := m.to.process.Flow(id)
	if !found || flow.Target != to.Index {
		return 0, false
	}
	return uint32(flow.Index) + 1, true
}

// events are those a token on an element waits for.
func events(f *flow, el *bpmn.Element, round bool) []*bpmn.Element {
	var events []*bpmn.Element
	add := func(index int) {
		if e := &f.process.Elements[index]; e.Timer != nil || e.Message != nil || e.Signal != nil {
			events = append(events, e)
		}
	}
	if !round {
		for _, index := range el.Boundary {
			add(index)
		}
	}
	switch {
	case el.Loop != nil && !round:
	case el.Kind == bpmn.KindReceive, el.Kind == bpmn.KindCatch:
		add(el.Index)
	case el.Kind == bpmn.KindEventBased:
		for _, index := range el.Outgoing {
			add(f.process.Flows[index].Target)
		}
	}
	return events
}

// planScope plans for the event sub-processes of a scope.
func (m *migration) planScope(s *enginev1.Scope) {
	if s.Local || s.Interrupted || s.Loop != nil || s.Compensation {
		return
	}
	before, after := m.from.process.EventSubs, m.to.process.EventSubs
	if s.Element != 0 {
		to, found := m.target(s.Element - 1)
		if !found {
			return
		}
		before, after = m.from.process.Elements[s.Element-1].EventSubs, to.EventSubs
	}
	starts := func(f *flow, subs []int) (events []*bpmn.Element) {
		for _, sub := range subs {
			if e := &f.process.Elements[f.process.Elements[sub].SubStart]; e.Timer != nil || e.Message != nil || e.Signal != nil {
				events = append(events, e)
			}
		}
		return events
	}
	// A token that stands on the start event, behind an incident, opens the scope anew.
	atStart := slices.ContainsFunc(m.p.row.Tokens, func(t *enginev1.Token) bool {
		return m.p.body(t.Scope).N == s.N && m.from.process.Elements[t.Element].Kind == bpmn.KindStart
	})
	m.plan(holder{scope: s}, starts(m.from, before), starts(m.to, after), atStart)
}

// plan pairs what is awaited with what the new version awaits.
func (m *migration) plan(h holder, before, after []*bpmn.Element, paused bool) {
	plan := waitPlan{h: h}
	kept := make(map[int]bool) // events of the new version that need not be opened
	known := make(map[int]*bpmn.Element)
	for _, e := range before {
		if to, found := m.target(uint32(e.Index)); found {
			known[to.Index] = e
			// Without a wait it has fired, and does not fire again.
			kept[to.Index] = !slices.ContainsFunc(*h.waits(), func(w *enginev1.Wait) bool { return int(w.Element) == e.Index })
		}
	}
	for _, w := range *h.waits() {
		to, found := m.target(w.Element)
		if found && slices.Contains(after, to) && known[to.Index] != nil && sameEvent(known[to.Index], to) {
			w = copyOf(w)
			w.Element = uint32(to.Index)
			plan.keep = append(plan.keep, w)
			kept[to.Index] = true
		} else {
			plan.close = append(plan.close, w)
		}
	}
	for _, e := range after {
		if kept[e.Index] || paused {
			continue
		}
		if why := m.p.cannotWait(h, e); why != "" {
			m.fault("%s: %s", e.ID, why)
		}
		plan.open = append(plan.open, e)
	}
	m.plans = append(m.plans, plan)
}

// sameEvent tells whether two versions say the same of when an event happens.
func sameEvent(a, b *bpmn.Element) bool {
	switch {
	case a.Timer != nil && b.Timer != nil:
		return a.Timer.Kind == b.Timer.Kind && a.Timer.Text.String() == b.Timer.Text.String()
	case a.Message != nil && b.Message != nil:
		return a.Message.Name.String() == b.Message.Name.String() &&
			sameKey(a.Message.CorrelationKey, b.Message.CorrelationKey)
	case a.Signal != nil && b.Signal != nil:
		return a.Signal.Name.String() == b.Signal.Name.String()
	}
	return false
}

func sameKey(a, b *feel.Expr) bool {
	return a == nil && b == nil || a != nil && b != nil && a.String() == b.String()
}

// cannotWait says why an event could not be awaited, if so.
func (p *payment) cannotWait(h holder, el *bpmn.Element) string {
	in := sight{p: p, from: h.from()}
	switch {
	case el.Timer != nil:
		if _, err := el.Timer.Schedule(in, p.a.stamp.TimeMS); err != nil {
			return "its timer cannot be set: " + err.Error()
		}
	case el.Message != nil:
		name, named := el.Message.Name.Eval(in)
		if key, keyed := el.Message.Key(in); !named || !keyed || len(name)+len(key) > limitNames {
			return "its message name or correlation key does not evaluate to a text or a number of at most 2,000 bytes"
		}
	case el.Signal != nil:
		if name, named := el.Signal.Name.Eval(in); !named || len(name) > limitNames {
			return "its signal name does not evaluate to a text of at most 2,000 bytes"
		}
	}
	return ""
}

// remap moves everything that stands in the old version to its place in the new one.
func (m *migration) remap() {
	p := m.p
	for _, t := range m.tokens() {
		to, _ := m.target(t.Element)
		m.rename(t, &m.from.process.Elements[t.Element], to)
		way, _ := m.way(t, to)
		t.Element, t.ArrivedBy = uint32(to.Index), way
	}
	for _, s := range m.scopes {
		if s.Element != 0 {
			// What is left of an activity that a cancelled payment was in need not be there.
			if to, found := m.target(s.Element - 1); found {
				s.Element = uint32(to.Index) + 1
			}
		}
		s.Done, s.Undo = m.renumber(s.Done), m.renumber(s.Undo)
	}
	for _, key := range p.row.EffectKeys {
		// Compensation asks which activity a money effect belongs to.
		k := effectKey(p.row.Payment, key)
		if effect, found := get[*enginev1.Effect](p.a, k); found && effect.Flow == "" && m.names[effect.Element] != "" {
			effect = copyOf(effect)
			effect.Element = m.names[effect.Element]
			p.a.put(k, effect)
		}
	}
	for _, plan := range m.plans {
		for _, w := range plan.close {
			p.closeWait(w)
		}
		*plan.h.waits() = plan.keep
	}
	p.row.Scopes[0].FlowVersion, p.row.FlowVersion = m.to.row.Version, m.to.row.Version
	for _, t := range m.tokens() {
		m.openMappings(t)
	}
}

// openMappings gives an activity that has mappings only in the new version the scope
// it needs to end. Those of a loop belong to its rounds.
func (m *migration) openMappings(t *enginev1.Token) {
	p, to := m.p, &m.to.process.Elements[t.Element]
	busy := t.Job != 0 || t.UserTask != 0 || len(t.Waits) > 0 || p.holds(t)
	if len(to.Inputs)+len(to.Outputs) == 0 || p.mappings(t) != nil || !busy || to.Loop != nil && !p.inLoop(t) {
		return
	}
	local := &enginev1.Scope{N: p.nextN(), Parent: t.Scope, Token: t.N, Local: true, Element: t.Element + 1}
	for _, s := range p.row.Scopes {
		if s.Token == t.N && !s.Local {
			s.Parent = local.N
		}
	}
	// What is around a scope stands before it.
	around := slices.IndexFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return s.N == t.Scope })
	p.row.Scopes = slices.Insert(p.row.Scopes, around+1, local)
	m.scopes = append(m.scopes, local)
	t.Scope = local.N
}

// there tells whether a holder is still part of the payment.
func (p *payment) there(h holder) bool {
	if h.token != nil {
		return slices.Contains(p.row.Tokens, h.token)
	}
	return slices.Contains(p.row.Scopes, h.scope)
}

// holds tells whether something is open inside the token's activity.
func (p *payment) holds(t *enginev1.Token) bool {
	return slices.ContainsFunc(p.row.Scopes, func(s *enginev1.Scope) bool { return s.Token == t.N && !s.Local })
}

func (m *migration) renumber(done []*enginev1.Compensable) []*enginev1.Compensable {
	out := cloneAll(done)
	for _, c := range out {
		to, _ := m.target(c.Element)
		c.Element = uint32(to.Index)
		c.Inside = m.renumber(c.Inside)
	}
	return out
}

// rename gives the rows of a token the id of its new element.
func (m *migration) rename(t *enginev1.Token, from, to *bpmn.Element) {
	if from.ID == to.ID && from.Name == to.Name {
		return
	}
	a, payment := m.p.a, m.p.row.Payment
	if job, found := get[*enginev1.Job](a, jobKey(payment, t.Job)); found {
		job = copyOf(job)
		job.Element = to.ID
		a.put(jobKey(payment, t.Job), job)
	}
	if task, found := get[*enginev1.UserTask](a, userTaskKey(payment, t.UserTask)); found {
		task = copyOf(task)
		task.Element, task.Name = to.ID, to.Name
		a.put(userTaskKey(payment, t.UserTask), task)
	}
	if in, found := get[*enginev1.Incident](a, incidentKey(payment, t.Incident)); found {
		in = copyOf(in)
		in.Element = to.ID
		a.put(incidentKey(payment, t.Incident), in)
	}
}

// goOn opens what the new version awaits, and lets joins go on that wait for nobody
// any more. A payment in quarantine does so when it is resolved.
func (m *migration) goOn() {
	p := m.p
	for _, plan := range m.plans {
		for _, el := range plan.open {
			if p.ended || !p.there(plan.h) {
				break // a message that came early has interrupted it
			}
			if movedOn, _ := p.openWait(m.to, plan.h, el); movedOn {
				break
			}
		}
	}
	if p.ended || p.quarantined() {
		return
	}
	for _, t := range m.tokens() {
		if t.Joining && m.to.process.Elements[t.Element].Kind == bpmn.KindParallel {
			p.queue = append(p.queue, move{t.N, int(t.Element)})
		}
	}
	p.run()
}
