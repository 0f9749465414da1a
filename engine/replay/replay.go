package replay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/memtx"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Flow is one deployed version of a flow.
type Flow struct {
	ID         string
	Version    uint32
	File       string
	XML        []byte
	Ends       []*enginev1.EndResult
	DeployedMS int64
}

// Case is a payment to run again.
type Case struct {
	// Events are everything that was recorded of the payment, ascending by sequence
	// number and without a gap.
	Events []*enginev1.Event
	// Flow is the version to run: the recorded one, or another.
	Flow Flow
	// Called are the versions of flows it may call. At each moment the newest that was
	// deployed by then is called.
	Called []Flow
}

// Result is the payment's other life.
type Result struct {
	Events []*enginev1.Event
	// Steps are both lives side by side.
	Steps []Step
	// Unused are recorded inputs that nobody asked for.
	Unused []*enginev1.Event
	// Wants are what the payment still waits for and no record answers. A life that
	// came to its end wants nothing.
	Wants []Want
	// Refused are the engine's refusals of inputs it once took, with code and text.
	Refused []*enginev1.Event
	Ended   bool
	// Attempts are the attempts of jobs that ended as they were recorded, in that order.
	Attempts []Attempt
	// Until, if set, is the recorded event up to which the life could be run: a
	// quarantine or a migration.
	Until *enginev1.Event
}

// Attempt is what a job's attempt was about.
type Attempt struct {
	Ended     *enginev1.Event      // as recorded
	Variables []*enginev1.Variable // that it saw, ascending by name
	Flow      string               // of its element
	Headers   []*enginev1.Header   // of its task
	Retries   uint32               // left after it
	StartedMS int64                // when the payment was
}

// Agrees tells whether the engine made the recorded events and no others.
func (r *Result) Agrees() bool {
	return !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Was == nil || s.Is == nil })
}

// Want is what a payment stands still for.
type Want struct {
	Element string
	What    string // job, message, user task, timer, incident
	Of      string // job type, name of a message, signal or task, or why an incident
	DueMS   int64  // of a timer
}

// Errors of Run.
var (
	ErrIncomplete = errors.New("replay: the payment's events are not complete")
	ErrFlow       = errors.New("replay: the flow cannot be deployed")
)

// mostSteps bounds a replay whose flow has a timer that never rests.
const mostSteps = 100_000

// epoch is the term of the one leader a replay has.
const epoch = 1

// player is one replay.
type player struct {
	engine  *engine.Engine
	tx      *memtx.Tx
	process *bpmn.Process
	all     []*bpmn.Process // it first, then those it may call
	tenant  string
	index   uint64
	nowMS   int64
	payment uint64
	events  []*enginev1.Event
	refused []*enginev1.Event
	inputs  []*input
	called  []Flow // not deployed yet, ascending by time
	parsed  map[calledFlow]*bpmn.Process
	types   []string // of jobs that a connector served
	version uint64   // of the connector, which serves now
	// same: it is the recorded version. timers are those of the recorded life.
	same   bool
	timers map[timer]bool
	// made says of every job which one of its element it is; seen counts them.
	made map[uint32]nth
	seen map[string]int

	attempts []Attempt
}

// Run runs the payment again. The error is ErrIncomplete or ErrFlow, with what is
// missing or wrong.
func Run(c Case) (*Result, error) {
	err := complete(c.Events)
	if err != nil {
		return nil, err
	}
	events, until := runnable(c.Events)
	first := events[0]
	p := &player{
		engine: engine.New(), tx: memtx.New(), tenant: first.Tenant, nowMS: first.TimeMs,
		same: first.Number == c.Flow.Version, timers: make(map[timer]bool),
		called: slices.Clone(c.Called), parsed: make(map[calledFlow]*bpmn.Process), made: make(map[uint32]nth), seen: make(map[string]int),
	}
	for _, ev := range events {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_TIMER_SET {
			p.timers[timer{ev.Element, ev.DueMs}] = true
		}
	}
	slices.SortStableFunc(p.called, func(a, b Flow) int { return cmp.Compare(a.DeployedMS, b.DeployedMS) })
	processes, problems := bpmn.Parse(c.Flow.XML)
	for _, process := range processes {
		if process.ID == first.Type {
			p.process = process
		}
	}
	if p.process == nil {
		return nil, fmt.Errorf("%w: it holds no flow %s %v", ErrFlow, first.Type, problems)
	}
	p.all = append(p.all, p.process)
	for _, f := range p.called {
		processes, _ := bpmn.Parse(f.XML)
		p.all = append(p.all, processes...)
	}
	p.cluster(events)
	if err = p.deploy(c.Flow); err != nil {
		return nil, err
	}
	var start *input
	start, p.inputs = inputsOf(events, p.all)
	p.around(start, func() { err = p.start(first) })
	if err != nil {
		return nil, err
	}
	last := events[len(events)-1].TimeMs
	for n := 0; n < mostSteps && p.step(last); n++ {
	}
	r := &Result{Events: p.events, Ended: p.instance() == nil, Refused: p.refused, Until: until, Attempts: p.attempts}
	r.Steps = compare(events, p.events)
	for _, in := range p.inputs {
		r.Unused = append(r.Unused, in.event)
	}
	r.Wants = p.wants()
	return r, nil
}

func complete(events []*enginev1.Event) error {
	if len(events) == 0 || events[0].Kind != enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED {
		return fmt.Errorf("%w: the first is not its start", ErrIncomplete)
	}
	for i, ev := range events {
		if ev.Seq != uint32(i)+1 {
			return fmt.Errorf("%w: number %d is missing", ErrIncomplete, i+1)
		}
	}
	return nil
}

// runnable is the part of a life that can be run again, and the event that ends it:
// what led to a quarantine was undone and left no event, and a migration needs two
// versions at once.
func runnable(events []*enginev1.Event) (part []*enginev1.Event, until *enginev1.Event) {
	for i, ev := range events {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && ev.Element == "" ||
			ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_MIGRATED {
			return events[:i], ev
		}
	}
	return events, nil
}

// cluster prepares a cluster with the payment's tenant and one connector for every
// job, but for those that no connector served at the time.
func (p *player) cluster(events []*enginev1.Event) {
	p.apply(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{
		Cluster: 1, Secret: bytes.Repeat([]byte{1}, 32), Version: engine.Version,
	}}})
	p.apply(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{Epoch: epoch, Node: "replay"}}})
	p.apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: p.tenant}}}})
	types := p.process.JobTypes()
	for _, ev := range events {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_JOB_CREATED {
			types = append(types, ev.Type)
		}
	}
	for _, process := range p.all[1:] {
		types = append(types, process.JobTypes()...)
	}
	slices.Sort(types)
	types = slices.DeleteFunc(slices.Compact(types), func(t string) bool { return unserved(p.process, events, t) })
	p.types = types
	p.serveNext()
}

// unserved tells whether the payment once stood still for want of a connector of the
// type, and never got one.
func unserved(process *bpmn.Process, events []*enginev1.Event, jobType string) bool {
	wanting := false
	for _, ev := range events {
		switch ev.Kind {
		case enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED:
			el, known := process.Element(ev.Element)
			wanting = wanting || ev.Code == engine.IncidentNoConnector && known && el.JobType.String() == jobType
		case enginev1.EventKind_EVENT_KIND_JOB_CREATED:
			if ev.Type == jobType {
				return false
			}
		}
	}
	return wanting
}

func (p *player) deploy(f Flow) error {
	res := p.apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
		Tenant: p.tenant, File: f.File, Xml: f.XML, Ends: f.Ends,
	}}})
	if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		return fmt.Errorf("%w: %s: %s", ErrFlow, f.File, res.Reply.Text)
	}
	return nil
}

// at moves the clock, deploying on the way what was deployed by then.
func (p *player) at(ms int64) {
	for len(p.called) > 0 && p.called[0].DeployedMS <= ms {
		f := p.called[0]
		p.called = p.called[1:]
		// A version that this engine refuses is not called; the call then shows it.
		_ = p.deploy(f)
	}
	p.nowMS = max(p.nowMS, ms)
}

func (p *player) apply(cmd *enginev1.Command) engine.Result { return p.applyAt(p.nowMS, cmd) }

func (p *player) applyAt(ms int64, cmd *enginev1.Command) engine.Result {
	p.index++
	res := p.engine.Apply(p.tx, engine.Stamp{Index: p.index, TimeMS: ms}, cmd).Keep()
	if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		p.refused = append(p.refused, res.Reply)
	}
	for _, ev := range res.Events {
		if p.payment == 0 && p.process != nil && ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED && ev.Type == p.process.ID {
			p.payment = ev.Payment
		}
		if ev.Payment == 0 || ev.Payment != p.payment || ev.Seq == 0 {
			continue
		}
		p.events = append(p.events, ev)
		if ev.Kind == enginev1.EventKind_EVENT_KIND_JOB_CREATED {
			p.made[ev.Job] = count(p.seen, ev.Element)
		}
	}
	return res
}

type timer struct {
	element string
	dueMS   int64
}

type calledFlow struct {
	id      string
	version uint32
}

// calledProcess is a called flow by the version it has in the replay.
func (p *player) calledProcess(id string, version uint32) *bpmn.Process {
	key := calledFlow{id, version}
	if process, known := p.parsed[key]; known {
		return process
	}
	p.parsed[key] = nil
	if row, found := p.tx.Get(engine.Key{Table: engine.TableFlow, S: p.tenant + "\x00" + id, A: uint64(version)}); found {
		processes, _ := bpmn.Parse(row.(*enginev1.Flow).Xml)
		for _, process := range processes {
			if process.ID == id {
				p.parsed[key] = process
			}
		}
	}
	return p.parsed[key]
}

// instance is the payment while it runs.
func (p *player) instance() *enginev1.Instance {
	row, found := p.tx.Get(engine.Key{Table: engine.TableInstance, A: p.payment})
	if !found {
		return nil
	}
	return row.(*enginev1.Instance)
}

// start begins the payment as it was begun.
func (p *player) start(ev *enginev1.Event) error {
	p.at(ev.TimeMs)
	p.early()
	el, known := p.process.Element(ev.Element)
	var res engine.Result
	switch {
	case known && el.Message != nil:
		name, _ := el.Message.Name.Eval(nil)
		res = p.apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
			Tenant: p.tenant, Name: name, Key: ev.Key, Variables: ev.Variables,
		}}})
	case known && el.Signal != nil:
		name, _ := el.Signal.Name.Eval(nil)
		p.apply(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
			Tenant: p.tenant, Name: name, Variables: ev.Variables,
		}}})
		res = p.fire(10)
	case known && el.Timer != nil:
		res = p.fire(10)
	default:
		res = p.apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
			Tenant: p.tenant, Flow: ev.Type, Channel: ev.Name, ClientKey: ev.Key, Variables: ev.Variables,
		}}})
	}
	if p.payment == 0 {
		return fmt.Errorf("%w: a payment does not begin in it as it did at %s: %s", ErrFlow, ev.Element, res.Reply.GetText())
	}
	return nil
}

func (p *player) fire(limit uint32) engine.Result {
	return p.apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: limit}}})
}
