package explore

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
)

// model is the flow and the flows it may call, as read from their files.
type model struct {
	main      *bpmn.Process
	processes map[string]*bpmn.Process
	ids       []string // of the processes, ascending
	uses      map[*bpmn.Element]*use

	// What has been worked out already.
	reads   map[place][]string
	answers map[place][]answer
}

// place is an element of one of the model's processes.
type place struct {
	process *bpmn.Process
	element int
}

func (p place) el() *bpmn.Element { return &p.process.Elements[p.element] }

// newModel reads the files; the flow itself is in the first.
func newModel(flow string, files [][]byte) (*model, error) {
	m := &model{processes: make(map[string]*bpmn.Process), uses: make(map[*bpmn.Element]*use),
		reads: make(map[place][]string), answers: make(map[place][]answer)}
	for i, file := range files {
		processes, problems := bpmn.Parse(file)
		if i == 0 && len(processes) == 0 {
			return nil, fmt.Errorf("the file of %s is refused: %v", flow, problems)
		}
		for _, p := range processes {
			if m.processes[p.ID] == nil {
				m.processes[p.ID] = p
				m.ids = append(m.ids, p.ID)
			}
		}
	}
	if m.main = m.processes[flow]; m.main == nil {
		return nil, fmt.Errorf("there is no process %s in its file", flow)
	}
	slices.Sort(m.ids)
	for _, p := range m.processes {
		for i := range p.Elements {
			el := &p.Elements[i]
			m.uses[el] = usesOf(el)
		}
	}
	return m, nil
}

// use is what an element's expressions read.
type use struct {
	// needs are the expressions that must give something of a certain shape for the
	// element to work at all: a timer, a correlation key, a job type.
	needs []need
	// maps are those whose values become variables, with the variables they set.
	maps []*feel.Expr
	sets []string
}

type need struct {
	expr  *feel.Expr
	shape shape
}

// shape is what an expression must give.
type shape uint8

const (
	shapeText   shape = iota + 1 // a key, a name, a type
	shapeNumber                  // retries, a priority
	shapeTimer                   // what the element's timer takes
	shapeDate                    // a moment
	shapeList                    // what a multi-instance activity goes through
	shapeFree                    // a condition, which choices reads itself
)

// shapes says what the fields of an element must give, the more precise path first.
// Fields that are not here are taken to be mappings.
var shapes = map[string]shape{
	"JobType": shapeText, "Retries": shapeNumber, "CalledElement": shapeText,
	"Message": shapeText, "Signal": shapeText, "Error": shapeText, "Escalation": shapeText, "Timer": shapeTimer,
	"User": shapeText, "User.DueDate": shapeDate, "User.FollowUpDate": shapeDate, "User.Priority": shapeNumber,
	"Loop.InputCollection": shapeList, "Loop.CompletionCondition": shapeFree,
}

var (
	exprType    = reflect.TypeFor[*feel.Expr]()
	mappingType = reflect.TypeFor[bpmn.Mapping]()
)

// usesOf finds every expression of an element, whichever of its fields holds it, so
// that a new kind of element needs no change here to be driven.
func usesOf(el *bpmn.Element) *use {
	u := &use{}
	u.read(reflect.ValueOf(el).Elem(), "", 0)
	if el.Script != nil {
		u.sets = append(u.sets, el.Script.ResultVariable)
	}
	if el.Loop != nil {
		u.sets = append(u.sets, el.Loop.OutputCollection)
	}
	return u
}

func (u *use) read(v reflect.Value, path string, so shape) {
	if s := shapes[path]; s != 0 {
		so = s
	}
	switch {
	case v.Type() == exprType:
		if x := v.Interface().(*feel.Expr); x != nil && so == 0 {
			u.maps = append(u.maps, x)
		} else if x != nil && so != shapeFree {
			u.needs = append(u.needs, need{x, so})
		}
		return
	case v.Type() == mappingType:
		u.sets = append(u.sets, v.Interface().(bpmn.Mapping).Target[0])
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			u.read(v.Elem(), path, so)
		}
	case reflect.Slice:
		for i := range v.Len() {
			u.read(v.Index(i), path, so)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				u.read(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."), so)
			}
		}
	}
}

// answered tells whether a token stops at the element until somebody outside answers,
// and the answer can bring variables.
func answered(el *bpmn.Element) bool {
	switch el.Kind {
	case bpmn.KindJob, bpmn.KindReceive, bpmn.KindUser:
		return true
	case bpmn.KindEnd:
		return el.JobType.IsSet()
	case bpmn.KindStart, bpmn.KindCatch, bpmn.KindBoundary:
		return el.Message != nil || el.Signal != nil || el.Kind == bpmn.KindBoundary && el.Error != nil
	}
	return false
}

// called is where the flow that a call activity names begins.
func (m *model) called(el *bpmn.Element) []place {
	if el.Kind != bpmn.KindCall || el.CalledElement.Expr != nil && len(el.CalledElement.Expr.Variables()) > 0 {
		return nil
	}
	id, _ := el.CalledElement.Eval(feel.Variables{})
	p := m.processes[id]
	if p == nil || len(p.Start) == 0 {
		return nil
	}
	return []place{{p, p.Start[0]}}
}

// along is where the sequence flows of a place lead, and with none, since the token
// ends there, where the sub-process goes on that it lies in.
func (m *model) along(at place) []place {
	el := at.el()
	var next []place
	for _, f := range el.Outgoing {
		next = append(next, place{at.process, at.process.Flows[f].Target})
	}
	for parent := el.Parent; len(el.Outgoing) == 0 && parent >= 0; parent = at.process.Elements[parent].Parent {
		if at.process.Elements[parent].Kind == bpmn.KindSub {
			return m.along(place{at.process, parent})
		}
	}
	if el.ForCompensation {
		// Whoever asked for compensation goes on when the handlers are done.
		for i := range at.process.Elements {
			if at.process.Elements[i].Compensate != nil && at.process.Elements[i].Kind != bpmn.KindBoundary {
				next = append(next, m.along(place{at.process, i})...)
			}
		}
	}
	return next
}

// ahead is where a token can go on to from a place by itself.
func (m *model) ahead(at place) []place {
	el := at.el()
	switch {
	case el.Kind == bpmn.KindLinkThrow && el.LinkTo >= 0:
		return []place{{at.process, el.LinkTo}}
	case (el.Kind == bpmn.KindSub || el.Kind == bpmn.KindEventSub) && el.SubStart >= 0:
		return []place{{at.process, el.SubStart}}
	case el.Kind == bpmn.KindCall:
		return append(m.called(el), m.along(at)...)
	case (el.Kind == bpmn.KindThrow || el.Kind == bpmn.KindEnd) && (el.Error != nil || el.Escalation != nil):
		return append(m.around(at, func(c *bpmn.Element) bool { return c.Error != nil || c.Escalation != nil }), m.along(at)...)
	}
	return m.along(at)
}

// around are the events of a kind that can take a token from a place: the boundary
// events of its element and of the sub-processes it lies in, and the starts of the
// event sub-processes there.
func (m *model) around(at place, is func(*bpmn.Element) bool) []place {
	var events []place
	add := func(index int) {
		if is(&at.process.Elements[index]) {
			events = append(events, place{at.process, index})
		}
	}
	subs := func(subs []int) {
		for _, s := range subs {
			if start := at.process.Elements[s].SubStart; start >= 0 {
				add(start)
			}
		}
	}
	for index := at.element; index >= 0; index = at.process.Elements[index].Parent {
		el := &at.process.Elements[index]
		for _, b := range el.Boundary {
			add(b)
		}
		if index != at.element {
			subs(el.EventSubs)
		}
	}
	subs(at.process.EventSubs)
	return events
}

// starts are the places where a payment of the process can begin.
func starts(p *bpmn.Process) []place {
	var places []place
	for _, i := range slices.Concat(p.Start, p.MessageStart, p.TimerStart, p.SignalStart) {
		places = append(places, place{p, i})
	}
	return places
}
