package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Setup is a flow to explore.
type Setup struct {
	Tenant string
	Flow   string   // the process id
	Files  [][]byte // BPMN files: the flow's own first, then those of flows it may call
	// Unserved are job types that nobody serves and NeverSet variables that nobody
	// sets: what waits for a job of such a type, or for a message whose key is such a
	// variable, is explored all the same, and reported as standing for ever.
	Unserved []string
	NeverSet []string
	// Limit is how many standings are looked at: 0 is 20,000, and 2,000 once every end
	// event has been reached, or to see what is reached without help.
	Limit int
}

// Report is what the search found.
type Report struct {
	Flow    string
	Ends    []End   // of the flow and its sub-processes, in document order
	Calls   []Call  // the flows it calls
	Stands  []Stand // where a token may stand for ever, in document order
	Bounded bool    // the search was stopped at its limit: Stands may lack some
}

// End is an end event. Why says why it was not reached, Path how it was. Helped: it
// was reached only because somebody answered what nobody serves.
type End struct {
	ID, Name string
	Reached  bool
	Helped   bool
	Why      string
	Path     []string
}

// Call is a called flow and how many of its end events were reached inside the caller.
type Call struct {
	Flow          string
	Reached, Ends int
}

// Reached counts the end events that were reached.
func (r *Report) Reached() int {
	n := 0
	for i := range r.Ends {
		if r.Ends[i].Reached {
			n++
		}
	}
	return n
}

// explorer is one search.
type explorer struct {
	Setup
	model  *model
	seen   map[string]bool   // signatures
	queue  []*world          // still to be looked at
	ends   map[string]*world // by element id: the first payment that reached it
	looked int
	// entered are the elements that any event names.
	entered map[string]bool
	stands  map[string]Stand // by element id
	// helped: a job or a message was answered that nobody answers. With alone none is.
	helped, alone bool
}

// Explore searches every standing that a payment of the flow can have.
func Explore(setup Setup) (*Report, error) {
	x, err := search(setup, false)
	if err != nil {
		return nil, err
	}
	r := x.report()
	if !x.helped {
		return r, nil
	}
	// Once more, with nobody doing what nobody does.
	alone, err := search(setup, true)
	if err != nil {
		return nil, err
	}
	for i := range r.Ends {
		r.Ends[i].Helped = r.Ends[i].Reached && alone.ends[r.Ends[i].ID] == nil
	}
	return r, nil
}

func search(setup Setup, alone bool) (*explorer, error) {
	m, err := newModel(setup.Flow, setup.Files)
	if err != nil {
		return nil, err
	}
	x := &explorer{
		Setup: setup, alone: alone, model: m, seen: make(map[string]bool), ends: make(map[string]*world),
		entered: make(map[string]bool), stands: make(map[string]Stand),
	}
	w, err := x.cluster()
	if err != nil {
		return nil, err
	}
	x.begin(w)
	for ; len(x.queue) > 0 && x.looked < x.limit(); x.looked++ {
		next := x.queue[0]
		x.queue = x.queue[1:]
		x.look(next)
		next.tx = nil // its path may still be asked for, its rows no more
	}
	return x, nil
}

func (x *explorer) limit() int {
	if x.Limit > 0 {
		return x.Limit
	}
	for i := range x.model.main.Elements {
		if el := &x.model.main.Elements[i]; el.Kind == bpmn.KindEnd && x.ends[el.ID] == nil && !x.alone {
			return 20_000
		}
	}
	return 2_000
}

// cluster deploys the flows. Every end event gets a result by which the last one
// reached is told: of equal results the later wins.
func (x *explorer) cluster() (*world, error) {
	w := newWorld(x.Tenant)
	var ends []*enginev1.EndResult
	jobTypes := []string{defaultText}
	for _, p := range x.model.processes {
		for i := range p.Elements {
			el := &p.Elements[i]
			if el.Kind == bpmn.KindEnd {
				ends = append(ends, &enginev1.EndResult{Element: el.ID, Result: enginev1.Result_RESULT_COMPLETED})
			}
			if el.JobType.IsSet() {
				if t, ok := el.JobType.Eval(feel.Variables{}); ok && !slices.Contains(jobTypes, t) {
					jobTypes = append(jobTypes, t)
				}
			}
		}
	}
	slices.SortFunc(ends, func(a, b *enginev1.EndResult) int { return strings.Compare(a.Element, b.Element) })
	slices.Sort(jobTypes)
	w.connector(x.Tenant, jobTypes)
	for i, file := range x.Files {
		res := w.apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
			Tenant: x.Tenant, File: fmt.Sprintf("%d.bpmn", i), Xml: file, Ends: ends,
		}}})
		if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED && i == 0 {
			return nil, fmt.Errorf("%s is refused: %s", x.Flow, res.Reply.Text)
		}
	}
	return w, nil
}

// begin starts a payment in every way the flow can be started.
func (x *explorer) begin(w *world) {
	w.from = nil
	for _, at := range starts(x.model.main) {
		el := at.el()
		for _, a := range x.model.firstAnswers(at) {
			next := w.fork("start at " + el.ID + " with " + written(a))
			var cmd *enginev1.Command
			switch {
			case el.Message != nil:
				name, _ := el.Message.Name.Eval(a)
				key := ""
				if el.Message.CorrelationKey != nil {
					key, _ = el.Message.Key(a)
				}
				cmd = publish(x.Tenant, name, key, a)
			case el.Signal != nil:
				name, _ := el.Signal.Name.Eval(a)
				cmd = broadcast(x.Tenant, name, a)
			case el.Timer != nil:
				if !next.untilDue(func(k engine.Key, d *enginev1.Due) bool {
					return d.Kind == enginev1.TimerKind_TIMER_KIND_START && strings.HasSuffix(d.Subject, "\x00"+el.ID)
				}) {
					continue
				}
				cmd = fireTimers()
			default:
				cmd = &enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
					Tenant: x.Tenant, Flow: x.Flow, Channel: "explorer", Variables: variables(a),
				}}}
			}
			x.do(next, cmd)
		}
	}
}

// do applies a command in a world of its own and keeps where it leads, if that is
// new.
func (x *explorer) do(w *world, cmd *enginev1.Command) {
	x.note(w, w.apply(cmd))
	for range maxPending {
		// Signals are delivered by timers that are due at once.
		if !w.untilDue(func(k engine.Key, d *enginev1.Due) bool {
			return d.Kind == enginev1.TimerKind_TIMER_KIND_SIGNAL && int64(k.A) <= w.nowMS
		}) {
			break
		}
		x.note(w, w.apply(fireTimers()))
	}
	row := w.instance()
	if row == nil {
		return
	}
	s := &standing{model: x.model, world: w, row: row}
	x.incidents(s)
	if x.pilesUp(s) {
		return
	}
	if signature := s.signature(); !x.seen[signature] {
		x.seen[signature] = true
		x.queue = append(x.queue, w)
	}
}

// note takes down what the events show.
func (x *explorer) note(w *world, res engine.Result) {
	for _, ev := range res.Events {
		if w.payment == 0 && ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED && ev.Type == x.Flow {
			w.payment = ev.Payment
		}
		if ev.Payment != w.payment || ev.Payment == 0 || ev.Element == "" {
			continue
		}
		x.entered[ev.Element] = true
		switch ev.Kind {
		case enginev1.EventKind_EVENT_KIND_JOB_CREATED, enginev1.EventKind_EVENT_KIND_JOB_FAILED,
			enginev1.EventKind_EVENT_KIND_JOB_CANCELLED,
			enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED, enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED:
			continue
		}
		if x.ends[ev.Element] == nil {
			x.ends[ev.Element] = w
		}
	}
}

// look tries everything that could happen to a payment next.
func (x *explorer) look(w *world) {
	s := &standing{model: x.model, world: w, row: w.instance()}
	moves := x.moves(s)
	for _, m := range moves {
		next := w.fork(m.step)
		next.nowMS = max(next.nowMS, m.dueMS)
		x.do(next, m.command)
	}
	if len(moves) == 0 {
		x.deserted(s)
	}
}
