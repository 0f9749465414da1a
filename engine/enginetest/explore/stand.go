package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Stand is an element at which a token may stand until an operator comes.
type Stand struct {
	Element, Why string

	plain bool // no variable was null: it is no mere want of an answer
}

// stand notes that a token may stand at an element. What happens with every variable
// set says more than what happens for want of one.
func (x *explorer) stand(element, why string, plain bool) {
	if old, known := x.stands[element]; !known || plain && !old.plain {
		x.stands[element] = Stand{Element: element, Why: why, plain: plain}
	}
}

// incidents notes why the last command put the payment behind incidents. Older ones
// are not looked at again: another answer may have changed the variables since.
func (x *explorer) incidents(s *standing) {
	ofPayment(s.world, engine.TableIncident, func(in *enginev1.Incident) {
		if _, old := s.world.from.tx.Get(engine.Key{Table: engine.TableIncident, A: in.Payment, B: uint64(in.N)}); old {
			return
		}
		token := s.token(in.Token)
		if token == nil {
			x.stand(x.Flow, in.Text, true)
			return
		}
		el := s.at(token).el()
		x.entered[el.ID] = true
		if in.Code != engine.IncidentNoFlow {
			x.stand(el.ID, "stops behind an incident: "+in.Text, true)
			return
		}
		plain := true
		var names, values []string
		for _, f := range el.Outgoing {
			if c := s.at(token).process.Flows[f].Condition; c != nil {
				names = append(names, c.Variables()...)
			}
		}
		for _, name := range sorted(names) {
			v, _ := sight{s, token.Scope}.Lookup(name)
			plain = plain && !v.IsNull()
			values = append(values, name+" = "+string(v.AppendJSON(nil)))
		}
		x.stand(el.ID, "has no way out when "+strings.Join(values, ", "), plain)
	})
}

// mostAlike is how many tokens may stand on one element of one scope before the
// search does not go on: they come from a loop or a timer that makes ever more.
const mostAlike = 2

// pilesUp tells whether more tokens stand on one element than any search needs.
func (x *explorer) pilesUp(s *standing) bool {
	type spot struct {
		scope, element, round uint32
	}
	alike := make(map[spot]int)
	for _, t := range s.row.Tokens {
		at := spot{s.body(t.Scope).N, t.Element, s.scope(t.Scope).Round}
		if s.body(t.Scope).Loop != nil {
			continue // one for every item
		}
		if alike[at]++; alike[at] > mostAlike {
			x.stand(s.at(t).el().ID, fmt.Sprintf("gathers more than %d tokens at once", mostAlike), true)
			return true
		}
	}
	return false
}

// deserted notes tokens that wait for others when nothing can happen any more.
func (x *explorer) deserted(s *standing) {
	for _, t := range s.row.Tokens {
		if t.Joining {
			x.stand(s.at(t).el().ID, "waits for a token that does not come", true)
		}
	}
}

// unserved tells whether nobody serves the job, and notes it.
func (x *explorer) unserved(job *enginev1.Job) bool {
	if !slices.Contains(x.Unserved, job.Type) {
		return false
	}
	x.helped = true
	x.stand(job.Element, "waits for a job "+job.Type+", which nobody serves", true)
	return true
}

// unkeyed tells whether no message can find the event, and notes it.
func (x *explorer) unkeyed(el *bpmn.Element, message string) bool {
	if el.Message.CorrelationKey == nil {
		return false
	}
	for _, name := range el.Message.CorrelationKey.Variables() {
		if slices.Contains(x.NeverSet, name) {
			x.helped = true
			x.stand(el.ID, "waits for a message "+message+" by the key "+name+", which nobody sets", true)
			return true
		}
	}
	return false
}
