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

// move is one thing that could happen next.
type move struct {
	step    string // in words
	command *enginev1.Command
	dueMS   int64 // when, if it is the time that moves
}

// anyError is thrown where any error is caught, whatever its code.
const anyError = "explorer-error"

// moves are all things that could happen next to a payment: whatever its rows say it
// waits for. Of the timers only the next can fire.
func (x *explorer) moves(s *standing) []move {
	moves := slices.Concat(x.jobs(s), x.userTasks(s), x.messages(s), x.signals(s))
	if m, ok := x.nextTimer(s); ok {
		moves = append(moves, m)
	}
	return moves
}

func (x *explorer) jobs(s *standing) []move {
	var moves []move
	ofPayment(s.world, engine.TableJob, func(job *enginev1.Job) {
		token := s.token(job.Token)
		if token == nil || job.State != enginev1.JobState_JOB_STATE_READY {
			return
		}
		at := s.at(token)
		if x.unserved(job) && x.alone {
			return
		}
		finish := func(step string, outcome func(*enginev1.FinishJob)) {
			c := &enginev1.FinishJob{Origin: &enginev1.Origin{Payment: job.Payment, Job: job.N, Attempt: job.Attempt, Epoch: epoch}}
			outcome(c)
			moves = append(moves, move{step: step, command: &enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: c}}})
		}
		for _, a := range x.model.answersAt(at, s.callers(token)) {
			finish(job.Type+" of "+job.Element+" completes with "+written(a), func(c *enginev1.FinishJob) {
				c.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: variables(a)}}
			})
		}
		if job.Compensating {
			return
		}
		for _, place := range append([]place{at}, s.callers(token)...) {
			for _, event := range x.model.around(place, func(el *bpmn.Element) bool { return el.Error != nil }) {
				code := anyError
				if event.el().Error.IsSet() {
					code, _ = event.el().Error.Eval(feel.Variables{})
				}
				for _, a := range x.model.answersAfter(x.model.choices(event), nil) {
					finish(fmt.Sprintf("%s of %s throws %s with %s", job.Type, job.Element, code, written(a)), func(c *enginev1.FinishJob) {
						c.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: code, Variables: variables(a)}}
					})
				}
			}
		}
	})
	return moves
}

func (x *explorer) userTasks(s *standing) []move {
	var moves []move
	ofPayment(s.world, engine.TableUserTask, func(task *enginev1.UserTask) {
		token := s.token(task.Token)
		if token == nil {
			return
		}
		for _, a := range x.model.answersAt(s.at(token), s.callers(token)) {
			moves = append(moves, move{
				step: "somebody completes " + task.Element + " with " + written(a),
				command: &enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
					Payment: task.Payment, Task: task.N, Variables: variables(a), Actor: &enginev1.Actor{Name: "explorer"},
				}}},
			})
		}
	})
	return moves
}

func (x *explorer) messages(s *standing) []move {
	var moves []move
	s.world.tx.Ascend(engine.Key{Table: engine.TableCorrelation}, func(k engine.Key, row engine.Row) bool {
		parts := strings.SplitN(k.S, "\x00", 3)
		for _, sub := range row.(*enginev1.Correlation).Subscriptions {
			at, token, known := s.waited(sub.Wait)
			if !known || sub.Payment != s.row.Payment {
				continue
			}
			if x.unkeyed(at.el(), parts[1]) && x.alone {
				continue
			}
			var callers []place
			if token != nil {
				callers = s.callers(token)
			}
			for _, a := range x.model.answersAt(at, callers) {
				moves = append(moves, move{
					step: "message " + parts[1] + " comes for " + at.el().ID + " with " + written(a), command: publish(x.Tenant, parts[1], parts[2], a),
				})
			}
		}
		return true
	})
	return moves
}

func (x *explorer) signals(s *standing) []move {
	var moves []move
	s.world.tx.Ascend(engine.Key{Table: engine.TableSignal}, func(k engine.Key, row engine.Row) bool {
		at, token, known := s.waited(uint32(k.B))
		if !known || k.A != s.row.Payment {
			return true
		}
		var callers []place
		if token != nil {
			callers = s.callers(token)
		}
		_, name, _ := strings.Cut(k.S, "\x00")
		for _, a := range x.model.answersAt(at, callers) {
			moves = append(moves, move{step: "signal " + name + " with " + written(a), command: broadcast(x.Tenant, name, a)})
		}
		return true
	})
	return moves
}

// nextTimer lets time pass until the payment's next timer is due.
func (x *explorer) nextTimer(s *standing) (move, bool) {
	w := s.world
	var m move
	w.tx.Ascend(engine.Key{Table: engine.TableTimer}, func(k engine.Key, row engine.Row) bool {
		for _, d := range row.(*enginev1.Timer).Due {
			if k.B != s.row.Payment {
				continue
			}
			m = move{step: "time passes until a timer is due", command: fireTimers(), dueMS: int64(k.A)}
			if at, _, known := s.waited(d.N); known {
				m.step = "time passes until " + at.el().ID
			}
			return false
		}
		return true
	})
	return m, m.command != nil
}

// untilDue moves the clock to the first timer that is wanted.
func (w *world) untilDue(wanted func(engine.Key, *enginev1.Due) bool) bool {
	found := false
	w.tx.Ascend(engine.Key{Table: engine.TableTimer}, func(k engine.Key, row engine.Row) bool {
		for _, d := range row.(*enginev1.Timer).Due {
			if found = wanted(k, d); found {
				w.nowMS = max(w.nowMS, int64(k.A))
				break
			}
		}
		return !found
	})
	return found
}

func fireTimers() *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 1000}}}
}

func publish(tenant, name, key string, a answer) *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
		Tenant: tenant, Name: name, Key: key, Variables: variables(a),
	}}}
}

func broadcast(tenant, name string, a answer) *enginev1.Command {
	return &enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
		Tenant: tenant, Name: name, Variables: variables(a), Actor: &enginev1.Actor{Name: "explorer"},
	}}}
}
